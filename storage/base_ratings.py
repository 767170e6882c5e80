"""The ratings of the dataset, kept as a Parquet file in the state directory."""

import logging
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ranking.ratings import Ratings

log = logging.getLogger(__name__)

COLUMNS = ("user", "movie", "rating", "at")


def path(state_dir: Path, fingerprint: str) -> Path:
    """Return the file for the ratings of the dataset with this fingerprint."""
    return state_dir / "ratings" / f"{fingerprint}.parquet"


def save(file: Path, ratings: Ratings) -> None:
    """Write the ratings to a file, completely or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    table = pa.table({name: getattr(ratings, name) for name in COLUMNS})
    try:
        pq.write_table(table, part, write_page_checksum=True)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def load(file: Path) -> Ratings | None:
    """Return the ratings that `save` wrote, or None if the file is missing or damaged."""
    try:
        table = pq.read_table(file, columns=list(COLUMNS), page_checksum_verification=True)
        return Ratings(*(table[name].to_numpy() for name in COLUMNS))
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        log.warning("%s cannot be read: %s", file, error)
        return None
