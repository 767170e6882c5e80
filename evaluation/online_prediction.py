"""The rating and rank that the live generation predicts for a movie before its user rates it."""

import numpy as np

from ranking.rankings import Ranking
from ranking.ratings import Mask


def predict_rating_and_rank(ranking: Ranking, well_known: Mask, row: int) -> tuple[float, int]:
    """Return the rating that a user would be shown, and the rank from 1 of the movie at `row` among all unseen ones.

    The ranking is that of a user who has not rated it; `well_known` is of all movies.
    """
    s = ranking.scores(np.arange(len(well_known)))
    # the order of a list: well-known movies first, then by score
    ahead = (well_known & ~well_known[row]) | ((well_known == well_known[row]) & (s > s[row]))
    ahead[ranking.seen] = False
    return float(ranking.expected(np.array([row]))[0]), int(ahead.sum()) + 1
