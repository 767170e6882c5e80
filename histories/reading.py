"""Read an imported file of any known format into rows with ratings in stars."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from histories.files import HistoryText, texts
from histories.rows import HistoryFileError, HistoryRow, check_length, load_json, stars, text_of
from histories.tables import ASK, TableFormat, read_table, to_row

UNKNOWN = (
    "no known columns were found. Exports of Letterboxd, IMDb, Trakt, TMDB, MovieLens, Criticker and Filmtipset are "
    "known, and any table whose first line names the columns title, year and rating"
)
ASK_MARK = "the file does not say whether its movies were watched: say unrated=seen or unrated=later"
ASK_SCALE = "all scores are 10 or less: say scale=10 or scale=100"
TRAKT = TableFormat("trakt", "", scale=10)
CRITICKER = TableFormat("criticker", "", title="filmname", at="reviewdate", url="filmlink", scale=ASK)
TIMES = {"rated_at": "seen", "listed_at": "later", "last_watched_at": "seen", "watched_at": "seen"}
OTHER_KINDS = ("show", "season", "episode")


@dataclass
class History:
    """What a file says. `rounded` counts the ratings that lay between two half stars."""

    format: str
    scale: int | None = None
    rows: list[HistoryRow] = field(default_factory=list)
    rounded: int = 0


def read_history(
    data: bytes, scale: int | None = None, unrated: str | None = None, now: datetime | None = None
) -> History:
    """Return what a file says, known by its content. Raises `HistoryFileError`.

    Args:
        scale: the best rating, where the file does not tell.
        unrated: "seen" or "later", for rows without a rating where the file does not tell.
    """
    now = now or datetime.now(UTC)
    found = texts(data)
    history: History | None = None
    for part in _without_repetitions(found):
        read = _read(part, scale, unrated or _mark_in_archive(part.name), now)
        if read is None:
            continue
        if history is None:
            history = read
        else:
            history.rows += read.rows
            history.rounded += read.rounded
            history.scale = history.scale or read.scale
    if history is None:
        raise HistoryFileError(UNKNOWN)
    check_length(len(history.rows))
    return history


def _without_repetitions(found: list[HistoryText]) -> list[HistoryText]:
    """Return the texts without Letterboxd's diary and reviews, if ratings and watched movies are beside them."""
    names = {one.name.rpartition("/")[2] for one in found}
    if not {"ratings.csv", "watched.csv"} <= names:
        return found
    return [one for one in found if one.name.rpartition("/")[2] not in ("diary.csv", "reviews.csv")]


def _mark_in_archive(name: str) -> str | None:
    return None if not name else "later" if "watchlist" in name else "seen"


def _read(part: HistoryText, scale: int | None, unrated: str | None, now: datetime) -> History | None:
    start = part.text.lstrip()[:1]
    if start in ("[", "{"):
        table, rows = TRAKT, _read_json(part.text, now)
        if not rows and not part.name and "".join(part.text.split()) != "[]":
            raise HistoryFileError(UNKNOWN)
    elif start == "<":
        table, rows = CRITICKER, _read_xml(part.text, now)
    elif found := read_table(part.text, unrated, now):
        table, rows = found
    elif part.name:
        return None  # profiles and the like
    else:
        raise HistoryFileError(UNKNOWN)
    read = History(table.name, table.scale or scale or table.scale, rows)
    _to_stars(read)
    if any(row.rating is None and row.mark is None and row.fault is None and row.is_movie for row in read.rows):
        raise HistoryFileError(ASK_MARK)
    return read


def _to_stars(history: History) -> None:
    written = [row.rating for row in history.rows if row.rating is not None]
    if written and not history.scale:
        highest = max(written)
        if history.scale == ASK and highest <= 10:
            raise HistoryFileError(ASK_SCALE)
        history.scale = 100 if history.scale == ASK else next((one for one in (5, 10) if highest <= one), 100)
    for row in history.rows:
        if row.rating is None:
            continue
        try:
            number, row.rating = row.rating, stars(row.rating, history.scale or 5)
        except ValueError as error:
            row.rating, row.fault = None, str(error)
            continue
        history.rounded += abs(row.rating * (history.scale or 5) - number * 5) > 1e-6
    history.scale = history.scale if written else None


def _read_json(text: str, now: datetime) -> list[HistoryRow]:
    """Return the rows of an export of Trakt. Raises `HistoryFileError`."""
    try:
        export = load_json(text)
    except (ValueError, RecursionError) as error:
        raise HistoryFileError("the JSON cannot be read: bring the export as it was saved") from error
    if isinstance(export, dict):
        if {"user_id", "marks"} <= export.keys():  # looks like Trakt's, with another scale
            raise HistoryFileError("this is Matinee's export of all data: bring the one with format=csv")
        export = next((value for value in export.values() if isinstance(value, list)), [])
    check_length(len(export) if isinstance(export, list) else 0)
    return [row for number, item in enumerate(export, 1) for row in _item(number, item, now)]


def _item(number: int, item: Any, now: datetime) -> Iterator[HistoryRow]:
    if not isinstance(item, dict):
        return
    time = next((name for name in TIMES if isinstance(item.get(name), str)), None)
    movie = item.get("movie")
    if not isinstance(movie, dict):
        if any(kind in item for kind in OTHER_KINDS):
            yield HistoryRow(number, "", is_movie=False)
        return
    ids = movie["ids"] if isinstance(movie.get("ids"), dict) else {}
    cells = {name: text_of(movie.get(name)) for name in ("title", "year")}
    cells |= {"imdbid": text_of(ids.get("imdb")), "tmdbid": text_of(ids.get("tmdb"))}
    cells |= {"rating": text_of(item.get("rating")), "date": item[time] if time else ""}
    yield to_row(TRAKT, number, cells, TIMES.get(time or ""), now)


def _read_xml(text: str, now: datetime) -> list[HistoryRow]:
    """Return the rows of an export of Criticker. Raises `HistoryFileError`."""
    if re.search("<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):  # entities can grow without bound
        raise HistoryFileError("an XML file with a DOCTYPE is not read")
    try:
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))  # noqa: S314 - has no entities
    except (ElementTree.ParseError, ValueError) as error:
        raise HistoryFileError(f"the XML cannot be read: {error}") from error
    films, rows = list(root.iter("film")), []
    check_length(len(films))
    for number, film in enumerate(films, 1):
        cells = {part.tag: (part.text or "").strip() for part in film}
        rows.append(to_row(CRITICKER, number, cells, "seen", now))
    if not rows:
        raise HistoryFileError("the XML has no ratings that are known here; Criticker's are")
    return rows
