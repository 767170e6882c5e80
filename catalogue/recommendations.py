"""Requests for lists, and the lists and recommendations that answer them."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, Self

from catalogue.movie import CatalogueMovie, Filters
from catalogue.movie_table import MovieTable
from ranking.rankings import ListSource

LIST_LENGTH = 10
NO_FILTERS = Filters()
LaterMovies = Literal["with", "without", "only"]


@dataclass(frozen=True)
class RecommendedMovie:
    """A movie with the user's expected rating, 0.5 to 5."""

    movie: CatalogueMovie
    expected_rating: float


@dataclass(frozen=True, eq=False)
class RecommendationList:
    """A list, best first, with its source: generation, strategy and experiment arm.

    Lists compare by identity, so that the answer serialized from a cached list can be cached beside it.
    """

    items: tuple[RecommendedMovie, ...]
    made: ListSource
    generation_id: int | None = None
    experiment: str | None = None
    arm: str | None = None
    teams: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Reason:
    """A movie that the user rated, and the share of its rating in the positive contributions to another's score."""

    movie_id: int
    title: str
    share: float

    @classmethod
    def of(cls, movies: MovieTable, row: int, share: float) -> Self:
        """Return the reason for the movie at a row of the table."""
        return cls(int(movies.movies[row]), movies.title[row], share)


@dataclass(frozen=True)
class RankedRecommendation(RecommendedMovie):
    """A movie of a list with its rank from 1, its score, and up to three reasons.

    `team` is the arm of an interleaved experiment that chose it. `explored` tells whether exploration drew it.
    """

    rank: int
    score: float
    because: list[Reason]
    team: str | None = None
    explored: bool = False


@dataclass(frozen=True)
class ListRequest:
    """A request for `limit` movies after the first `offset` of the list of movies that pass the filters.

    `diversity` is from 0 (by score alone) to 1 (genres nearly in the proportions of the user's likes). Movies with few
    ratings come last unless `known_first` is false. `later` includes, excludes or requires movies marked for later.
    Each place goes to a movie with few ratings with the probability `explore`; these movies change each `day`.
    """

    limit: int = LIST_LENGTH
    offset: int = 0
    filters: Filters = NO_FILTERS
    diversity: float = 0.0
    known_first: bool = True
    later: LaterMovies = "with"
    explore: float = 0.0
    day: date | None = None
