"""The best n of many scores."""

import numpy as np
import numpy.typing as npt

from scoring.ratings import Floats

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def top_n(score: Floats, n: int, seen: Rows, preferred: Mask, among: Mask | None = None) -> Rows:
    """Rows of the n highest scores, best first, without those in `seen`; ties go to the lower row.

    Rows that are not `preferred` come only after all that are. Fewer than n where there are no more; where `among`
    is given, only its rows are looked at.
    """
    allowed = np.ones(len(score), bool) if among is None else among.copy()
    allowed[seen] = False
    first = _best(score, np.flatnonzero(allowed & preferred), n)
    if len(first) == n:
        return first
    rest = _best(score, np.flatnonzero(allowed & ~preferred), n - len(first))
    return np.concatenate([first, rest])


def _best(score: Floats, rows: Rows, n: int) -> Rows:
    values = score[rows]
    if len(rows) > n:
        # everything at or above the n-th value: argpartition alone would pick among equals at random
        cut = np.partition(values, len(rows) - n)[len(rows) - n] if n else np.inf
        keep = values >= cut
        rows, values = rows[keep], values[keep]
    return rows[np.lexsort((rows, -values))[:n]]
