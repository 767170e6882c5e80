"""Pad the histories of many users into one array; a single user is a batch of one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranking.factors import Factors
from ranking.rating_histories import Histories, Times, count_newer
from ranking.ratings import Floats, Ints, Mask, Rows

_Columns = tuple[Rows, Floats, npt.NDArray[np.int64]]

MOST_USERS = 128  # users in a batch, so that their scores of 10,000 movies fit in the processor's cache
MOST_CELLS = 4_000_000  # elements of 4 bytes in the largest array of a batch


@dataclass(frozen=True)
class UserBatch:
    """The ratings of b users, padded to the length l of the longest history.

    Attributes:
        rows: the rows of the rated movies in the factors, [b, l]; 0 in the padding.
        rating: float32 [b, l]; 0 in the padding.
        newer: the number of newer ratings of the same user, [b, l]; ratings of the same second are equally old.
        mask: false in the padding, bool [b, l].
        n: the number of ratings of each user [b].
    """

    rows: Rows
    rating: Floats
    newer: npt.NDArray[np.int64]
    mask: Mask
    n: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def each(self) -> Rows:
        """Return the indexes of the users [b, 1], to index an array [b, ...] by user and another axis."""
        return np.arange(len(self))[:, None]

    def user(self, i: int | np.intp) -> "UserBatch":
        """Return the batch of one user alone, without padding."""
        mine = self.mask[i]
        n = self.n[i : i + 1]
        rows, rating, newer = (column[i, mine][None, :] for column in (self.rows, self.rating, self.newer))
        return UserBatch(rows, rating, newer, mine[mine][None, :], n)


def batch_of_one(factors: Factors, movies: Ints, rating: Floats, at: Times) -> UserBatch:
    """Return the batch of a user who rated `movies` [n] with `rating` [n] at these times; drop unknown movies."""
    rows, known = factors.rows(movies)
    n = len(rows)
    newer = n - np.searchsorted(np.sort(at[known]), at[known], "right")  # a fifth of the time of `count_newer`
    return UserBatch(rows[None, :], rating[known][None, :], newer[None, :], np.ones((1, n), bool), np.array([n]))


def batch_of(factors: Factors, histories: Histories) -> UserBatch:
    """Return all users, also those without ratings, as one batch; drop movies without factors."""
    columns, start = _columns(factors, histories)
    return _padded(start[:-1], np.diff(start), columns)


def user_batches(factors: Factors, histories: Histories) -> Iterator[tuple[Rows, UserBatch]]:
    """Split users into batches of about equally long histories, and yield the users' indexes with each batch.

    Movies without factors are dropped, and so are users without other ratings.
    """
    columns, start = _columns(factors, histories)
    length = np.diff(start)
    order = np.argsort(length, kind="stable")
    order = order[np.searchsorted(length[order], 1) :]
    cells = factors.V.shape[1] + factors.model.neighbours
    most = min(MOST_USERS, max(1, MOST_CELLS // len(factors.movies)))
    while len(order):
        # as many users as fit at the length of the longest history, which is that of the last user
        fits = length[order[:most]] * cells * np.arange(1, len(order[:most]) + 1) <= MOST_CELLS
        some = order[: max(1, int(fits.sum()))]
        order = order[len(some) :]
        yield some, _padded(start[some], length[some], columns)


def _columns(factors: Factors, histories: Histories) -> tuple[_Columns, Rows]:
    """Return row, rating and number of newer ratings for each rating of a known movie, and each user's start."""
    rows, known = factors.rows(histories.movies)
    start = np.concatenate([[0], np.cumsum(known)])[histories.start]
    return (rows, histories.rating[known], count_newer(start, histories.at[known])), start


def _padded(first: Rows, length: Rows, columns: _Columns) -> UserBatch:
    place = np.arange(length.max())
    mask = place < length[:, None]
    at = np.where(mask, first[:, None] + place, 0)
    padded_rows, rating, newer = (np.where(mask, column[at], column.dtype.type(0)) for column in columns)
    return UserBatch(padded_rows, rating, newer, mask, length)
