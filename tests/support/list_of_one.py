"""The list of one user, directly from factors."""

from typing import NamedTuple

from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.ratings import Floats, Ints


class Ranked(NamedTuple):
    """Movies, best first, with their expected ratings."""

    movies: Ints
    expected: Floats


def ranked(factors: Factors, movies: Ints, rating: Floats, n: int) -> Ranked:
    ranking = ranking_for(Ranker(factors), movies, rating)
    rows = ranking.best(n)
    return Ranked(factors.movies[rows], ranking.expected(rows))
