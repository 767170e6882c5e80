"""Many ratings in one request: all or none, and every row that is wrong is named."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from sqlalchemy import Connection

from catalogue.movie_table import UnknownMovieError
from storage import user_ratings
from web.errors import InvalidInputError
from web.v1.schemas import MovieId, RatingValue, RequestBody, faults_of

MAX_RATINGS = 1000
DUPLICATE_MOVIE = "the movie is in the request more than once"
UNKNOWN = "there is no such movie; ids are those of MovieLens"


class RatingInput(RequestBody):
    """A movie and its rating."""

    movie_id: MovieId
    rating: RatingValue


@dataclass(frozen=True)
class InvalidRow:
    """A row that is wrong, and why; kept so that one answer can tell of all of them."""

    movie_id: int | None  # if that is not what is wrong
    error: ValidationError


def _kept(row: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(row)
    except ValidationError as error:
        known = isinstance(row, dict) and "movie_id" not in dict(faults_of(error))
        return InvalidRow(row["movie_id"] if known else None, error)


Row = Annotated[RatingInput, WrapValidator(_kept)]


class RatingBatch(RequestBody):
    """Up to 1,000 ratings, each of another movie."""

    ratings: list[Row] = Field(min_length=1, max_length=MAX_RATINGS)


def write(db: Connection, user_id: int, rows: Sequence[RatingInput | InvalidRow]) -> user_ratings.WriteCounts:
    """Record all these ratings or none.

    Raises:
        InvalidInputError: names every row that is wrong by its index.
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
    """Everything that is wrong with these rows, where `unknown` are movies that there are not."""
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
