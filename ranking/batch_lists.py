"""Compute the lists of many users, in this thread or on Spark's executors."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from ranking.factors import Factors
from ranking.ranker import NO_SCORE, Ranker
from ranking.rankings import ranking_for
from ranking.rating_histories import Histories
from ranking.ratings import PADDING, Floats, Ints, Mask, Ratings, concatenate
from ranking.user_batch import UserBatch, user_batches

ListColumns = tuple[Ints, Ints, Floats]
"""Columns of user, movie and expected rating; the movies of each user are adjacent, best first."""

RankFunction = Callable[[Factors, Histories, int], ListColumns]
"""A function that returns the n best movies for each user, such as `Engine.lists`."""


def rank_locally(factors: Factors, histories: Histories, n: int, among: Mask | None = None) -> ListColumns:
    """Return the lists of these users, of the movies in `among` [f] or of all, computed here. A `RankFunction`."""
    movies, unrated = np.zeros((len(histories), n), np.int32), np.ones(len(histories), bool)
    expected = np.full((len(histories), n), NO_SCORE)
    ranker = Ranker(factors)
    for users, batch in user_batches(factors, histories):
        movies[users], expected[users] = _lists(ranker, batch, n, among)
        unrated[users] = False
    popular = ranking_for(ranker, *_NO_HISTORY)
    best = popular.best(n, among)
    movies[unrated, : len(best)], expected[unrated, : len(best)] = factors.movies[best], popular.expected(best)
    filled = expected > NO_SCORE
    return np.repeat(histories.user, filled.sum(axis=1)), movies[filled], expected[filled]


def _lists(ranker: Ranker, batch: UserBatch, n: int, among: Mask | None) -> tuple[Ints, Floats]:
    """Return the movies and expected ratings of the lists of a batch [b, n]; NO_SCORE marks empty places."""
    terms = ranker.neighbour_terms(batch)
    rows, filled = ranker.top_n(ranker.fold_in(batch, terms), n, among)
    expected = ranker.expected(batch, terms, rows)
    expected[~filled] = NO_SCORE
    return ranker.factors.movies[rows], expected


def concatenate_lists(pieces: Iterable[ListColumns]) -> ListColumns:
    """Return the lists of one or more pieces, concatenated."""
    user, movie, expected = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return user, movie, expected


def ratings_by_user(ratings: Ratings, users: Ints) -> list[Ratings]:
    """Return the ratings of each of these users, in the order of `ratings`; empty for an unknown user."""
    grouped = ratings.take(np.argsort(ratings.user, kind="stable"))
    first = np.searchsorted(grouped.user, users, "left")
    last = np.searchsorted(grouped.user, users, "right")
    return [grouped.take(np.arange(a, b)) for a, b in zip(first, last, strict=True)]


def build_lists(factors: Factors, given: Sequence[Ratings], n: int, rank: RankFunction) -> Ints:
    """Return the lists of users with these ratings, int32 [len(given), n], PADDING in empty places."""
    user, movie, _ = rank(factors, histories_of(given), n)
    order = np.argsort(user, kind="stable")
    user, movie = user[order], movie[order]
    lists = np.full((len(given), n), PADDING, np.int32)
    lists[user, np.arange(len(user)) - np.searchsorted(user, user)] = movie
    return lists


def histories_of(given: Sequence[Ratings]) -> Histories:
    """Return the histories of users with these ratings; the users are numbered from 0."""
    start = np.cumsum([0, *(len(part) for part in given)]).astype(np.int64)
    every = concatenate(*given) if given else _NOTHING
    return Histories(np.arange(len(given), dtype=np.int32), start, every.movie, every.rating, every.at)


def popular_lists(movies: Ints, popularity: Floats, given: Sequence[Ratings], n: int) -> Ints:
    """Return the n most popular movies that each user has not rated, int32 [len(given), n]."""
    ranked = movies[np.argsort(-popularity, kind="stable")]
    lists = np.full((len(given), n), PADDING, np.int32)
    for at, history in enumerate(given):
        first = ranked[: n + len(history)]
        best = first[~np.isin(first, history.movie)][:n]
        lists[at, : len(best)] = best
    return lists


def count_ratings(ratings: Ratings, movies: Ints, least: float) -> Floats:
    """Return the number of ratings of at least `least` for each movie of the catalogue `movies` [f], float32 [f]."""
    rows: npt.NDArray[np.intp] = np.searchsorted(movies, ratings.movie[ratings.rating >= least])
    return np.bincount(rows, minlength=len(movies)).astype(np.float32)


_NO_HISTORY = np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64)
_NOTHING = Ratings(_NO_HISTORY[0], *_NO_HISTORY)
