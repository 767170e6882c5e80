"""Someone to recommend to: any part of their list with reasons, and the ratings to be expected of them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from catalogue.movie_table import CatalogueMovie, Filters, MovieTable
from ranking.factors import Factors
from ranking.rankings import ListSource, Ranking, best
from ranking.ratings import Rows
from storage.errors import UnknownMovieError
from storage.recommendations import NO_LIST, ListVersion

LIST_LENGTH = 10
MAX_CACHED_LISTS = 10_000  # which take 48 MB, with the answers that are made of them
NO_FILTERS = Filters()


@dataclass(frozen=True)
class RecommendedMovie:
    """A movie of a list with the rating its reader may be expected to give, 0.5 to 5."""

    movie: CatalogueMovie
    expected_rating: float


@dataclass(frozen=True, eq=False)
class RecommendationList:
    """A list, best first, and how it came to be.

    It is equal to itself alone, so that what is made of a list that is shown again and again can be kept beside it.
    """

    items: tuple[RecommendedMovie, ...]
    made: ListSource


CACHE_MISS = NO_LIST, RecommendationList((), "stored")


class ListCache:
    """The lists that were made or read last, each with what it was made from; safe to use from many threads."""

    def __init__(self, most: int = MAX_CACHED_LISTS) -> None:
        self._most = most
        self._of: dict[int, tuple[ListVersion, RecommendationList]] = {}
        self._changing = threading.Lock()

    def of(self, user_id: int) -> tuple[ListVersion, RecommendationList]:
        """The list that is kept for a user, or `CACHE_MISS`."""
        return self._of.get(user_id, CACHE_MISS)

    def keep(self, user_id: int, state: ListVersion, listed: RecommendationList) -> None:
        """Keep a list in the place of the user's older one, or of the oldest of all where there is no room."""
        with self._changing:
            self._of.pop(user_id, None)
            if len(self._of) >= self._most:
                del self._of[next(iter(self._of))]
            self._of[user_id] = state, listed

    def forget(self, user_id: int) -> None:
        """Keep nothing of a user who has been removed."""
        with self._changing:
            self._of.pop(user_id, None)


@dataclass(frozen=True)
class Reason:
    """A movie that a user rated, and the share of that rating in all that speaks for another movie."""

    movie: CatalogueMovie
    share: float


@dataclass(frozen=True)
class RankedRecommendation(RecommendedMovie):
    """A place of a list, from 1 on, with the score that put the movie there, and up to three reasons for it."""

    rank: int
    score: float
    because: list[Reason]


@dataclass(frozen=True)
class ListRequest:
    """Which part of a list is asked for: of the movies that pass the filters, `limit` after the first `offset`."""

    limit: int = LIST_LENGTH
    offset: int = 0
    filters: Filters = NO_FILTERS


@dataclass(frozen=True)
class LiveGeneration:
    """A generation in memory, ready to serve.

    Attributes:
        movies: those of its factors, row for row.
        lists: made with it, so that they go with it.
    """

    id: int
    factors: Factors
    movies: MovieTable
    trained_at: datetime
    since: datetime
    lists: ListCache = field(default_factory=ListCache)


@dataclass(frozen=True)
class UserContext:
    """Someone to recommend to: their ratings as they are now, and what there is to recommend from.

    Attributes:
        live: the generation that everything is made with, None before the first.
        catalogue: all movies; movies: those that may be listed, row for row those of the ranking.
        version: of the history, 0 for someone who is not stored.
        ratings_seen: how many ratings the history has.
    """

    live: LiveGeneration | None
    catalogue: MovieTable
    movies: MovieTable
    ranking: Ranking
    version: int
    ratings_seen: int

    @property
    def mark(self) -> str:
        """Changes with whatever changes the list of a user who is stored."""
        return f"{self.live.id if self.live else None} {self.version}"

    def rows(self, wanted: ListRequest) -> Rows:
        """The rows of the movies that are wanted, best first. Raises `UnknownGenreError`."""
        among = self.movies.matching(wanted.filters)
        return best(self.ranking, wanted.offset + wanted.limit, among)[wanted.offset :]

    def places(self, wanted: ListRequest) -> list[RankedRecommendation]:
        """The part of the list that is wanted. Raises `UnknownGenreError`."""
        rows = self.rows(wanted)
        columns = (rows, self.ranking.expected(rows), self.ranking.score[rows], self.ranking.reasons(rows))
        return [
            RankedRecommendation(self.movies.movie(row), float(expected), rank, float(score), self._named(reasons))
            for rank, (row, expected, score, reasons) in enumerate(zip(*columns, strict=True), wanted.offset + 1)
        ]

    def expected_ratings(self, movie_ids: Sequence[int]) -> list[RecommendedMovie]:
        """These movies, rated or not, with what they may be expected to be given. Raises `UnknownMovieError`."""
        asked = np.array(movie_ids, np.int32)
        at, known = self.catalogue.rows(asked)
        if not known.all():
            raise UnknownMovieError(*asked[~known].tolist())
        expected = self.catalogue.expected_rating[at]
        rows, learned = self.movies.rows(asked)
        expected[learned] = self.ranking.expected(rows)
        return [
            RecommendedMovie(self.catalogue.movie(row), float(rating)) for row, rating in zip(at, expected, strict=True)
        ]

    def _named(self, reasons: list[tuple[int, float]]) -> list[Reason]:
        return [Reason(self.movies.movie(row), share) for row, share in reasons]
