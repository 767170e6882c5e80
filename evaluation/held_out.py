"""Judging a generation on people it has never seen: some of their ratings given, the next ones to be foretold.

Everything goes the way a request goes, so what is judged is what is shown.
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
from ranking.ratings import PADDING, Floats, Ratings
from ranking.score import UserModel, expected_rating, index_history

MAX_TESTED_RATINGS = 50  # how many of the ratings that follow the model is tested on
EVALUATED_LIST_LENGTH = 10
MAX_EVALUATED_USERS = 1000  # people: 7,000 lists are some 10 s of one core, and settle a difference in NDCG of .01


def evaluate_held_out(
    factors: Factors, ratings: Ratings, popularity: Floats, rank: RankFunction = rank_locally
) -> HeldOutResult:
    """Judge factors on the ratings of people who were not trained on.

    Args:
        ratings: all ratings of these people; movies that the factors do not know are passed over.
        popularity: of each movie of the factors [f], to compare with.
        rank: what makes the lists, if not this thread.
    """
    ordered = sort_by_user_and_time(ratings.take(factors.rows(ratings.movie)[1]))
    users = np.unique(ordered.user)
    people = ratings_by_user(ordered, users)
    columns = [_told(factors, people, n, popularity, rank) for n in GIVEN_N]
    measures = {name: np.stack([column[name] for column in columns], axis=1) for name in columns[0]}
    return HeldOutResult(users=users, **measures, rated_movies=int((factors.rating_count > 0).sum()))


def sample_users(ratings: Ratings, most: int = MAX_EVALUATED_USERS) -> Ratings:
    """The ratings of at most so many of these people, the same ones whenever they are the same people."""
    users = np.unique(ratings.user)
    chosen = users[np.linspace(0, len(users) - 1, min(len(users), most)).round().astype(int)]
    return ratings.take(np.isin(ratings.user, chosen))


def _told(
    factors: Factors, people: list[Ratings], n: int, popularity: Floats, rank: RankFunction
) -> dict[str, npt.NDArray[Any]]:
    """The columns of a judgement for one n: what those get who have more than n ratings, told the first n."""
    able = np.flatnonzero([len(theirs) > n for theirs in people])
    given = [people[i].take(np.arange(n)) for i in able]
    tested = [people[i].take(np.arange(n, min(n + MAX_TESTED_RATINGS, len(people[i])))) for i in able]
    lists = build_lists(factors, given, EVALUATED_LIST_LENGTH, rank)
    popular = popular_lists(factors.movies, popularity, [part.movie for part in given], EVALUATED_LIST_LENGTH)
    relevant = [part.movie[part.rating >= offline_metrics.RELEVANT] for part in tested]
    hit, sizes = offline_metrics.hits(lists, relevant), offline_metrics.sizes(relevant)
    errors = [_errors(factors, told, asked) for told, asked in zip(given, tested, strict=True)]
    nobody = index_history(factors, factors.movies[:0], factors.rating_mean[:0])
    means = expected_rating(UserModel(factors, nobody), np.arange(len(factors.movies))).astype(np.float64)
    baseline_squared_errors = [means[factors.rows(asked.movie)[0]] - asked.rating for asked in tested]
    known = np.append(factors.rating_count, LONG_TAIL_BELOW)[np.searchsorted(factors.movies, lists)]
    found = {
        "lists": lists,
        "ndcg": offline_metrics.ndcg(hit, sizes),
        "recall": offline_metrics.recall(hit, sizes),
        "hit": offline_metrics.hit_rate(hit, sizes),
        "popular": offline_metrics.ndcg(offline_metrics.hits(popular, relevant), sizes),
        "squared_errors": np.array([error @ error for error in errors], np.float64),
        "baseline_squared_errors": np.array([error @ error for error in baseline_squared_errors], np.float64),
        "tested": np.array([len(error) for error in errors], np.float64),
        "long_tail": ((known < LONG_TAIL_BELOW) & (lists != PADDING)).sum(axis=1).astype(np.float64),
    }
    return {name: _spread(values, able, len(people), _WITHOUT.get(name, 0.0)) for name, values in found.items()}


_WITHOUT = {"lists": PADDING, **dict.fromkeys(("ndcg", "recall", "hit", "popular"), np.nan)}


def _spread(values: npt.NDArray[Any], at: npt.NDArray[np.intp], size: int, otherwise: float) -> npt.NDArray[Any]:
    spread = np.full((size, *values.shape[1:]), otherwise, values.dtype)
    spread[at] = values
    return spread


def _errors(factors: Factors, told: Ratings, asked: Ratings) -> npt.NDArray[np.float64]:
    user_model = UserModel(factors, index_history(factors, told.movie, told.rating))
    shown = expected_rating(user_model, factors.rows(asked.movie)[0]).astype(np.float64)
    return shown - asked.rating
