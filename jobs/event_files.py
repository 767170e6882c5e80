"""Files of events, one event a line: JSON Lines with users and ratings, or CSV with MovieLens's rating columns."""

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Annotated, Any, BinaryIO, cast

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
    ValidationError,
)

from movielens.line_report import DatasetError, LineError
from movielens.text_file import header_names, require_lines
from ranking.ratings import SCALE, on_scale
from storage.bulk_transfer import CSV_HEADER, Kind

KINDS: dict[str, Kind] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
COLUMNS = CSV_HEADER.decode().strip().split(",")
LONGEST_LINE = 1 << 16
LONGEST_NAME = 150
LINES_PER_REPORT = 1000
COMPRESSION = 6  # 9, the default, takes three times as long for 1 % less
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
WHOLE = re.compile(r"-?[0-9]{1,12}")  # enough for the seconds of the year 9999
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)  # a day of year 1 that every time zone can show
CLOCK_SKEW = timedelta(days=1)  # a time may be ahead of our clock by this much


class EventsError(DatasetError):
    """A file of events cannot be imported; the message says where and why."""


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
    if "_" in sent:  # which float() passes over
        raise ValueError(SCALE)
    return sent


def _epoch_seconds(sent: str) -> datetime:
    return _storable(datetime.fromtimestamp(_whole(sent), UTC))


def _storable(at: datetime) -> datetime:
    """Return the time in UTC. Raises `ValueError` for one that nobody could have rated at or that cannot be stored."""
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


class UserEvent(BaseModel):
    """A user, and when they joined: `{"user_id", "created_at"}`."""

    user_id: UserName
    created_at: Moment


class RatingEvent(BaseModel):
    """A rating: `{"user_id", "movie_id", "rating", "rated_at"}`. `user_id` is the id in the system it comes from."""

    model_config = ConfigDict(strict=True)

    user_id: UserName
    movie_id: int
    rating: Stars
    rated_at: Moment


class CsvRating(RatingEvent):
    """A rating as MovieLens's columns have it, all of them text."""

    model_config = ConfigDict(strict=False)

    user_id: UserName = Field(alias="userId")
    movie_id: Annotated[int, PlainValidator(_whole)] = Field(alias="movieId")
    rating: Annotated[Stars, BeforeValidator(_without_underscores)]
    rated_at: Annotated[datetime, PlainValidator(_epoch_seconds)] = Field(alias="timestamp")


def _tag(sent: Any) -> str:
    return "rating" if isinstance(sent, dict) and ("movie_id" in sent or "rating" in sent) else "user"


Event = UserEvent | RatingEvent
Parse = Callable[[bytes], Event]
JSON_EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[Annotated[UserEvent, Tag("user")] | Annotated[RatingEvent, Tag("rating")], Discriminator(_tag)]
)


def kind_of(file: Path) -> Kind:
    """Return the format that the name of a file stands for. Raises `EventsError`."""
    name = file.name.lower().removesuffix(".gz")
    for suffix, kind in KINDS.items():
        if name.endswith(suffix):
            return kind
    raise EventsError(f"{file}: the name must end in .jsonl, .ndjson or .csv, or in one of these and .gz")


@contextmanager
def compressed(file: Path, named: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing, through gzip if the name it will have, `named`, ends in .gz."""
    with file.open("wb") as raw:
        if not named.name.lower().endswith(".gz"):
            yield raw
            return
        # without a name and a time inside, so that the same events make the same file
        with gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as stream:
            yield cast(BinaryIO, stream)


def read(file: Path, advance: Callable[[int], object]) -> Iterator[tuple[int, Event | LineError]]:
    """Yield the number of each line that is not blank, with its event or with what is wrong with it.

    Calls `advance` with the number of bytes that were read, unless the file is a pipe, which has no position.
    Raises `EventsError` for a file that does not hold such lines, or is cut short.
    """
    with file.open("rb") as raw:
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw) if file.name.lower().endswith(".gz") else raw)
        parse: Parse = JSON_EVENT.validate_json
        done = 0
        for number, line in _lines(file, stream):
            if number == 1 and kind_of(file) == "csv":
                parse = _csv_parser(file, line)
            elif line.strip():
                yield number, _event(line, parse)
            if raw.seekable() and number % LINES_PER_REPORT == 0:
                advance(raw.tell() - done)
                done = raw.tell()


def _lines(file: Path, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number, of one that is too long its first `LONGEST_LINE` bytes."""
    number = 0
    try:
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if number == 1:
                require_lines(str(file), line)
                line = line.removeprefix(codecs.BOM_UTF8)
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                rest = stream.readline(LONGEST_LINE)
            yield number, line
    except DAMAGED as error:
        raise EventsError(f"{file} is damaged or cut short after line {number}: {error}") from error


def _event(line: bytes, parse: Parse) -> Event | LineError:
    if len(line) == LONGEST_LINE:
        return LineError(f"longer than {LONGEST_LINE - 1:,} bytes")
    try:
        return parse(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = [str(first["loc"][-1])] if first["loc"] else []
        return LineError(": ".join([*where, first["msg"].removeprefix("Value error, ")]))
    except ValueError as error:
        return LineError(str(error))
    except csv.Error:
        return LineError("not a line of CSV: it has a stray quote or carriage return")


def _csv_parser(file: Path, header: bytes) -> Parse:
    names = header_names(header)
    if missing := [name for name in COLUMNS if name not in names]:
        raise EventsError(
            f"{file}: line 1 lacks the columns {', '.join(missing)}. It has {', '.join(names)[:500] or 'none'}; "
            f"an import needs {', '.join(COLUMNS)}."
        )

    def parse(line: bytes) -> CsvRating:
        fields = next(csv.reader([line.decode().rstrip("\r\n")], strict=True))
        if len(fields) != len(names):
            raise ValueError(f"{len(fields)} fields, not {len(names)}")
        return CsvRating.model_validate(dict(zip(names, fields, strict=True)))

    return parse
