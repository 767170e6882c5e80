"""The rows of transfer files: users and ratings, in JSON and in the columns of MovieLens's CSV."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    TypeAdapter,
)

from ranking.ratings import SCALE, on_scale

LONGEST_NAME = 150
WHOLE = re.compile(r"-?[0-9]{1,12}")  # enough for the seconds of the year 9999
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)  # the first day that Python can represent in every time zone
CLOCK_SKEW = timedelta(days=1)  # tolerance for times ahead of the local clock


def _user_name(sent: Any) -> str:
    name = str(sent) if type(sent) is int else sent
    if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable():
        return name
    raise ValueError(f"neither a whole number nor a text of 1 to {LONGEST_NAME} printable characters")


def _on_scale(rating: float) -> float:
    if not on_scale(rating):
        raise ValueError(SCALE)
    return rating


def _moment(sent: Any) -> datetime:
    try:
        at = datetime.fromisoformat(sent)
    except (TypeError, ValueError) as error:
        raise ValueError("not a time; write one like 2026-01-31T12:00:00Z") from error
    if at.tzinfo is None:
        raise ValueError("no time zone; write a time like 2026-01-31T12:00:00Z")
    return _storable(at)


def _whole(sent: str) -> int:
    if not WHOLE.fullmatch(sent):  # int() also takes "1_0" and " 1"
        raise ValueError("not a whole number")
    return int(sent)


def _without_underscores(sent: str) -> str:
    if "_" in sent:  # float() accepts underscores
        raise ValueError(SCALE)
    return sent


def _epoch_seconds(sent: str) -> datetime:
    return _storable(datetime.fromtimestamp(_whole(sent), UTC))


def _storable(at: datetime) -> datetime:
    """Return the time in UTC. Raises `ValueError` for a time that cannot be stored or lies in the future."""
    try:
        at = at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error
    if at < EARLIEST:
        raise ValueError(f"before {EARLIEST.date()}")
    if at > datetime.now(UTC) + CLOCK_SKEW:
        raise ValueError("in the future")
    return at


UserName = Annotated[str, PlainValidator(_user_name)]
Stars = Annotated[float, AfterValidator(_on_scale)]
Moment = Annotated[datetime, PlainValidator(_moment)]


class UserRow(BaseModel):
    """A user with the time they joined: `{"user_id", "created_at"}`."""

    user_id: UserName
    created_at: Moment


class RatingRow(BaseModel):
    """A rating: `{"user_id", "movie_id", "rating", "rated_at"}`. `user_id` is the id in the source system."""

    model_config = ConfigDict(strict=True)

    user_id: UserName
    movie_id: int
    rating: Stars
    rated_at: Moment


class CsvRatingRow(RatingRow):
    """A rating from MovieLens's CSV columns, all of them text."""

    model_config = ConfigDict(strict=False)

    user_id: UserName = Field(alias="userId")
    movie_id: Annotated[int, PlainValidator(_whole)] = Field(alias="movieId")
    rating: Annotated[Stars, BeforeValidator(_without_underscores)]
    rated_at: Annotated[datetime, PlainValidator(_epoch_seconds)] = Field(alias="timestamp")


def _tag(sent: Any) -> str:
    return "rating" if isinstance(sent, dict) and ("movie_id" in sent or "rating" in sent) else "user"


TransferRow = UserRow | RatingRow
JSON_ROW: TypeAdapter[TransferRow] = TypeAdapter(
    Annotated[Annotated[UserRow, Tag("user")] | Annotated[RatingRow, Tag("rating")], Discriminator(_tag)]
)
