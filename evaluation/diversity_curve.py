"""Measure NDCG, miscalibration and popularity of held-out users' lists by diversity."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from evaluation import offline_metrics
from evaluation.held_out import EVALUATED_LIST_LENGTH, EvaluationSetting, split_histories
from evaluation.offline_metrics import RELEVANT
from evaluation.splits import sort_by_user_and_time
from ranking.batch_lists import ratings_by_user
from ranking.calibration import POOL, calibrated, miscalibration
from ranking.factors import Factors
from ranking.rating_histories import Times
from ranking.ratings import PADDING, Floats, Ints, Ratings, Rows

DIALS = (0.0, 0.5, 1.0)
GIVEN = 20  # ratings given of each user, enough to know the genres that they like
MEASURES = ("NDCG@10", "miscalibration", "median popularity")

DiversityCurve = dict[str, dict[str, float]]
"""For each diversity, the means over users of NDCG@10, miscalibration and a list's median number of ratings."""


class _Pool(NamedTuple):
    """A user's best movies, their scores, and the rows of the user's likes."""

    user: int
    rows: Rows
    score: Floats
    liked: Rows


def diversity_curve(setting: EvaluationSetting, ratings: Ratings, genres: Floats) -> DiversityCurve:
    """Return the curve over held-out users, given their first 20 ratings; {} if no user has more than 20.

    `genres` [f, G] is the share of each genre in each movie of the factors.
    """
    factors = setting.ranker.factors
    ordered = sort_by_user_and_time(ratings.take(factors.rows(ratings.movie)[1]))
    _, given, tested, clocks = split_histories(ratings_by_user(ordered, np.unique(ordered.user)), GIVEN)
    measured = []
    for pool in _pools(setting, given, clocks):
        relevant = tested[pool.user].movie[tested[pool.user].rating >= RELEVANT]
        if len(relevant) and len(pool.liked):
            measured.append([_measured(factors, pool, genres, dial, relevant) for dial in DIALS])
    if not measured:
        return {}
    means = np.mean(measured, axis=0).tolist()
    return {f"{dial:g}": dict(zip(MEASURES, row, strict=True)) for dial, row in zip(DIALS, means, strict=True)}


def _pools(setting: EvaluationSetting, given: list[Ratings], clocks: Times) -> Iterator[_Pool]:
    ranker, factors = setting.ranker, setting.ranker.factors
    for users, batch, popularity in setting.batches(given, clocks):
        folded = ranker.fold_in(batch, ranker.neighbour_terms(batch))
        rows, filled = ranker.top_n(folded, min(POOL, len(factors.movies)), popularity=popularity)
        score = ranker.scores(folded) + folded.c[:, None] * (popularity - factors.popular)
        liked = batch.mask & (batch.rating >= factors.model.like_threshold)
        for i, user in enumerate(users):
            pool = rows[i, filled[i]]
            yield _Pool(int(user), pool, score[i, pool], batch.rows[i, liked[i]])


def _measured(factors: Factors, pool: _Pool, genres: Floats, dial: float, relevant: Ints) -> tuple[float, ...]:
    p, preferred = genres[pool.liked].mean(axis=0), factors.well_known[pool.rows]
    order = calibrated(pool.score, preferred, genres[pool.rows], p, dial, EVALUATED_LIST_LENGTH)
    best = pool.rows[order]
    listed = np.full((1, EVALUATED_LIST_LENGTH), PADDING, np.int32)
    listed[0, : len(best)] = factors.movies[best]
    ndcg = offline_metrics.ndcg(offline_metrics.hits(listed, [relevant]), offline_metrics.sizes([relevant]))
    return float(ndcg[0]), miscalibration(genres[best], p), float(np.median(factors.rating_count[best]))
