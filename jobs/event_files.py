"""Files of events, a line each: JSON Lines with people and ratings, or CSV with MovieLens's columns of ratings."""

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from movielens.line_report import DatasetError
from ranking.ratings import SCALE, on_scale
from storage.bulk_transfer import CSV_HEADER, Kind, TimedRating

KINDS: dict[str, Kind] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
COLUMNS = CSV_HEADER.decode().strip().split(",")
LONGEST_LINE = 1 << 16
LONGEST_NAME = 150
LOOKS = 1000  # lines between two of the progress
COMPRESSION = 6  # 9, the default, takes three times as long for 1 % less
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)

NO_TIME = "a time is written like 2026-01-31T12:00:00Z, with its zone"


class EventsError(DatasetError):
    """A file of events cannot be read as one; the message says where and why."""


class Person(NamedTuple):
    """Somebody, and when they were first here."""

    user: str
    made_at: datetime


class Bad(NamedTuple):
    """A line that is no event, and why."""

    reason: str


Event = Person | TimedRating
Parse = Callable[[str], Event]


def kind_of(file: Path) -> Kind:
    """What a file of this name holds. Raises `EventsError`."""
    name = file.name.lower().removesuffix(".gz")
    for suffix, kind in KINDS.items():
        if name.endswith(suffix):
            return kind
    raise EventsError(f"{file}: call it .jsonl, .ndjson or .csv, with .gz if it is packed, to say what it holds")


@contextmanager
def packed(file: Path, named: Path) -> Iterator[BinaryIO]:
    """A new file to write to, through gzip if that is what it will be `named`."""
    with file.open("wb") as raw:
        if not named.name.lower().endswith(".gz"):
            yield raw
            return
        # without name and time, so that the same events make the same file
        with gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as stream:
            yield cast(BinaryIO, stream)


def read(file: Path, movies: Container[int], advance: Callable[[int], object]) -> Iterator[tuple[int, Event | Bad]]:
    """The number of each line that is not blank, with what it says; `advance` is told of the bytes that are done.

    Raises `EventsError` for a file that does not hold such lines, or is cut short.
    """
    with file.open("rb") as raw:
        stream = gzip.GzipFile(fileobj=raw) if file.name.lower().endswith(".gz") else raw
        parse: Parse = json_event
        done = 0
        for number, line in _lines(file, cast(IO[bytes], stream)):
            if number == 1 and kind_of(file) == "csv":
                parse = _csv_layout(file, line)
            elif line.strip():
                yield number, _event(line, parse, movies)
            if number % LOOKS == 0:
                advance(raw.tell() - done)
                done = raw.tell()
        advance(raw.tell() - done)


def _lines(file: Path, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise EventsError(f"{file}: line {number} has more than {LONGEST_LINE:,} bytes; it is not of events")
            yield number, line
    except DAMAGED as error:
        raise EventsError(f"{file} is damaged or cut short after line {number}: {error}") from error


def _event(line: bytes, parse: Parse, movies: Container[int]) -> Event | Bad:
    try:
        event = parse(line.decode())
        if isinstance(event, TimedRating) and event.movie_id not in movies:
            raise ValueError(f"there is no movie {event.movie_id}")
    except (ValueError, RecursionError) as error:
        return Bad(str(error))
    return event


def json_event(line: str) -> Event:
    """`{"user_id", "movie_id", "rating", "rated_at"}` or `{"user_id", "created_at"}`. Raises `ValueError`."""
    sent = json.loads(line)
    if not isinstance(sent, dict):
        raise ValueError("it is not a JSON object")
    user = _user(sent.get("user_id"))
    if "movie_id" not in sent and "rating" not in sent:
        return Person(user, _moment("created_at", sent))
    movie_id = sent.get("movie_id")
    if type(movie_id) is not int:
        raise ValueError("movie_id is not a whole number")
    return TimedRating(user, movie_id, _rating(sent.get("rating")), _moment("rated_at", sent))


@dataclass(frozen=True)
class CsvLayout:
    """Where a line has the four columns."""

    places: tuple[int, ...]

    def event(self, line: str) -> Event:
        """The rating of a line. Raises `ValueError`."""
        values = next(csv.reader([line]))
        if len(values) <= max(self.places):
            raise ValueError(f"it has {len(values)} columns")
        user, movie_id, rating, timestamp = (values[place] for place in self.places)
        try:
            at = datetime.fromtimestamp(int(timestamp), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise ValueError(f"{timestamp[:50]!r} is not a time in seconds since 1970") from error
        return TimedRating(_user(user), _whole("movieId", movie_id), _rating(_number(rating)), at)


def _csv_layout(file: Path, header: bytes) -> Parse:
    names = header.decode("utf-8-sig", "replace").strip().split(",")
    names = [name.strip('" ') for name in names]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise EventsError(f"{file}: line 1 has no column {', '.join(missing)}; it names {', '.join(COLUMNS)}")
    return CsvLayout(tuple(names.index(name) for name in COLUMNS)).event


def _user(name: Any) -> str:
    if type(name) is int:
        return str(name)
    if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable():
        return name
    raise ValueError(f"user_id is neither a whole number nor a text of 1 to {LONGEST_NAME} signs")


def _whole(what: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{what} {text[:50]!r} is not a whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(SCALE) from error


def _rating(rating: Any) -> float:
    if not on_scale(rating):
        raise ValueError(SCALE)
    return float(rating)


def _moment(name: str, sent: dict[str, Any]) -> datetime:
    try:
        at = datetime.fromisoformat(sent[name])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is missing or not a time: {NO_TIME}") from error
    if at.tzinfo is None:
        raise ValueError(f"{name} has no zone: {NO_TIME}")
    return at
