"""The ratings of many users, grouped by user."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ranking.ratings import Floats, Ints

Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Histories:
    """The ratings of u users: those of user i are [start[i], start[i + 1]) of `movies`, `rating` and `at`.

    Times are unix seconds; if a user's times are unknown, they are all equal.
    """

    user: Ints
    start: npt.NDArray[np.int64]
    movies: Ints
    rating: Floats
    at: Times

    def __len__(self) -> int:
        return len(self.user)

    def pieces(self, count: int) -> list["Histories"]:
        """Return the users in order, split into `count` parts of about equal size."""
        cuts = np.linspace(0, len(self), count + 1).astype(int).tolist()
        return [self._piece(first, last) for first, last in pairwise(cuts)]

    def _piece(self, first: int, last: int) -> "Histories":
        start = self.start[first : last + 1]
        cut = slice(start[0], start[-1])
        return Histories(self.user[first:last], start - start[0], self.movies[cut], self.rating[cut], self.at[cut])


def count_newer(start: npt.NDArray[np.int64], at: Times) -> npt.NDArray[np.int64]:
    """Return the number of newer ratings of the same user for each rating [n]; user i has [start[i], start[i + 1])."""
    user = np.repeat(np.arange(len(start) - 1), np.diff(start))
    order = np.lexsort((at, user))
    user, at = user[order], at[order]
    # the last of the ratings that a user gave in the same second
    last = np.flatnonzero(np.append((user[1:] != user[:-1]) | (at[1:] != at[:-1]), [True] * bool(len(at))))
    newer = np.empty(len(at), np.int64)
    newer[order] = np.repeat(start[user[last] + 1] - 1 - last, np.diff(last, prepend=-1))
    return newer
