"""The ratings of the dataset, read once and kept as Parquet beside the state."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scoring.ratings import Ratings

COLUMNS = ("user", "film", "rating", "at")


def path(state_dir: Path, fingerprint: str) -> Path:
    """Where the ratings of the dataset with this fingerprint are kept."""
    return state_dir / "ratings" / f"{fingerprint}.parquet"


def save(file: Path, ratings: Ratings) -> None:
    """Write whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    pq.write_table(pa.table({name: getattr(ratings, name) for name in COLUMNS}), part)
    os.replace(part, file)


def load(file: Path) -> Ratings:
    """Read what `save` wrote."""
    table = pq.read_table(file, columns=list(COLUMNS))
    return Ratings(*(table[name].to_numpy() for name in COLUMNS))
