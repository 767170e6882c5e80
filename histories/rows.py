"""One row of an imported file, and parsers of its cells."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from typing import Any

from settings import OperatorError

TIME_FORMATS = ("%a %b %d %H:%M:%S %Y", "%b %d %Y, %H:%M", "%d %b %Y")
MOST_ROWS = 50_000  # of a file; the most active user of MovieLens's largest set has 33,332 ratings
FIRST_YEAR, LAST_YEAR = 1870, 2100
YEAR = re.compile(r"(?<![0-9])[0-9]{4}(?![0-9])")
YEAR_LAST = re.compile(r"\s*\(([0-9]{4})\)\s*$")
NOT_MOVIES = {
    "tv", "show", "shows", "series", "serie", "tvseries", "tvminiseries", "miniseries", "tvepisode", "episode",
    "episodes", "season", "seasons", "tvpilot", "videogame", "game", "podcastseries", "podcastepisode", "musicvideo",
    "tvshow", "serietv", "serietelevisee", "fernsehserie",
}  # fmt: skip


class HistoryFileError(OperatorError, ValueError):
    """A file cannot be read; the message says why, and what to do."""


@dataclass(slots=True)
class HistoryRow:
    """A movie that a user has rated, watched or wants to watch.

    `rating` is in stars; without one, `mark` is "seen" or "later". `fault` says what is wrong with the row.
    """

    line: int
    title: str
    year: int | None = None
    rating: float | None = None
    mark: str | None = None
    at: datetime | None = None
    movie_id: int | None = None
    imdb_id: str | None = None
    tmdb_id: int | None = None
    is_movie: bool = True
    fault: str | None = None


def text_of(value: object) -> str:
    """Return a value of a JSON document as text, "" for null; no longer than any title is."""
    return "" if value is None else str(value)[:500]


def parse_time(text: str, now: datetime) -> datetime | None:
    """Return a time in UTC, at most `now`; a date is its midnight. None if the text is no time."""
    text = text.strip()
    at: datetime | None = None
    try:
        at = (
            datetime.fromtimestamp(int(text), UTC)
            if re.fullmatch("[0-9]{9,10}", text)
            else datetime.fromisoformat(text)
        )
    except ValueError:
        for written in TIME_FORMATS:
            try:
                at = datetime.strptime(text, written)  # the zone follows
                break
            except ValueError:
                continue
    if at is None or not FIRST_YEAR <= at.year <= LAST_YEAR:
        return None
    return min(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC), now)


def parse_year(text: str) -> int | None:
    """Return the first year in the text."""
    found = YEAR.search(text)
    return int(found[0]) if found and FIRST_YEAR <= int(found[0]) <= LAST_YEAR else None


def split_year(title: str) -> tuple[str, int | None]:
    """Return a title without the year in parentheses at its end, and that year."""
    found = YEAR_LAST.search(title)
    return (title[: found.start()], int(found[1])) if found and found.start() else (title.strip(), None)


def parse_number(text: str) -> float:
    """Return a rating as it is written. Raises `ValueError`."""
    if not re.fullmatch(r"-?[0-9]{1,4}([.,][0-9]{0,6})?", text, re.ASCII):
        raise ValueError(f"the rating {text[:20]!r} is not a number")
    return float(text.replace(",", "."))


def stars(value: float, scale: int) -> float:
    """Return a rating on a scale of 5, 10 or 100 in half stars, the half upwards. Raises `ValueError`."""
    if not 0 <= value <= scale or (value == 0 and scale < 100):
        raise ValueError(f"the rating {value:g} is not on the scale to {scale}")
    return max(0.5, floor(value * 10 / scale + 0.5) / 2)


def imdb_id(text: object) -> str | None:
    """Return the IMDb id in a text: a number with or without tt, or an address; None if there is none."""
    found = re.search(r"(?:tt|^)0*([0-9]{1,10})(?:/|$)", str(text or "").strip())
    return f"tt{int(found[1]):07d}" if found and int(found[1]) else None


def positive(text: object) -> int | None:
    """Return a positive id of 32 bits, None if it is none."""
    found = re.fullmatch(r"([0-9]{1,10})(?:\.0)?", str(text or "").strip(), re.ASCII)
    return int(found[1]) if found and 0 < int(found[1]) < 2**31 else None


def is_movie(kind: object) -> bool:
    """Return whether the type of a title may be that of a movie; translated types are not known."""
    return re.sub("[^a-z]", "", str(kind or "").lower()) not in NOT_MOVIES


def check_length(rows: int) -> None:
    """Raise `HistoryFileError` if a file has more rows than a request may take the time for."""
    if rows > MOST_ROWS:
        raise HistoryFileError(f"the file has more than {MOST_ROWS:,} rows: bring it in parts")


def load_json(text: str | bytes) -> Any:
    """Return the value of a JSON text. Raises `ValueError`, also for half of a surrogate pair, and `RecursionError`."""
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False).encode()  # "\ud800" is JSON, but no text that an answer could repeat
    return value
