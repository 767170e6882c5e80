"""What would have been said of a rating before it was given: the fairest test of a model that serves."""

from typing import NamedTuple

import numpy as np

from ranking.factors import Factors
from ranking.score import IndexedHistory, UserModel, expected_rating


class OnlinePrediction(NamedTuple):
    """The rating that would have been shown, 0.5 to 5, and the movie's rank among all the user had not seen, from 1."""

    expected_rating: float
    rank: int


def predict_rating_and_rank(factors: Factors, before: IndexedHistory, row: int) -> OnlinePrediction:
    """What someone with the history `before` would have been told of the movie at `row`, which is not in it."""
    user_model = UserModel(factors, before)
    s = user_model.score
    known = factors.well_known
    # the order of a list: well-known movies first, then by score
    ahead = (known & ~known[row]) | ((known == known[row]) & (s > s[row]))
    ahead[before.rows] = False
    return OnlinePrediction(float(expected_rating(user_model, np.array([row]))[0]), int(ahead.sum()) + 1)
