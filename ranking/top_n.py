"""Select the n highest of many scores."""

import numpy as np

from ranking.ratings import Floats, Mask, Rows

DEPTH = 16  # scores in a group of `top_rows`


def top_n(score: Floats, n: int, seen: Rows, preferred: Mask, among: Mask | None = None) -> Rows:
    """Return the rows of the n highest scores, best first, without those in `seen`; ties go to the lower row.

    Rows that are not `preferred` come after all that are. The result is shorter if there are fewer rows. Only rows in
    `among`, if given, are considered.
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
        # keep all values at or above the n-th, because argpartition alone picks among equal values arbitrarily; negated
        # values have the n-th in front, where numpy finds it in a twentieth of the time if most are equal
        cut = -np.partition(-values, n - 1)[n - 1] if n else np.inf
        keep = values >= cut
        rows, values = rows[keep], values[keep]
    return rows[np.lexsort((rows, -values))[:n]]


def score_table(users: int, movies: int, n: int) -> tuple[Floats, int]:
    """Return an array for scores, [users, at least movies], and its number of groups for `top_rows`.

    The columns after the last movie pad the groups; they hold -inf.
    """
    groups = max(n, movies // DEPTH + 1)
    score = np.empty((users, groups * (movies // groups + 1)), np.float32)
    score[:, movies:] = -np.inf
    return score, groups


def top_rows(score: Floats, n: int, groups: int) -> tuple[Rows, Mask]:
    """Return `top_n` of each row of scores [b, w]: the columns of the n highest, best first, ties by the lower column.

    The n best scores are at least as high as the n-th highest group maximum, and few others are. This takes two passes
    over the scores; a partition of each row takes ten times as long.

    Args:
        groups: the number of groups of columns, a divisor of w and at least n.

    Returns:
        columns [b, n], and a mask [b, n] that is false where only scores of -inf are left.
    """
    b, width = score.shape
    best = score.reshape(b, width // groups, groups).max(axis=1)
    cut = np.partition(best, groups - n, axis=1)[:, groups - n]
    cut = np.maximum(cut, np.finfo(np.float32).min)
    at = np.flatnonzero((score >= cut[:, None]).reshape(-1))
    row, column = np.divmod(at, width)
    order = np.lexsort((column, -score.reshape(-1)[at], row))
    row, column = row[order], column[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    among = place < n
    columns, filled = np.zeros((b, n), np.intp), np.zeros((b, n), bool)
    columns[row[among], place[among]] = column[among]
    filled[row[among], place[among]] = True
    return columns, filled
