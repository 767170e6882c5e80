"""Evaluate a generation on held-out users: give it their first ratings and test it on their next ones.

Lists and expected ratings are computed as for a request.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation import offline_metrics
from evaluation.held_out_result import GIVEN_N, HeldOutResult
from evaluation.protocol_result import LONG_TAIL_BELOW
from evaluation.splits import sort_by_user_and_time
from ranking.batch_lists import count_ratings, histories_of, popular_lists, ratings_by_user
from ranking.factors import Factors
from ranking.popularity import popularity_by_clock
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.rating_histories import Times
from ranking.ratings import PADDING, Floats, Ints, Ratings, Rows
from ranking.top_n import score_table, top_n, top_rows
from ranking.user_batch import MOST_USERS, UserBatch, user_batches

MAX_TESTED_RATINGS = 50  # of the ratings that follow the given ones
EVALUATED_LIST_LENGTH = 10
MAX_EVALUATED_USERS = 1000  # 7,000 lists take 10 s of one core and can detect an NDCG difference of .01


def evaluate_held_out(setting: "EvaluationSetting", ratings: Ratings) -> HeldOutResult:
    """Evaluate factors on the ratings of held-out users, each user at their own time.

    Popularity is computed at the time of a user's last given rating, because the users are of all years and a user of
    1998 could not know the likes of 2018. Movies that the factors lack are left out.
    """
    factors = setting.ranker.factors
    ordered = sort_by_user_and_time(ratings.take(factors.rows(ratings.movie)[1]))
    users = np.unique(ordered.user)
    histories = ratings_by_user(ordered, users)
    columns = [_evaluated(setting, histories, n) for n in GIVEN_N]
    measures = {name: np.stack([column[name] for column in columns], axis=1) for name in columns[0]}
    return HeldOutResult(users=users, **measures, rated_movies=int((factors.rating_count > 0).sum()))


class EvaluationSetting:
    """Factors with their training likes, to compute lists at any time."""

    def __init__(self, factors: Factors, train: Ratings) -> None:
        self.ranker = Ranker(factors)
        likes = np.flatnonzero(train.rating >= factors.model.like_threshold)
        likes = likes[np.argsort(train.at[likes], kind="stable")]
        self._like_rows, known = factors.rows(train.movie[likes])
        self._likes = train.take(likes[known])
        self.all_time = count_ratings(self._likes, factors.movies, offline_metrics.RELEVANT)

    def lists(self, given: list[Ratings], clocks: Times) -> tuple[Ints, Ints]:
        """Return the lists of users with these histories at these times (ascending), and lists by recent likes alone.

        All histories have the same number of ratings, all of movies that the factors have.
        """
        factors = self.ranker.factors
        ours = np.full((len(given), EVALUATED_LIST_LENGTH), PADDING, np.int32)
        baseline = ours.copy()
        for users, batch, popularity in self.batches(given, clocks):
            baseline[users] = _popular_lists(factors.movies, popularity, batch.rows)
            if batch.rows.shape[1] == 0:
                for user, scores in zip(users, popularity, strict=True):
                    best = top_n(scores, EVALUATED_LIST_LENGTH, batch.rows[0], factors.well_known)
                    ours[user, : len(best)] = factors.movies[best]
                continue
            folded = self.ranker.fold_in(batch, self.ranker.neighbour_terms(batch))
            rows, filled = self.ranker.top_n(folded, EVALUATED_LIST_LENGTH, popularity=popularity)
            ours[users] = np.where(filled, factors.movies[rows], PADDING)
        return ours, baseline

    def batches(self, given: list[Ratings], clocks: Times) -> Iterator[tuple[Rows, UserBatch, Floats]]:
        """Yield the users of `lists` in order, in batches, with the popularity at each user's time [b, f]."""
        factors, days = self.ranker.factors, self.ranker.factors.model.half_life_days
        recent = popularity_by_clock(self._likes, self._like_rows, len(factors.movies), clocks, days)
        for users, batch in self._batches(given):
            yield users, batch, np.stack([next(recent) for _ in users])

    def _batches(self, given: list[Ratings]) -> Iterator[tuple[Rows, UserBatch]]:
        if given and len(given[0]):
            yield from user_batches(self.ranker.factors, histories_of(given))
            return
        for first in range(0, len(given), MOST_USERS):
            users = np.arange(first, min(first + MOST_USERS, len(given)))
            none = np.empty((len(users), 0), np.intp)
            n = np.zeros(len(users), np.intp)
            yield users, UserBatch(none, none.astype(np.float32), none, none.astype(bool), n)


