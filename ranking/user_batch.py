"""The histories of many users in one padded array; a single user is a batch of one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranking.factors import Factors
from ranking.ratings import Floats, Ints, Mask, Rows

MOST_USERS = 128  # of a batch: their scores of 10,000 movies stay in the processor's cache
MOST_CELLS = 4_000_000  # of the largest array of a batch, of 4 bytes each


@dataclass(frozen=True)
class UserBatch:
    """The ratings of b users, padded to the length l of the longest history.

    Attributes:
        rows: of the rated movies in the factors, [b, l]; 0 in the padding.
        rating: float32 [b, l]; 0 in the padding.
        mask: false in the padding, bool [b, l].
        n: the number of ratings of each user [b].
    """

    rows: Rows
    rating: Floats
    mask: Mask
    n: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def each(self) -> Rows:
        """The numbers of the users [b, 1], to index an array [b, ...] by user and something else."""
        return np.arange(len(self))[:, None]

    def user(self, i: int | np.intp) -> "UserBatch":
        """Return the batch of one user alone, without padding."""
        mine = self.mask[i]
        n = self.n[i : i + 1]
        return UserBatch(self.rows[i, mine][None, :], self.rating[i, mine][None, :], mine[mine][None, :], n)


def batch_of_one(factors: Factors, movies: Ints, rating: Floats) -> UserBatch:
    """Return the batch of a user who rated `movies` [n] with `rating` [n]; movies without factors are left out."""
    rows, known = factors.rows(movies)
    return UserBatch(rows[None, :], rating[known][None, :], np.ones((1, len(rows)), bool), np.array([len(rows)]))


def user_batches(
    factors: Factors, start: npt.NDArray[np.int64], rows: Rows, rating: Floats
) -> Iterator[tuple[Rows, UserBatch]]:
    """Cut users into batches of about equally long histories, and yield the users' numbers with each batch.

    The ratings of user i are [start[i], start[i + 1]) of `rows` and `rating`. Users without ratings are left out.
    """
    length = np.diff(start)
    order = np.argsort(length, kind="stable")
    order = order[np.searchsorted(length[order], 1) :]
    cells = factors.V.shape[1] + factors.model.neighbours
    most = min(MOST_USERS, max(1, MOST_CELLS // len(factors.movies)))
    while len(order):
        # as many as fit beside the longest history among them, which is the last one taken
        fits = length[order[:most]] * cells * np.arange(1, len(order[:most]) + 1) <= MOST_CELLS
        some = order[: max(1, int(fits.sum()))]
        order = order[len(some) :]
        yield some, _padded(start[some], length[some], rows, rating)


def _padded(first: Rows, length: Rows, rows: Rows, rating: Floats) -> UserBatch:
    place = np.arange(length.max())
    mask = place < length[:, None]
    at = np.where(mask, first[:, None] + place, 0)
    return UserBatch(np.where(mask, rows[at], 0), np.where(mask, rating[at], np.float32(0)), mask, length)
