"""The rating and rank that the live generation predicts for a movie before its user rates it."""

from typing import NamedTuple

import numpy as np

from ranking.rankings import Ranking
from ranking.ratings import Mask


class OnlinePrediction(NamedTuple):
    """The rating that would have been shown, 0.5 to 5, and the movie's rank among all that were unseen, from 1."""

    expected_rating: float
    rank: int


def predict_rating_and_rank(ranking: Ranking, well_known: Mask, row: int) -> OnlinePrediction:
    """Predict for the movie at `row`, by the ranking of a user who has not rated it; `well_known` is of all movies."""
    s = ranking.scores(np.arange(len(well_known)))
    # the order of a list: well-known movies first, then by score
    ahead = (well_known & ~well_known[row]) | ((well_known == well_known[row]) & (s > s[row]))
    ahead[ranking.seen] = False
    return OnlinePrediction(float(ranking.expected(np.array([row]))[0]), int(ahead.sum()) + 1)
