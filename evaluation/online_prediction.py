"""The rating and rank that the live generation predicts for a movie before its user rates it."""

from typing import NamedTuple

import numpy as np

from ranking.ranker import Ranker
from ranking.user_batch import UserBatch


class OnlinePrediction(NamedTuple):
    """The rating that would have been shown, 0.5 to 5, and the movie's rank among all that were unseen, from 1."""

    expected_rating: float
    rank: int


def predict_rating_and_rank(ranker: Ranker, before: UserBatch, row: int) -> OnlinePrediction:
    """Predict for the movie at `row`, and a user with the history `before` (a batch of one), which lacks it."""
    folded = ranker.fold_in(before)
    s, known = ranker.scores(folded)[0], ranker.factors.well_known
    # the order of a list: well-known movies first, then by score
    ahead = (known & ~known[row]) | ((known == known[row]) & (s > s[row]))
    ahead[before.rows[0]] = False
    expected = ranker.expected(before, np.array([[row]]), folded.g)
    return OnlinePrediction(float(expected[0, 0]), int(ahead.sum()) + 1)
