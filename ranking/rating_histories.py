"""From one user's ratings to the list that is shown: score, best n, expected ratings."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ranking.factors import Factors
from ranking.rankings import PersonalRanking, best
from ranking.ratings import Floats, Ints


@dataclass(frozen=True)
class Ranked:
    """Movies best first, int32 [n], with the rating their user may be expected to give, float32 [n]."""

    movies: Ints
    expected: Floats


def ranked(factors: Factors, movies: Ints, rating: Floats, n: int) -> Ranked:
    """The n movies to recommend to someone who rated `movies` [s] with `rating` [s]; none of these is among them."""
    ranking = PersonalRanking(factors, movies, rating)
    rows = best(ranking, n)
    return Ranked(factors.movies[rows], ranking.expected(rows))


@dataclass(frozen=True)
class Histories:
    """The ratings of u users, one user's after another's: those of user i are [start[i], start[i + 1])."""

    user: Ints
    start: npt.NDArray[np.int64]
    movies: Ints
    rating: Floats

    def __len__(self) -> int:
        return len(self.user)

    def pieces(self, count: int) -> list["Histories"]:
        """The same users in their order, in so many parts of about as many users each."""
        cuts = np.linspace(0, len(self), count + 1).astype(int).tolist()
        return [self._piece(first, last) for first, last in pairwise(cuts)]

    def _piece(self, first: int, last: int) -> "Histories":
        start = self.start[first : last + 1]
        cut = slice(start[0], start[-1])
        return Histories(self.user[first:last], start - start[0], self.movies[cut], self.rating[cut])
