"""The ratings of many users, user by user."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ranking.ratings import Floats, Ints


@dataclass(frozen=True)
class Histories:
    """The ratings of u users: those of user i are [start[i], start[i + 1]) of `movies` and `rating`."""

    user: Ints
    start: npt.NDArray[np.int64]
    movies: Ints
    rating: Floats

    def __len__(self) -> int:
        return len(self.user)

    def pieces(self, count: int) -> list["Histories"]:
        """Return the same users, in their order, in `count` parts of about as many users each."""
        cuts = np.linspace(0, len(self), count + 1).astype(int).tolist()
        return [self._piece(first, last) for first, last in pairwise(cuts)]

    def _piece(self, first: int, last: int) -> "Histories":
        start = self.start[first : last + 1]
        cut = slice(start[0], start[-1])
        return Histories(self.user[first:last], start - start[0], self.movies[cut], self.rating[cut])
