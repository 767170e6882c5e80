"""What a recommendation is made of: which list is asked for, and the movies that come back."""

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
    """A movie with the rating that its user is expected to give, 0.5 to 5."""

    movie: CatalogueMovie
    expected_rating: float


@dataclass(frozen=True, eq=False)
class RecommendationList:
    """A list, best first, and how it came to be.

    It is equal to itself alone, so that an answer made of a cached list can be cached beside it.
    """

    items: tuple[RecommendedMovie, ...]
    made: ListSource
    generation_id: int | None = None
    experiment: str | None = None
    arm: str | None = None
    teams: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Reason:
    """A movie that the user rated, and the share of that rating in what raises another movie's score."""

    movie_id: int
    title: str
    share: float

    @classmethod
    def of(cls, movies: MovieTable, row: int, share: float) -> Self:
        """Return the reason that is the movie at a row of the table."""
        return cls(int(movies.movies[row]), movies.title[row], share)


@dataclass(frozen=True)
class RankedRecommendation(RecommendedMovie):
    """A place of a list, from 1 on, with the score that put the movie there, and up to three reasons for it.

    `team` is the arm of an interleaved experiment that chose it. `explored` movies have few ratings and were drawn.
    """

    rank: int
    score: float
    because: list[Reason]
    team: str | None = None
    explored: bool = False


@dataclass(frozen=True)
class ListRequest:
    """The part of a list that is asked for: `limit` movies after the first `offset` of those that pass the filters.

    `diversity` is from 0, by score alone, to 1, with genres in nearly the proportions in which the user likes them.
    Movies with few ratings come last unless `known_first` is false. `later` says what becomes of movies marked so.
    Each place goes to a movie with few ratings with the probability `explore`, to others on another `day`.
    """

    limit: int = LIST_LENGTH
    offset: int = 0
    filters: Filters = NO_FILTERS
    diversity: float = 0.0
    known_first: bool = True
    later: LaterMovies = "with"
    explore: float = 0.0
    day: date | None = None
