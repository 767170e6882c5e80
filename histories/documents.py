"""Rows of Trakt's JSON and Criticker's XML."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from histories.formats import ASK, TableFormat
from histories.rows import HistoryFileError, HistoryRow, check_length, load_json, text_of
from histories.tables import to_row

TRAKT = TableFormat("trakt", "", scale=10)
CRITICKER = TableFormat("criticker", "", title="filmname", at="reviewdate", url="filmlink", scale=ASK)
TIMES = {"rated_at": "seen", "listed_at": "later", "last_watched_at": "seen", "watched_at": "seen"}
OTHER_KINDS = ("show", "season", "episode")


def read_json(text: str, now: datetime) -> list[HistoryRow]:
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


def read_xml(text: str, now: datetime) -> list[HistoryRow]:
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
