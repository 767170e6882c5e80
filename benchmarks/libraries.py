"""Measure training time, memory, quality and lists a second of Matinee and libraries, on one synthetic dataset.

A library that is not installed is left out. `compare.py` measures more models, on a MovieLens dataset.
"""

import tempfile
from pathlib import Path

from compare import OURS, compare_models
from compare_interface import FOLDED_IN, TRAINED
from generate import Size, write_dataset
from measurements import Better, Measurement, Measurements

NAMES = (
    OURS,
    "Spark's implicit ALS, our ranker's settings",
    "implicit's ALS, its defaults",
    "LensKit's ALS, its defaults",
)
MEASURES: dict[str, tuple[str, Better | None]] = {  # no direction if a single repeat is too noisy to compare
    "train s": ("s", None), "peak MB": ("MB", "less"), "NDCG@10": ("", "more"),
    f"one {FOLDED_IN} /s": ("/s", None), f"one {TRAINED} /s": ("/s", None), f"all {FOLDED_IN} /s": ("/s", None),
}  # fmt: skip


def measure(quick: bool) -> Measurements:
    """Return the measures of each model on 100,000 ratings."""
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-") as folder:
        write_dataset(Path(folder), Size.like_movielens(20_000 if quick else 100_000))
        rows = compare_models(Path(folder), [1], NAMES)[0].rows
    return {
        f"{name}: {of}": Measurement(row[of], unit, better)
        for name, row in rows.items()
        for of, (unit, better) in MEASURES.items()
        if of in row
    }
