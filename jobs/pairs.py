"""Read files of (user, item) pairs: LightGCN's lines `user item item ...`, or two columns."""

from pathlib import Path

import numpy as np

from movielens.line_report import DatasetError
from ranking.ratings import Ratings

LIKED = 5.0  # the rating that a pair stands for
INT32 = 2**31


def read_pairs(path: Path) -> Ratings:
    """Return the distinct pairs of a file as ratings of 5 without a time.

    With a comma or a tab in its first line the file has two columns, and others are ignored; otherwise a line is a
    user followed by their items. Raises `DatasetError` that names the first line that is neither.
    """
    lines = path.read_text("utf-8-sig").splitlines()
    separator = next((mark for mark in (",", "\t") if lines and mark in lines[0]), None)
    first = 1 if separator and not _whole(lines[0].split(separator)[:2]) else 0
    pairs: list[tuple[int, int]] = []
    for number, line in enumerate(lines[first:], start=first + 1):
        fields = line.split(separator) if separator else line.split()
        wanted = fields[:2] if separator else fields
        if fields and not (_whole(wanted) and (separator is None or len(wanted) == 2)):
            raise DatasetError(
                f"{path.name}, line {number} is not ids, whole numbers from 0 to {INT32 - 1}: {line[:80]!r}"
            )
        pairs += [(int(wanted[0]), int(item)) for item in wanted[1:]]
    if not pairs:
        raise DatasetError(f"{path} holds no pairs. Give lines of `user item item ...` or two columns of ids.")
    user, item = np.unique(np.array(pairs, np.int32), axis=0).T
    n = len(user)
    return Ratings(user.copy(), item.copy(), np.full(n, LIKED, np.float32), np.zeros(n, np.int64))


def _whole(fields: list[str]) -> bool:
    return all(field.strip().isascii() and field.strip().isdecimal() and int(field) < INT32 for field in fields)
