"""Someone to recommend to: any part of their list with reasons, and the ratings to be expected of them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from scoring.factors import Factors
from scoring.film_table import Film, FilmTable, Filters, Rows
from scoring.rankings import Made, Ranking, best
from storage.errors import UnknownMovieError
from storage.recommendations import NOTHING, State

LISTED = 10
MOST_KEPT = 10_000  # which take 48 MB, with the answers that are made of them
EVERY_FILM = Filters()


@dataclass(frozen=True)
class Recommended:
    """A film of a list with the rating its reader may be expected to give, 0.5 to 5."""

    movie: Film
    expected_rating: float


@dataclass(frozen=True, eq=False)
class Listed:
    """A list, best first, and how it came to be.

    It is equal to itself alone, so that what is made of a list that is shown again and again can be kept beside it.
    """

    items: tuple[Recommended, ...]
    made: Made


NOTHING_KEPT = NOTHING, Listed((), "stored")


class KeptLists:
    """The lists that were made or read last, each with what it was made from; safe to use from many threads."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._of: dict[int, tuple[State, Listed]] = {}
        self._changing = threading.Lock()

    def of(self, user_id: int) -> tuple[State, Listed]:
        """The list that is kept for a user, or `NOTHING_KEPT`."""
        return self._of.get(user_id, NOTHING_KEPT)

    def keep(self, user_id: int, state: State, listed: Listed) -> None:
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
    """A film that a user rated, and the share of that rating in all that speaks for another film."""

    movie: Film
    share: float


@dataclass(frozen=True)
class Place(Recommended):
    """A place of a list, from 1 on, with the score that put the film there, and up to three reasons for it."""

    rank: int
    score: float
    because: list[Reason]


@dataclass(frozen=True)
class Wanted:
    """Which part of a list is asked for: of the films that pass the filters, `limit` after the first `offset`."""

    limit: int = LISTED
    offset: int = 0
    filters: Filters = EVERY_FILM


@dataclass(frozen=True)
class Live:
    """A generation in memory, ready to serve.

    Attributes:
        films: those of its factors, row for row.
        lists: made with it, so that they go with it.
    """

    id: int
    factors: Factors
    films: FilmTable
    trained_at: datetime
    since: datetime
    lists: KeptLists = field(default_factory=KeptLists)


@dataclass(frozen=True)
class Viewer:
    """Someone to recommend to: their ratings as they are now, and what there is to recommend from.

    Attributes:
        live: the generation that everything is made with, None before the first.
        catalogue: all films; films: those that may be listed, row for row those of the ranking.
        version: of the history, 0 for someone who is not stored.
        ratings_seen: how many ratings the history has.
    """

    live: Live | None
    catalogue: FilmTable
    films: FilmTable
    ranking: Ranking
    version: int
    ratings_seen: int

    @property
    def mark(self) -> str:
        """Changes with whatever changes the list of a user who is stored."""
        return f"{self.live.id if self.live else None} {self.version}"

    def rows(self, wanted: Wanted) -> Rows:
        """The rows of the films that are wanted, best first. Raises `UnknownGenreError`."""
        among = self.films.matching(wanted.filters)
        return best(self.ranking, wanted.offset + wanted.limit, among)[wanted.offset :]

    def places(self, wanted: Wanted) -> list[Place]:
        """The part of the list that is wanted. Raises `UnknownGenreError`."""
        rows = self.rows(wanted)
        columns = (rows, self.ranking.expected(rows), self.ranking.score[rows], self.ranking.reasons(rows))
        return [
            Place(self.films.film(row), float(expected), rank, float(score), self._named(reasons))
            for rank, (row, expected, score, reasons) in enumerate(zip(*columns, strict=True), wanted.offset + 1)
        ]

    def expected_ratings(self, movie_ids: Sequence[int]) -> list[Recommended]:
        """These films, rated or not, with what they may be expected to be given. Raises `UnknownMovieError`."""
        asked = np.array(movie_ids, np.int32)
        at, known = self.catalogue.rows(asked)
        if not known.all():
            raise UnknownMovieError(*asked[~known].tolist())
        expected = self.catalogue.expected_rating[at]
        rows, learned = self.films.rows(asked)
        expected[learned] = self.ranking.expected(rows)
        return [Recommended(self.catalogue.film(row), float(rating)) for row, rating in zip(at, expected, strict=True)]

    def _named(self, reasons: list[tuple[int, float]]) -> list[Reason]:
        return [Reason(self.films.film(row), share) for row, share in reasons]