def _popular_lists(movies: Ints, popularity: Floats, seen: Rows) -> Ints:
    """Return each user's most popular movies without those `seen` [u, l], by popularity [u, f] at their own time."""
    score, groups = score_table(len(popularity), len(movies), EVALUATED_LIST_LENGTH)
    score[:, : len(movies)] = popularity
    np.put_along_axis(score, seen, -np.inf, axis=1)
    columns, filled = top_rows(score, EVALUATED_LIST_LENGTH, groups)
    return np.where(filled, movies[np.minimum(columns, len(movies) - 1)], PADDING)


def sample_users(ratings: Ratings, most: int = MAX_EVALUATED_USERS) -> Ratings:
    """Return the ratings of at most `most` of these users; the choice is deterministic."""
    users = np.unique(ratings.user)
    chosen = users[np.linspace(0, len(users) - 1, min(len(users), most)).round().astype(int)]
    return ratings.take(np.isin(ratings.user, chosen))


def _evaluated(setting: EvaluationSetting, histories: list[Ratings], n: int) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of the result for users with more than n ratings, given their first n."""
    ranker, factors = setting.ranker, setting.ranker.factors
    eligible, given, tested, clocks = split_histories(histories, n)
    lists, recent = setting.lists(given, clocks)
    popular = popular_lists(factors.movies, setting.all_time, given, EVALUATED_LIST_LENGTH)
    relevant = [part.movie[part.rating >= offline_metrics.RELEVANT] for part in tested]
    hit, sizes = offline_metrics.hits(lists, relevant), offline_metrics.sizes(relevant)
    errors = [_errors(ranker, *parts) for parts in zip(given, tested, strict=True)]
    baseline_errors = [ranker.usual_rating[factors.rows(part.movie)[0]].astype(float) - part.rating for part in tested]
    known = np.append(factors.rating_count, LONG_TAIL_BELOW)[np.searchsorted(factors.movies, lists)]
    columns = {
        "lists": lists,
        "ndcg": offline_metrics.ndcg(hit, sizes),
        "recall": offline_metrics.recall(hit, sizes),
        "hit": offline_metrics.hit_rate(hit, sizes),
        "popular": offline_metrics.ndcg(offline_metrics.hits(popular, relevant), sizes),
        "recent": offline_metrics.ndcg(offline_metrics.hits(recent, relevant), sizes),
        "squared_errors": np.array([error @ error for error in errors], np.float64),
        "baseline_squared_errors": np.array([error @ error for error in baseline_errors], np.float64),
        "tested": np.array([len(error) for error in errors], np.float64),
        "long_tail": ((known < LONG_TAIL_BELOW) & (lists != PADDING)).sum(axis=1).astype(np.float64),
    }
    return {name: _spread(c, eligible, len(histories), _WITHOUT.get(name, 0.0)) for name, c in columns.items()}


def split_histories(histories: list[Ratings], n: int) -> tuple[Rows, list[Ratings], list[Ratings], Times]:
    """Return the users with more than n ratings, their first n, the next ones, and the times of the n-th, ascending."""
    clock = np.array([part.at[min(max(n - 1, 0), len(part) - 1)] for part in histories], np.int64)
    eligible = np.array([i for i in np.argsort(clock, kind="stable") if len(histories[i]) > n], np.intp)
    given = [histories[i].take(np.arange(n)) for i in eligible]
    tested = [histories[i].take(np.arange(n, min(n + MAX_TESTED_RATINGS, len(histories[i])))) for i in eligible]
    return eligible, given, tested, clock[eligible]


_WITHOUT = {"lists": PADDING, **dict.fromkeys(("ndcg", "recall", "hit", "popular", "recent"), np.nan)}


def _spread(values: npt.NDArray[Any], at: npt.NDArray[np.intp], size: int, otherwise: float) -> npt.NDArray[Any]:
    spread = np.full((size, *values.shape[1:]), otherwise, values.dtype)
    spread[at] = values
    return spread


def _errors(ranker: Ranker, given: Ratings, tested: Ratings) -> npt.NDArray[np.float64]:
    """Return the errors of the expected ratings on the tested ratings, for a user with the history `given`."""
    rows, _ = ranker.factors.rows(tested.movie)
    shown = ranking_for(ranker, given.movie, given.rating, given.at).expected(rows)
    error: npt.NDArray[np.float64] = shown.astype(np.float64) - tested.rating
    return error
