"""A part of the suite: training, memory, quality and lists a second of Matinee and of libraries, on one made-up set.

A library that is missing is left out. `compare.py` tells more, and of a MovieLens set.
"""

import tempfile
from pathlib import Path

from compare import OURS, compared
from compare_interface import KNOWN, TOLD
from generate import Size, write_set
from measurements import Better, Measurement, Measurements

NAMES = (
    OURS,
    "Spark's implicit ALS, our ranker's settings",
    "implicit's ALS, its defaults",
    "LensKit's ALS, its defaults",
)
MEASURES: dict[str, tuple[str, Better | None]] = {  # only told where one process alone was timed once
    "train s": ("s", None), "peak MB": ("MB", "less"), "NDCG@10": ("", "more"),
    f"one {TOLD} /s": ("/s", None), f"one {KNOWN} /s": ("/s", None), f"all {TOLD} /s": ("/s", None),
}  # fmt: skip


def measure(quick: bool) -> Measurements:
    """The part of the suite: 100,000 ratings."""
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-") as folder:
        write_set(Path(folder), Size.like_movielens(20_000 if quick else 100_000))
        rows = compared(Path(folder), [1], NAMES)[0].rows
    return {
        f"{name}: {of}": Measurement(row[of], unit, better)
        for name, row in rows.items()
        for of, (unit, better) in MEASURES.items()
        if of in row
    }
