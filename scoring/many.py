"""Lists for many people at once, by whatever makes them: this thread, or Spark's executors."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from scoring.blocked import NEVER, Ranker, blocks
from scoring.factors import Factors
from scoring.lists import Histories, ranked
from scoring.metrics import EMPTY
from scoring.ratings import Floats, Ints, Ratings, concatenate
from scoring.top_n import top_n

Lists = tuple[Ints, Ints, Floats]
"""Columns of user, film and expected rating; the films of one user together, best first."""

Rank = Callable[[Factors, Histories, int], Lists]
"""Makes everybody's list of the n best films. `Engine.lists` is one."""


def here(factors: Factors, histories: Histories, n: int) -> Lists:
    """A `Rank` in this thread. Every list is what `ranked` gives, but for what rounding makes of equal scores."""
    rows, known = factors.rows(histories.films)
    start = np.concatenate([[0], np.cumsum(known)])[histories.start]
    films = np.zeros((len(histories), n), np.int32)
    expected = np.full((len(histories), n), NEVER)
    ranker = Ranker(factors, n)
    for some, block in blocks(factors, start, rows, histories.rating[known]):
        best, expected[some] = ranker.listed(block)
        films[some] = factors.films[best]
    _fill_by_single(factors, histories, start, films, expected)
    there = expected > NEVER
    return np.repeat(histories.user, there.sum(axis=1)), films[there], expected[there]


def together(pieces: Iterable[Lists]) -> Lists:
    """The lists of several pieces, of which there is one at least, as one."""
    user, film, expected = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return user, film, expected


def _fill_by_single(
    factors: Factors, histories: Histories, start: npt.NDArray[np.int64], films: Ints, expected: Floats
) -> None:
    """Make the lists that blocks do not: the one of all who rated nothing, and those beyond the well-known films."""
    nothing = np.diff(start) == 0
    for one in [*np.flatnonzero(nothing)[:1], *np.flatnonzero(~nothing & (expected[:, -1] == NEVER))]:
        cut = slice(*histories.start[one : one + 2])
        list_ = ranked(factors, histories.films[cut], histories.rating[cut], films.shape[1])
        same = nothing if nothing[one] else one
        films[same, : len(list_.films)], expected[same, : len(list_.films)] = list_.films, list_.expected


def of_each(ratings: Ratings, users: Ints) -> list[Ratings]:
    """The ratings of each of these users, in the order they have in `ratings`; none for somebody unknown."""
    grouped = ratings.take(np.argsort(ratings.user, kind="stable"))
    first = np.searchsorted(grouped.user, users, "left")
    last = np.searchsorted(grouped.user, users, "right")
    return [grouped.take(np.arange(a, b)) for a, b in zip(first, last, strict=True)]


def lists_of(factors: Factors, given: Sequence[Ratings], n: int, rank: Rank) -> Ints:
    """The lists of people who gave these ratings, int32 [len(given), n], EMPTY where a list is too short."""
    start = np.cumsum([0, *(len(part) for part in given)]).astype(np.int64)
    told = concatenate(*given) if given else _NOTHING
    people = Histories(np.arange(len(given), dtype=np.int32), start, told.film, told.rating)
    user, film, _ = rank(factors, people, n)
    order = np.argsort(user, kind="stable")
    user, film = user[order], film[order]
    lists = np.full((len(given), n), EMPTY, np.int32)
    lists[user, np.arange(len(user)) - np.searchsorted(user, user)] = film
    return lists


def popular_lists(films: Ints, popularity: Floats, seen: Sequence[Ints], n: int) -> Ints:
    """The n most popular films that are not in `seen`, for each person: int32 [len(seen), n]."""
    every = np.ones(len(films), bool)
    lists = np.full((len(seen), n), EMPTY, np.int32)
    for at, known in enumerate(seen):
        best = top_n(popularity, n, np.searchsorted(films, known), every)
        lists[at, : len(best)] = films[best]
    return lists


def counted(ratings: Ratings, films: Ints, least: float) -> Floats:
    """How many ratings of at least this each film of the catalogue `films` [f] has, float32 [f]."""
    rows: npt.NDArray[np.intp] = np.searchsorted(films, ratings.film[ratings.rating >= least])
    return np.bincount(rows, minlength=len(films)).astype(np.float32)


_NOTHING = Ratings(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64))
