"""The models that several groups of /api/v1 routes share: requests, responses, errors, and their OpenAPI texts."""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from math import floor
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    computed_field,
    field_validator,
)
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from catalogue.movie import CatalogueMovie, split_genres
from catalogue.title_words import display_title
from ranking.ratings import SCALE, on_scale
from system.validation_messages import message_of
from web.access import HOW_TO_SEND, NEEDS_ADMIN_KEY
from web.errors import CODES
from web.parsing import A_FILE, INT32, LARGEST_BODY
from web.v1.base_models import QueryModel, RequestModel, ResponseModel

YEAR_RANGE_EMPTY = "year_range_empty"
USER_TAG, GUEST_TAG = "<user>", "<guest>"  # of the members of a group, which Pydantic puts into the place of a fault
EXAMPLE_CODES = CODES | {
    400: "rating_invalid",
    404: "user_not_found",
    409: "training_running",
    503: "database_unavailable",
}
DETAILS = {  # the example of each status, as it is sent
    400: f"rating: {SCALE}",
    401: HOW_TO_SEND,
    403: NEEDS_ADMIN_KEY,
    404: "There is no user 17. POST /api/v1/users creates one.",
    409: "A training run is in progress.",
    413: f"A body is at most {LARGEST_BODY} bytes long.",
    415: "Send JSON with Content-Type: application/json.",
    429: "The limit is 3000/minute. Try again in 12 s.",
    503: "The database cannot be reached at the moment. Try again; sending a rating twice does no harm.",
}
FILE_DETAILS = DETAILS | {  # of routes whose bodies are files
    413: f"A body is at most {A_FILE} bytes long.",
    415: "Send the body as it is, not encoded as 'gzip'.",
}


def faults_of(error: ValidationError) -> list[tuple[str, str]]:
    """Return the (place, message) of every fault."""
    places = [".".join(str(part) for part in e["loc"] if part not in (USER_TAG, GUEST_TAG)) for e in error.errors()]
    return [(place or "body", message_of(e)) for place, e in zip(places, error.errors(), strict=True)]


