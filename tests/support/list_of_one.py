"""The list of one user, directly from factors."""

from typing import NamedTuple

import numpy as np

from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.rating_histories import Times
from ranking.ratings import Floats, Ints


class Ranked(NamedTuple):
    """Movies, best first, with their expected ratings."""

    movies: Ints
    expected: Floats


def ranked(factors: Factors, movies: Ints, rating: Floats, n: int, at: Times | None = None) -> Ranked:
    """Without times all ratings are equally old."""
    ranking = ranking_for(Ranker(factors), movies, rating, np.zeros(len(movies), np.int64) if at is None else at)
    rows = ranking.best(n)
    return Ranked(factors.movies[rows], ranking.expected(rows))
