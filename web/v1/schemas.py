"""What /api/v1 takes and gives: the Pydantic models from which its description is made as well."""

import re
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, Self, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlalchemy import Row

from catalogue import movie_table
from ranking.ratings import SCALE, on_scale
from web.parsing import INT32
from web.v1.examples import example_of

DETAILS = {  # for example
    401: 'Send a key as "Authorization: Bearer KEY" or as "X-API-Key: KEY".',
    403: "This route wants the admin key, the one of MATINEE_ADMIN_KEY; the API key is not enough.",
    404: "There is no user 17. POST /users/create makes one.",
    409: "A training is under way.",
    413: "The data value transmitted exceeds the capacity limit.",
    415: "Send JSON with Content-Type: application/json.",
    429: "More than 3000 per 1 minute. Come back in 12 s.",
    503: "The database cannot be reached at the moment. Try again; sending a rating twice does no harm.",
}


class RequestModel(BaseModel):
    """What a client sends: in the path, the query, a header or the body."""

    @classmethod
    @cache  # flask-openapi3 asks for it with every request, and it takes longer than many an answer
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The JSON schema of this model."""
        return super().model_json_schema(*args, **kwargs)


class BodyModel(BaseModel):
    """A body, whose documented example is made of those of its fields, unless it has one of its own."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        config = cast(dict[str, Any], cls.model_config)
        inherited = [base.model_config.get("openapi_extra") for base in cls.__bases__ if issubclass(base, BaseModel)]
        own = config.get("openapi_extra")
        described = own if own and own not in inherited else {}
        config["openapi_extra"] = {"example": example_of(cls.model_json_schema(mode="serialization"))} | described


class RequestBody(RequestModel, BodyModel):
    """A JSON body; numbers must be numbers, and a name that is not known is refused rather than passed over."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QueryModel(RequestModel):
    """A query; a name that is not known is refused, since a filter that was misspelt would go unnoticed."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(BodyModel):
    """A JSON answer."""


def faults_of(error: ValidationError, *within: str) -> list[tuple[str, str]]:
    """Everything that is wrong, each with the place where it is, as seen from around `within`."""
    return [
        (".".join([*within, *map(str, e["loc"])]) or "body", e["msg"].removeprefix("Value error, "))
        for e in error.errors()
    ]


def _whole(value: Any) -> Any:
    """Only plain digits: Pydantic by itself takes " 1", "1_0" and "1.0" for numbers as well."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,10}", value, re.ASCII):
        raise ValueError(f"{value[:50]!r} is not a whole number of 32 bits")
    return value


def _split(genres: Any) -> Any:
    """Genres as MovieLens writes them, one after the other."""
    return movie_table.split_genres(genres) if isinstance(genres, str) else genres


def _half_steps(value: float) -> float:
    if not on_scale(value):
        raise ValueError(SCALE)
    return value


PLAIN_INTEGER = BeforeValidator(_whole)
# bounds come before PLAIN_INTEGER: those after a validator hold as well, but Pydantic leaves them out of the schema
Id = Annotated[int, Field(ge=-INT32 - 1, le=INT32, json_schema_extra={"format": "int32"}), PLAIN_INTEGER]
Limit = Annotated[int, Field(ge=1, le=100, description="How many at most."), PLAIN_INTEGER]
MovieId = Annotated[
    Id,
    Field(description="A movie's id, as MovieLens has it.", json_schema_extra={"format": "int32", "example": 25904}),
]
Year = Annotated[int, Field(ge=1000, le=9999), PLAIN_INTEGER]
Timestamp = Annotated[datetime, AfterValidator(lambda at: at.astimezone(UTC)), Field(examples=["2026-01-31T12:00:00Z"])]
Genres = Annotated[list[str], BeforeValidator(_split)]
# the bounds are in the schema for readers; the message is ours
RatingValue = Annotated[
    float,
    AfterValidator(_half_steps),
    Field(
        description="A multiple of 0.5.",
        json_schema_extra={"minimum": 0.5, "maximum": 5, "multipleOf": 0.5},
        examples=[4.5],
    ),
]


class RequestFault(ResponseModel):
    """One thing that is wrong with a request."""

    where: str = Field(examples=["rating"])
    message: str = Field(examples=[SCALE])


class Problem(ResponseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=[f"rating: {SCALE}"])
    success: bool = Field(examples=[False])
    request_id: str = Field(examples=["5b3f0c9e2a7d4c1f"], description="Under which the log tells of it.")
    errors: list[RequestFault] = Field([], description="Where the request is wrong: everything that is.")


Responses = dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None]  # as flask-openapi3 declares it


def problems(*statuses: int) -> Responses:
    """The documented responses of these error statuses."""
    return {str(status): _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    example = example_of(Problem.model_json_schema()) | {"status": status, "title": HTTPStatus(status).phrase}
    if status in DETAILS:
        example["detail"] = DETAILS[status]
        del example["errors"]
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": HTTPStatus(status).phrase, "content": {"application/problem+json": content}}


class UserPath(RequestModel):
    """Whose."""

    user_id: Id = Field(description="A user's id, as POST /users gave it.", json_schema_extra={"example": 1})


class RatingPath(UserPath):
    """Whose rating of which movie."""

    movie_id: MovieId


class Movie(ResponseModel):
    """A movie of the catalogue."""

    movie_id: int = Field(examples=[25904], description="MovieLens's id.")
    title: str = Field(examples=["Ministry of Fear"])
    genres: Genres = Field(examples=[["Drama", "Film-Noir", "Thriller"]])
    year: int | None = Field(examples=[1944])

    @classmethod
    def of(cls, row: Row[Any] | movie_table.CatalogueMovie) -> Self:
        """The movie that a row of the database describes, or of the movies in memory."""
        return cls.model_validate(row, from_attributes=True)


class GenerationRef(ResponseModel):
    """The training that a list was made with."""

    id: int = Field(examples=[4])
    trained_at: Timestamp
