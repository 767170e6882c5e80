"""What can be asked of a list of recommendations: filters, and the part of the list to return."""

from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from typing import Annotated, Any

from flask import current_app
from pydantic import Field, field_validator

from catalogue.movie import Filters
from catalogue.recommendations import LIST_LENGTH, LaterMovies, ListRequest
from web.parsing import INT32
from web.v1.schemas import PLAIN_INTEGER, Id, Limit, MovieTimes, SinceTime

MOST_IDS = 5000
Genre = Annotated[str, Field(max_length=50)]


class MovieFilters(MovieTimes):
    """The movies to list. Filters apply before the limit: ten comedies are the ten best comedies."""

    limit: Limit = LIST_LENGTH
    genre: list[Genre] = Field(
        [],
        max_length=10,
        description="A genre of GET /genres, in any case; with several, a movie must have all.",
        json_schema_extra={"example": ["Comedy"]},
    )
    min_ratings: Annotated[int, Field(ge=0, le=INT32), PLAIN_INTEGER] | None = Field(
        None,
        description="Only movies with at least this many ratings in the dataset. 0 ranks all by score alone, so that "
        "movies with few ratings, and new ones, do not come last.",
    )
    any_genre: list[Genre] = Field(
        [],
        max_length=20,
        description="Only movies with at least one of these genres.",
        json_schema_extra={"example": ["Comedy", "Drama"]},
    )
    not_genre: list[Genre] = Field(
        [],
        max_length=20,
        description="Only movies with none of these genres.",
        json_schema_extra={"example": ["Horror"]},
    )
    exclude: list[Id] = Field(
        [], max_length=MOST_IDS, description="Movies to leave out.", json_schema_extra={"example": [25905]}
    )
    among: list[Id] | None = Field(
        None,
        max_length=MOST_IDS,
        description="Only these movies; ids of no movie are ignored.",
        json_schema_extra={"example": [25904, 25905]},
    )

    @field_validator("genre", "any_genre", "not_genre", "exclude", "among", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        """Take one alone for a list of one, as a query does."""
        return [value] if isinstance(value, str | int) else value

    @property
    def filters(self) -> Filters:
        """Return the filters as the catalogue takes them."""
        return Filters(
            tuple(self.genre),
            self.year_from,
            self.year_to,
            self.min_ratings or 0,
            self.added_after,
            movie_ids=None if self.among is None else tuple(self.among),
            exclude=tuple(self.exclude),
            any_genre=tuple(self.any_genre),
            not_genre=tuple(self.not_genre),
        )

    @property
    def known_first(self) -> bool:
        """Return whether movies with few ratings come last."""
        return self.min_ratings != 0


class ListFilters(MovieFilters):
    """The part of a list to return."""

    offset: Annotated[int, Field(ge=0, le=10_000), PLAIN_INTEGER] = Field(
        0, description="The number of movies to skip."
    )
    diversity: float = Field(
        0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="0: by score alone; 1: with genres in nearly the proportions in which the user likes them. No "
        "effect before the first rating of 3.5 or more.",
        json_schema_extra={"example": 0.5},
    )
    explore: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The probability with which each place goes to a movie with few ratings, drawn by what the user "
        "may like, which then has `explored`. Until the list changes or the day (UTC) ends the draw stays the same. "
        "Without it, the setting MATINEE_EXPLORE decides.",
        json_schema_extra={"example": 0.1},
    )

    @property
    def wanted(self) -> ListRequest:
        """Return the request as the recommender takes it."""
        explore = current_app.config["EXPLORE"] if self.explore is None else self.explore
        day = datetime.now(UTC).date() if explore else None
        return ListRequest(
            self.limit, self.offset, self.filters, self.diversity, self.known_first, explore=explore, day=day
        )


class UserListFilters(ListFilters):
    """What can be asked of the list of a stored user."""

    later: LaterMovies = Field(
        "with", description="Movies that the user has marked for later: with the others, without them, or only these."
    )
    rated_since: SinceTime | None = Field(
        None,
        description="Recommend by the ratings given at this time or later alone. Rated movies stay out of the list.",
        json_schema_extra={"example": "2026-01-31T12:00:00Z"},
    )

    @property
    def wanted(self) -> ListRequest:
        """Return the request as the recommender takes it."""
        return replace(super().wanted, later=self.later)

    @property
    def since(self) -> int | None:
        """Return the unix second from which on ratings count; None for all."""
        return None if self.rated_since is None else ceil(self.rated_since.timestamp())