def _whole(value: Any) -> Any:
    """Accept plain digits only: Pydantic alone also accepts " 1", "1_0" and "1.0"."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,10}", value, re.ASCII):
        raise ValueError(f"{value[:50]!r} is not a whole number of 32 bits")
    return value


def _written_out(value: Any) -> Any:
    """Accept dates and times as text only: Pydantic alone also accepts "1" and "1e9", as seconds."""
    if isinstance(value, str) and not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", value):
        raise ValueError(f"{value[:50]!r} is not a time like 2026-01-31T12:00:00Z")
    return value


def _split(genres: Any) -> Any:
    """Split genres as MovieLens writes them, "Drama|Thriller"."""
    return split_genres(genres) if isinstance(genres, str) else genres


def _half_steps(value: float) -> float:
    if not on_scale(value):
        raise ValueError(SCALE)
    return value


PLAIN_INTEGER = BeforeValidator(_whole)
# bounds stand before PLAIN_INTEGER: after a validator they hold too, but Pydantic leaves them out of the schema
Id = Annotated[int, Field(ge=-INT32 - 1, le=INT32, json_schema_extra={"format": "int32"}), PLAIN_INTEGER]
Limit = Annotated[int, Field(ge=1, le=100, description="The maximum number of items."), PLAIN_INTEGER]
MovieId = Annotated[
    Id,
    Field(description="A movie's MovieLens id.", json_schema_extra={"format": "int32", "example": 25904}),
]
Year = Annotated[int, Field(ge=1000, le=9999), PLAIN_INTEGER]
Timestamp = Annotated[datetime, AfterValidator(lambda at: at.astimezone(UTC)), Field(examples=["2026-01-31T12:00:00Z"])]
# not strict: in a JSON body, too, a time is text
SinceTime = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written_out)]
Genres = Annotated[list[str], BeforeValidator(_split)]
Rounded = Annotated[float, AfterValidator(lambda value: round(value, 4))]
Stars = Annotated[float, AfterValidator(lambda value: round(value, 2))]
# the schema shows the bounds to readers; `_half_steps` checks them, with a message of its own
RatingValue = Annotated[
    float,
    AfterValidator(_half_steps),
    Field(
        description="A multiple of 0.5 from 0.5 to 5.",
        json_schema_extra={"minimum": 0.5, "maximum": 5, "multipleOf": 0.5},
        examples=[4.5],
    ),
]


class RequestFault(ResponseModel):
    """One fault of a request."""

    where: str = Field(examples=["rating"])
    message: str = Field(examples=[SCALE])


class Problem(ResponseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=[f"rating: {SCALE}"])
    code: str = Field(
        examples=["rating_invalid"],
        description="What went wrong, for programs: stable, unlike `detail`. docs/api.md lists all codes.",
    )
    success: bool = Field(examples=[False])
    request_id: str = Field(examples=["5b3f0c9e2a7d4c1f"], description="The request's id, also in the server's log.")
    errors: list[RequestFault] = Field([], description="Every fault of the request, with its place.")


Responses = dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None]  # as in flask-openapi3


def problems(*statuses: int, details: dict[int, str] = DETAILS) -> Responses:
    """Return the documented responses of these error statuses."""
    return {str(status): _documented(status, details[status]) for status in statuses}


def _documented(status: int, detail: str) -> dict[str, Any]:
    phrase, described = HTTPStatus(status).phrase, {"detail": detail, "code": EXAMPLE_CODES[status]}
    example: dict[str, Any] = {"type": "about:blank", "title": phrase, "status": status, **described}
    example |= {"success": False, "request_id": "5b3f0c9e2a7d4c1f"}
    if status == HTTPStatus.BAD_REQUEST:
        example["errors"] = [{"where": "rating", "message": SCALE}]
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": phrase, "content": {"application/problem+json": content}}


class MovieTimes(RequestModel):
    """Filters by year, and by when a movie was added."""

    year_from: Year | None = Field(None, description="This year or later; excludes movies of unknown year.")
    year_to: Year | None = Field(None, description="This year or earlier; excludes movies of unknown year.")

    added_since: SinceTime | None = Field(
        None,
        description="Only movies that were added at this time or later.",
        json_schema_extra={"example": "2026-01-31T12:00:00Z"},
    )

    @field_validator("year_to")
    @classmethod
    def _not_empty(cls, year_to: int | None, checked: ValidationInfo) -> int | None:
        year_from = checked.data.get("year_from")
        if year_from is not None and year_to is not None and year_from > year_to:
            raise PydanticCustomError(YEAR_RANGE_EMPTY, f"it is before year_from, {year_from}")
        return year_to

    @property
    def added_after(self) -> int | None:
        """Return the unix second from which on movies were added; None for all."""
        return None if self.added_since is None else floor(self.added_since.timestamp())


class LimitQuery(QueryModel):
    """The number of items to return."""

    limit: Limit = 20


class IdempotencyHeader(RequestModel):
    """The headers of a request that can be repeated, although it adds something."""

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="A unique text of your choice. A repeated request with the same text adds nothing again, and "
        "returns what was added. For a batch of movies it has at most 250 characters.",
        json_schema_extra={"example": "8e03978e-40d5-43dd-bc93-6894a57f9324"},
    )


class UserPath(RequestModel):
    """The user."""

    user_id: Id = Field(description="A user's id, from POST /api/v1/users.", json_schema_extra={"example": 1})


class RatingPath(UserPath):
    """The user and the movie of a rating."""

    movie_id: MovieId


class Movie(ResponseModel):
    """A movie of the catalogue."""

    movie_id: int = Field(examples=[25904], description="The MovieLens id.")
    title: str = Field(examples=["Ministry of Fear"])
    genres: Genres = Field(examples=[["Drama", "Film-Noir", "Thriller"]])
    year: int | None = Field(examples=[1944])
    imdb_id: str | None = Field(examples=["tt0036164"], description="The id at imdb.com.")
    tmdb_id: int | None = Field(examples=[40092], description="The id at themoviedb.org.")

    @computed_field(  # type: ignore[prop-decorator]
        examples=["Ministry of Fear"], description="The title as it is spoken: the article first, no other titles."
    )
    @property
    def display_title(self) -> str:
        """Return the title as it is spoken."""
        return display_title(self.title)

    @classmethod
    def of(cls, row: Row[Any] | CatalogueMovie) -> Self:
        """Return the movie of a database row, or of the catalogue in memory."""
        return cls.model_validate(row)


class GenerationRef(ResponseModel):
    """The generation that a list was made with."""

    id: int = Field(examples=[4])
    trained_at: Timestamp
