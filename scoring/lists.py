"""From one user's ratings to the list that is shown: score, best n, expected ratings."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.factors import Factors
from scoring.rankings import Personal, best
from scoring.ratings import Floats, Ints


@dataclass(frozen=True)
class Ranked:
    """Films best first, int32 [n], with the rating their user may be expected to give, float32 [n]."""

    films: Ints
    expected: Floats


def ranked(factors: Factors, films: Ints, rating: Floats, n: int) -> Ranked:
    """The n films to recommend to someone who rated `films` [s] with `rating` [s]; none of these is among them."""
    ranking = Personal(factors, films, rating)
    rows = best(ranking, n)
    return Ranked(factors.films[rows], ranking.expected(rows))


@dataclass(frozen=True)
class Histories:
    """The ratings of u users, one user's after another's: those of user i are [start[i], start[i + 1])."""

    user: Ints
    start: npt.NDArray[np.int64]
    films: Ints
    rating: Floats

    def __len__(self) -> int:
        return len(self.user)
