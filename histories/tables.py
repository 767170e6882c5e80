"""Rows of tables with separated values."""

import csv
import html
import io
import re
from collections.abc import Iterator
from datetime import datetime

from histories.formats import ASK, TableFormat, column_name, format_of
from histories.rows import (
    HistoryFileError,
    HistoryRow,
    check_length,
    imdb_id,
    is_movie,
    load_json,
    parse_number,
    parse_time,
    parse_year,
    positive,
    split_year,
)

HEADER_LINES = 10  # a list of Letterboxd has some lines before its header
ACTIVITY = {"datetime", "actiontype", "logjson"}  # MovieLens's log
MIXED = re.compile(r"([^;,]*)[;,](.*)[;,](-?[0-9]*)[;,]([0-9]+)")  # a line of Filmtipset
Numbered = Iterator[tuple[int, list[str]]]


def read_table(
    text: str, unrated: str | None, now: datetime
) -> tuple[TableFormat | None, int | None, list[HistoryRow]]:
    """Return the format of a table, the scale that its header names, and its rows with ratings as they are written.

    The format is None if it is unknown. Raises `HistoryFileError`.
    """
    try:
        rows = list(_numbered(text))
    except csv.Error as error:
        raise HistoryFileError(f"the table cannot be read: {error}; a quotation mark may be missing") from error
    for place, (_, cells) in enumerate(rows[:HEADER_LINES]):
        columns = [column_name(cell) for cell in cells]
        if set(columns) >= ACTIVITY:
            return TableFormat("movielens", "", scale=5), 5, list(_activity(columns, rows[place + 1 :], now))
        if found := format_of(columns):
            scale = 10 if "rating10" in columns and "rating" not in columns else found.scale
            table = _Table(found, columns, found.unrated or unrated or _mark_of(columns), now)
            data = rows[place + 1 :]
            if found.name == "filmtipset":
                data = list(_unmixed(text, place + 1))
            data = [each for each in data if any(each[1])]
            check_length(len(data))
            return found, scale, [table.row(line, cells) for line, cells in data]
    return None, ASK, []


def _numbered(text: str) -> Numbered:
    head = text.lstrip()[:2000].splitlines()
    first = next((line for line in head if re.search("[,;\t]", line)), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    line = 1
    for cells in reader:
        yield line, [cell.strip() for cell in cells]
        line = reader.line_num + 1


def _mark_of(columns: list[str]) -> str | None:
    """Return what the columns of a table say of its rows without a rating."""
    if "listedat" in columns:
        return "later"
    watched = {"watcheddate", "rewatch", "watchedat", "lastwatchedat", "ratedat", "rating"}
    return "seen" if watched & set(columns) else None


class _Table:
    """The columns of a table of a known format."""

    def __init__(self, table_format: TableFormat, columns: list[str], mark: str | None, now: datetime) -> None:
        self.mark, self.now = mark, now
        place = {name: at for at, name in reversed(list(enumerate(columns)))}
        meanings = ("title", "year", "rating", "at", "kind", "movie_id", "imdb_id", "tmdb_id")
        self.places = {
            meaning: [place[name] for name in getattr(table_format, meaning).split() if name in place]
            for meaning in meanings
        } | {"url": [place["url"]] if "url" in place else []}

    def row(self, line: int, cells: list[str]) -> HistoryRow:
        """Return a row; its rating is as it is written."""
        value = {
            meaning: next((cells[at] for at in places if at < len(cells) and cells[at]), "")
            for meaning, places in self.places.items()
        }
        title, year = split_year(html.unescape(value["title"]))
        row = HistoryRow(line, title, parse_year(value["year"]) or year, mark=self.mark)
        row.at = parse_time(value["at"], self.now)
        row.is_movie = is_movie(value["kind"]) and "/tv/" not in value["url"]
        row.movie_id, row.imdb_id = positive(value["movie_id"]), imdb_id(value["imdb_id"])
        row.tmdb_id = positive(value["tmdb_id"]) if row.is_movie else None  # series have numbers of their own
        return with_number(row, value["rating"])


def with_number(row: HistoryRow, written: str) -> HistoryRow:
    """Return the row with the rating that is written, not yet in stars."""
    if written:
        row.mark = None
        try:
            row.rating = parse_number(written)
        except ValueError as error:
            row.fault = str(error)
    return row


def _unmixed(text: str, first: int) -> Numbered:
    for line, written in enumerate(text.splitlines()[first:], first + 1):
        if found := MIXED.fullmatch(html.unescape(written).strip()):
            yield line, [cell.strip().strip('"') for cell in found.groups()]


def _activity(columns: list[str], rows: list[tuple[int, list[str]]], now: datetime) -> Iterator[HistoryRow]:
    """Yield the last rating of each movie in MovieLens's log, unless it was taken back."""
    last: dict[int, HistoryRow] = {}
    at, action, log = (columns.index(name) for name in ("datetime", "actiontype", "logjson"))
    for line, cells in rows:
        if len(cells) <= max(at, action, log) or cells[action] != "rating":
            continue
        try:
            entry = load_json(cells[log])
            movie, rating = positive(entry["movieId"]), entry.get("rating")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
        if movie is None:
            continue
        row = HistoryRow(line, "", at=parse_time(cells[at], now), movie_id=movie)
        before = last.get(movie)
        if before is not None and before.at and row.at and before.at > row.at:
            continue
        if rating is None or entry.get("action") in ("DELETE", "REMOVE"):
            if entry.get("action") in ("DELETE", "REMOVE"):
                last.pop(movie, None)
            continue
        last[movie] = with_number(row, str(rating))
    yield from last.values()
