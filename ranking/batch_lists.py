"""Lists for many people at once, by whatever makes them: this thread, or Spark's executors."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from ranking.batch_ranker import NO_SCORE, BatchRanker, user_batches
from ranking.factors import Factors
from ranking.rating_histories import Histories, ranked
from ranking.ratings import PADDING, Floats, Ints, Ratings, concatenate
from ranking.top_n import top_n

ListColumns = tuple[Ints, Ints, Floats]
"""Columns of user, movie and expected rating; the movies of one user together, best first."""

RankFunction = Callable[[Factors, Histories, int], ListColumns]
"""Makes everybody's list of the n best movies. `Engine.lists` is one."""


def rank_locally(factors: Factors, histories: Histories, n: int) -> ListColumns:
    """A `RankFunction` in this thread. Every list is what `ranked` gives, but for what rounding makes of equal scores."""
    rows, known = factors.rows(histories.movies)
    start = np.concatenate([[0], np.cumsum(known)])[histories.start]
    movies = np.zeros((len(histories), n), np.int32)
    expected = np.full((len(histories), n), NO_SCORE)
    ranker = BatchRanker(factors, n)
    for some, block in user_batches(factors, start, rows, histories.rating[known]):
        best, expected[some] = ranker.top_n(block)
        movies[some] = factors.movies[best]
    _fill_by_single(factors, histories, start, movies, expected)
    there = expected > NO_SCORE
    return np.repeat(histories.user, there.sum(axis=1)), movies[there], expected[there]


def concatenate_lists(pieces: Iterable[ListColumns]) -> ListColumns:
    """The lists of several pieces, of which there is one at least, as one."""
    user, movie, expected = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return user, movie, expected


def _fill_by_single(
    factors: Factors, histories: Histories, start: npt.NDArray[np.int64], movies: Ints, expected: Floats
) -> None:
    """Make the lists that batches do not: the one of all who rated nothing, and those beyond the well-known movies."""
    nothing = np.diff(start) == 0
    for one in [*np.flatnonzero(nothing)[:1], *np.flatnonzero(~nothing & (expected[:, -1] == NO_SCORE))]:
        cut = slice(*histories.start[one : one + 2])
        list_ = ranked(factors, histories.movies[cut], histories.rating[cut], movies.shape[1])
        same = nothing if nothing[one] else one
        movies[same, : len(list_.movies)], expected[same, : len(list_.movies)] = list_.movies, list_.expected


def ratings_by_user(ratings: Ratings, users: Ints) -> list[Ratings]:
    """The ratings of each of these users, in the order they have in `ratings`; none for somebody unknown."""
    grouped = ratings.take(np.argsort(ratings.user, kind="stable"))
    first = np.searchsorted(grouped.user, users, "left")
    last = np.searchsorted(grouped.user, users, "right")
    return [grouped.take(np.arange(a, b)) for a, b in zip(first, last, strict=True)]


def build_lists(factors: Factors, given: Sequence[Ratings], n: int, rank: RankFunction) -> Ints:
    """The lists of people who gave these ratings, int32 [len(given), n], PADDING where a list is too short."""
    start = np.cumsum([0, *(len(part) for part in given)]).astype(np.int64)
    told = concatenate(*given) if given else _NOTHING
    people = Histories(np.arange(len(given), dtype=np.int32), start, told.movie, told.rating)
    user, movie, _ = rank(factors, people, n)
    order = np.argsort(user, kind="stable")
    user, movie = user[order], movie[order]
    lists = np.full((len(given), n), PADDING, np.int32)
    lists[user, np.arange(len(user)) - np.searchsorted(user, user)] = movie
    return lists


def popular_lists(movies: Ints, popularity: Floats, seen: Sequence[Ints], n: int) -> Ints:
    """The n most popular movies that are not in `seen`, for each person: int32 [len(seen), n]."""
    every = np.ones(len(movies), bool)
    lists = np.full((len(seen), n), PADDING, np.int32)
    for at, known in enumerate(seen):
        best = top_n(popularity, n, np.searchsorted(movies, known), every)
        lists[at, : len(best)] = movies[best]
    return lists


def count_ratings(ratings: Ratings, movies: Ints, least: float) -> Floats:
    """How many ratings of at least this each movie of the catalogue `movies` [f] has, float32 [f]."""
    rows: npt.NDArray[np.intp] = np.searchsorted(movies, ratings.movie[ratings.rating >= least])
    return np.bincount(rows, minlength=len(movies)).astype(np.float32)


_NOTHING = Ratings(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64))
