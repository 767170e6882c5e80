"""Many ratings in one request: all are written or none, and the error names every invalid row."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from sqlalchemy import Connection

from catalogue.movie import UnknownMovieError
from storage import user_ratings
from system.validation_messages import message_of
from web.errors import InvalidInputError
from web.v1.base_models import RequestBody
from web.v1.schemas import YEAR_RANGE_EMPTY, MovieId, RatingValue, faults_of

MAX_RATINGS = 1000
DUPLICATE_MOVIE = "the movie is in the request more than once"
UNKNOWN = "there is no such movie"
MOVIE_ID: TypeAdapter[int] = TypeAdapter(MovieId)


class RatingInput(RequestBody):
    """A movie and its rating."""

    movie_id: MovieId
    rating: RatingValue


@dataclass(frozen=True)
class InvalidRow:
    """An invalid row and its faults, kept so that one answer can name the faults of all rows."""

    movie_id: int | None  # None if it is missing or invalid
    error: ValidationError


def _validate_row(row: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(row)
    except ValidationError as error:
        return InvalidRow(_valid_movie_id(row), error)


def _valid_movie_id(row: Any) -> int | None:
    """Return the movie id of an invalid row, None if that is what is missing or wrong."""
    try:
        return MOVIE_ID.validate_python(row["movie_id"], strict=True)
    except (ValidationError, LookupError, TypeError):
        return None


Row = Annotated[RatingInput, WrapValidator(_validate_row)]


ROW: TypeAdapter[RatingInput | InvalidRow] = TypeAdapter(Row)


class RatingsBody(RequestBody):
    """A body with ratings. A fault elsewhere in it does not hide those of its rows."""

    @model_validator(mode="wrap")
    @classmethod
    def _name_all_faults(cls, body: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return validate(body)
        except ValidationError as error:
            given = body.get("ratings") if isinstance(body, dict) else None
            rows = [ROW.validate_python(row) for row in given[:MAX_RATINGS]] if isinstance(given, list) else []
            found = [(e["type"], e["loc"], message_of(e)) for e in error.errors()]
            found += [("row", tuple(where.split(".")), message) for where, message in faults(rows, ())]
            raise ValidationError.from_exception_data(cls.__name__, [_restated(*fault) for fault in found]) from None


def _restated(kind: str, place: tuple[int | str, ...], message: str) -> InitErrorDetails:
    kept = kind if kind == YEAR_RANGE_EMPTY else "fault"
    return InitErrorDetails(type=PydanticCustomError(kept, message), loc=place, input=None)


class RatingBatch(RatingsBody):
    """Up to 1,000 ratings of different movies."""

    ratings: list[Row] = Field(min_length=1, max_length=MAX_RATINGS)


def write(db: Connection, user_id: int, rows: Sequence[RatingInput | InvalidRow]) -> user_ratings.WriteCounts:
    """Write all these ratings or none; return how many were created and replaced.

    Raises:
        InvalidInputError: names every invalid row by its index.
        UnknownUserError: there is no such user.
    """
    good = {row.movie_id: row.rating for row in rows if isinstance(row, RatingInput)}
    try:
        if len(good) == len(rows):
            return user_ratings.put_many(db, user_id, good)
        unknown = user_ratings.unknown_movies(db, [row.movie_id for row in rows if row.movie_id is not None])
    except UnknownMovieError as error:
        unknown = set(error.movie_ids)
    raise InvalidInputError(*faults(rows, unknown))


def faults(rows: Sequence[RatingInput | InvalidRow], unknown: Collection[int]) -> Iterator[tuple[str, str]]:
    """Yield the (place, message) of every fault in these rows; `unknown` are the ids of no movie."""
    seen: set[int] = set()
    for index, row in enumerate(rows):
        if isinstance(row, InvalidRow):
            yield from faults_of(row.error, "ratings", str(index))
        if row.movie_id in seen:
            yield f"ratings.{index}.movie_id", DUPLICATE_MOVIE
        if row.movie_id in unknown:
            yield f"ratings.{index}.movie_id", UNKNOWN
        if row.movie_id is not None:
            seen.add(row.movie_id)
