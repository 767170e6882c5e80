"""What would have been said of a rating before it was given: the fairest test of a model that serves."""

from typing import NamedTuple

import numpy as np

from scoring.factors import Factors
from scoring.score import History, Taste, expected_rating


class Foretold(NamedTuple):
    """The rating that would have been shown, 0.5 to 5, and the film's rank among all the user had not seen, from 1."""

    expected_rating: float
    rank: int


def foretell(factors: Factors, before: History, row: int) -> Foretold:
    """What someone with the history `before` would have been told of the film at `row`, which is not in it."""
    taste = Taste(factors, before)
    s = taste.score
    known = factors.well_known
    # the order of a list: well-known films first, then by score
    ahead = (known & ~known[row]) | ((known == known[row]) & (s > s[row]))
    ahead[before.rows] = False
    return Foretold(float(expected_rating(taste, np.array([row]))[0]), int(ahead.sum()) + 1)
