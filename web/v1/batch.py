"""Many ratings in one request: all are taken or none, and the error names every invalid row."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import InitErrorDetails, PydanticCustomError

from system.validation_messages import message_of
from web.v1.base_models import RequestBody
from web.v1.blueprint import recommender
from web.v1.schemas import MovieId, RatingValue

MAX_RATINGS = 1000
DUPLICATE_MOVIE = "the movie is in the request more than once"
MOVIE_ID: TypeAdapter[int] = TypeAdapter(MovieId)


class RatingInput(RequestBody):
    """A movie and its rating."""

    movie_id: MovieId
    rating: RatingValue


def _name_all_faults(rows: Any, validate: ValidatorFunctionWrapHandler) -> list[RatingInput]:
    """Return the rows; an error also names the movies that are unknown or given twice, beside what Pydantic finds."""
    found: list[InitErrorDetails] = []
    valid: list[RatingInput] = []
    try:
        valid = validate(rows)
    except ValidationError as error:
        if not all(fault["loc"] for fault in error.errors()):  # it is no list, or too long
            raise
        found = [_fault(message_of(fault), *fault["loc"]) for fault in error.errors()]
    ids = {place: movie_id for place, row in enumerate(rows) if (movie_id := _valid_movie_id(row)) is not None}
    unknown, seen = recommender().unknown(ids.values()), set[int]()
    for place, movie_id in ids.items():
        if movie_id in seen:
            found.append(_fault(DUPLICATE_MOVIE, place, "movie_id"))
        if movie_id in unknown:
            found.append(_fault(f"there is no movie {movie_id}", place, "movie_id"))
        seen.add(movie_id)
    if found:
        raise ValidationError.from_exception_data("ratings", sorted(found, key=lambda fault: fault["loc"][0]))
    return valid


def _valid_movie_id(row: Any) -> int | None:
    """Return the movie id of a row that may be invalid; None if that is what is missing or wrong."""
    try:
        return MOVIE_ID.validate_python(row["movie_id"], strict=True)
    except (ValidationError, LookupError, TypeError):
        return None


def _fault(message: str, *place: int | str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("fault", message), loc=place, input=None)


ALL_OR_NONE = WrapValidator(_name_all_faults)


class RatingBatch(RequestBody):
    """Up to 1,000 ratings of different movies."""

    ratings: Annotated[list[RatingInput], Field(min_length=1, max_length=MAX_RATINGS), ALL_OR_NONE]

    @property
    def by_movie(self) -> dict[int, float]:
        """Return the ratings by movie."""
        return {row.movie_id: row.rating for row in self.ratings}


class GuestRatings(RatingBatch):
    """The ratings of someone who is not stored."""

    ratings: Annotated[
        list[RatingInput],
        Field(max_length=MAX_RATINGS, description="Ratings of different movies; may be empty."),
        ALL_OR_NONE,
    ]
