"""Evaluate a generation on held-out users: give it their first ratings and test it on the next ones.

Lists and ratings are computed as for a request, so the evaluation is of what users see.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation import offline_metrics
from evaluation.held_out_result import GIVEN_N, HeldOutResult
from evaluation.protocol_result import LONG_TAIL_BELOW
from evaluation.splits import sort_by_user_and_time
from ranking.batch_lists import RankFunction, build_lists, popular_lists, rank_locally, ratings_by_user
from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.ratings import PADDING, Floats, Ratings

MAX_TESTED_RATINGS = 50  # how many of the following ratings the model is tested on
EVALUATED_LIST_LENGTH = 10
MAX_EVALUATED_USERS = 1000  # 7,000 lists take some 10 s of one core, and settle a difference in NDCG of .01


def evaluate_held_out(
    factors: Factors, ratings: Ratings, popularity: Floats, rank: RankFunction = rank_locally
) -> HeldOutResult:
    """Evaluate factors on the ratings of users who were not trained on.

    Args:
        ratings: all ratings of these users; movies that the factors do not know are left out.
        popularity: of each movie of the factors [f], to compare with.
        rank: makes the lists, if not this thread.
    """
    ordered = sort_by_user_and_time(ratings.take(factors.rows(ratings.movie)[1]))
    users = np.unique(ordered.user)
    ranker, histories = Ranker(factors), ratings_by_user(ordered, users)
    columns = [_evaluated(ranker, histories, n, popularity, rank) for n in GIVEN_N]
    measures = {name: np.stack([column[name] for column in columns], axis=1) for name in columns[0]}
    return HeldOutResult(users=users, **measures, rated_movies=int((factors.rating_count > 0).sum()))


def sample_users(ratings: Ratings, most: int = MAX_EVALUATED_USERS) -> Ratings:
    """Return the ratings of at most `most` of these users; the same users for the same ratings."""
    users = np.unique(ratings.user)
    chosen = users[np.linspace(0, len(users) - 1, min(len(users), most)).round().astype(int)]
    return ratings.take(np.isin(ratings.user, chosen))


def _evaluated(
    ranker: Ranker, histories: list[Ratings], n: int, popularity: Floats, rank: RankFunction
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of the result for one n, for users with more than n ratings, given their first n."""
    factors = ranker.factors
    able = np.flatnonzero([len(theirs) > n for theirs in histories])
    given = [histories[i].take(np.arange(n)) for i in able]
    tested = [histories[i].take(np.arange(n, min(n + MAX_TESTED_RATINGS, len(histories[i])))) for i in able]
    lists = build_lists(factors, given, EVALUATED_LIST_LENGTH, rank)
    popular = popular_lists(factors.movies, popularity, [part.movie for part in given], EVALUATED_LIST_LENGTH)
    relevant = [part.movie[part.rating >= offline_metrics.RELEVANT] for part in tested]
    hit, sizes = offline_metrics.hits(lists, relevant), offline_metrics.sizes(relevant)
    errors = [_errors(ranker, *parts) for parts in zip(given, tested, strict=True)]
    baseline_errors = [ranker.usual_rating[factors.rows(part.movie)[0]].astype(float) - part.rating for part in tested]
    known = np.append(factors.rating_count, LONG_TAIL_BELOW)[np.searchsorted(factors.movies, lists)]
    found = {
        "lists": lists,
        "ndcg": offline_metrics.ndcg(hit, sizes),
        "recall": offline_metrics.recall(hit, sizes),
        "hit": offline_metrics.hit_rate(hit, sizes),
        "popular": offline_metrics.ndcg(offline_metrics.hits(popular, relevant), sizes),
        "squared_errors": np.array([error @ error for error in errors], np.float64),
        "baseline_squared_errors": np.array([error @ error for error in baseline_errors], np.float64),
        "tested": np.array([len(error) for error in errors], np.float64),
        "long_tail": ((known < LONG_TAIL_BELOW) & (lists != PADDING)).sum(axis=1).astype(np.float64),
    }
    return {name: _spread(values, able, len(histories), _WITHOUT.get(name, 0.0)) for name, values in found.items()}


_WITHOUT = {"lists": PADDING, **dict.fromkeys(("ndcg", "recall", "hit", "popular"), np.nan)}


def _spread(values: npt.NDArray[Any], at: npt.NDArray[np.intp], size: int, otherwise: float) -> npt.NDArray[Any]:
    spread = np.full((size, *values.shape[1:]), otherwise, values.dtype)
    spread[at] = values
    return spread


def _errors(ranker: Ranker, given: Ratings, tested: Ratings) -> npt.NDArray[np.float64]:
    """Return by how much the shown ratings of a user with the history `given` miss the tested ones."""
    rows, _ = ranker.factors.rows(tested.movie)
    shown = ranking_for(ranker, given.movie, given.rating).expected(rows)
    error: npt.NDArray[np.float64] = shown.astype(np.float64) - tested.rating
    return error
