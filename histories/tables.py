"""Read CSV tables: recognize the format by its columns, and convert each line to a row."""

import csv
import html
import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

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
    text_of,
)

HEADER_LINES = 10  # a list of Letterboxd has some lines before its header
ACTIVITY = {"datetime", "actiontype", "logjson"}  # MovieLens's log
MIXED = re.compile(r"([^;,]*)[;,](.*)[;,](-?[0-9]*)[;,]([0-9]+)")  # a line of Filmtipset
ASK = 0  # the table does not say its scale


@dataclass(frozen=True)
class TableFormat:
    """A kind of table. Names of columns are in lower-case letters and digits alone.

    Attributes:
        known_by: the columns that it has.
        title, year, rating, at: columns of that meaning, of which the first with a value counts.
        scale: the best rating; None if the greatest rating decides.
        unrated: the mark of a row without a rating; None if it may be either.
    """

    name: str
    known_by: str
    title: str = "title"
    year: str = "year"
    rating: str = "rating"
    at: str = "date"
    kind: str = "type"
    movie_id: str = ""
    imdb_id: str = "imdbid"
    tmdb_id: str = "tmdbid"
    url: str = "url"
    scale: int | None = None
    unrated: str | None = None


FORMATS = (
    TableFormat("movielens", "movieid imdbid tmdbid title", movie_id="movieid", scale=5, unrated="later"),
    TableFormat("movielens", "movieid rating timestamp", movie_id="movieid", at="timestamp", scale=5),
    TableFormat("letterboxd", "name letterboxduri", title="name", at="watcheddate date", scale=5),
    TableFormat("letterboxd", "title tmdbid imdbid watcheddate", at="watcheddate", scale=5, unrated="seen"),
    TableFormat("imdb", "const title", rating="yourrating yourated", at="daterated created", kind="titletype",
                imdb_id="const", scale=10, unrated="later"),
    TableFormat("trakt", "type title traktid", at="ratedat lastwatchedat watchedat listedat", scale=10),
    TableFormat("tmdb", "tmdbid name yourrating", title="name", year="releasedate", rating="yourrating",
                at="daterated", scale=10, unrated="later"),
    TableFormat("criticker", "score filmname", title="filmname", rating="score", at="daterated", scale=ASK),
    TableFormat("filmtipset", "votedate movietitle imdb score", title="movietitle", rating="score", at="votedate",
                imdb_id="imdb", scale=5),
)  # fmt: skip
PLAIN = TableFormat(
    "csv",
    "",
    title="title name film movie filmname movietitle originaltitle",
    year="year releaseyear releasedate released",
    rating="yourrating myrating rating rating10 score stars userrating",
    at="daterated ratedat watcheddate watchedat watcheddate date rateddate timestamp",
    kind="type titletype",
    movie_id="movieid movielensid",
    imdb_id="imdbid imdb const tconst",
    tmdb_id="tmdbid tmdb",
)
ACTIVITY_LOG = TableFormat("movielens", "", rating="rating", at="datetime", movie_id="movieid", scale=5)
MEANINGS = ("title", "year", "rating", "at", "kind", "movie_id", "imdb_id", "tmdb_id", "url")
Numbered = Iterator[tuple[int, list[str]]]


def read_table(text: str, unrated: str | None, now: datetime) -> tuple[TableFormat, list[HistoryRow]] | None:
    """Return the format of a table and its rows, with ratings as they are written; None if the format is unknown.

    Raises `HistoryFileError`.
    """
    try:
        rows = list(_numbered(text))
    except csv.Error as error:
        raise HistoryFileError(f"the table cannot be read: {error}; a quotation mark may be missing") from error
    for place, (_, cells) in enumerate(rows[:HEADER_LINES]):
        columns = [_column_name(cell) for cell in cells]
        if set(columns) >= ACTIVITY:
            return ACTIVITY_LOG, list(_activity(columns, rows[place + 1 :], now))
        if found := _format_of(columns):
            if "rating10" in columns and "rating" not in columns:
                found = replace(found, scale=10)
            mark = found.unrated or unrated or _mark_of(columns)
            data = rows[place + 1 :]
            if found.name == "filmtipset":
                data = list(_unmixed(text, place + 1))
            data = [each for each in data if any(each[1])]
            check_length(len(data))
            return found, [to_row(found, line, _by_column(columns, cells), mark, now) for line, cells in data]
    return None


def _column_name(text: str) -> str:
    """Return the name of a column in lower-case letters and digits alone."""
    return re.sub("[^a-z0-9]", "", text.lower())


def _format_of(columns: Collection[str]) -> TableFormat | None:
    """Return the format of a table with these columns; None if it is none."""
    for one in FORMATS:
        if set(one.known_by.split()) <= set(columns):
            return one
    has_title = any(name in columns for name in (*PLAIN.title.split(), *PLAIN.imdb_id.split()))
    has_more = any(name in columns for name in (*PLAIN.rating.split(), *PLAIN.year.split()))
    return PLAIN if has_title and has_more else None


def _by_column(columns: list[str], cells: list[str]) -> dict[str, str]:
    """Return the cells of a line by column; of two columns with one name the first counts."""
    return dict(reversed([*zip(columns, cells, strict=False)]))


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


def to_row(table: TableFormat, line: int, cells: Mapping[str, str], mark: str | None, now: datetime) -> HistoryRow:
    """Return the row with these cells, by column. Its rating is as it is written, not yet in stars."""
    value = {
        meaning: next((cells[name] for name in getattr(table, meaning).split() if cells.get(name)), "")
        for meaning in MEANINGS
    }
    title, year = split_year(html.unescape(value["title"]))
    row = HistoryRow(line, title, parse_year(value["year"]) or year, mark=mark, at=parse_time(value["at"], now))
    row.is_movie = is_movie(value["kind"]) and "/tv/" not in value["url"]
    row.movie_id, row.imdb_id = positive(value["movie_id"]), imdb_id(value["imdb_id"])
    row.tmdb_id = positive(value["tmdb_id"]) if row.is_movie else None  # series have numbers of their own
    if written := value["rating"]:
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
            given = {"movieid": text_of(entry["movieId"]), "rating": text_of(entry.get("rating"))}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
        row = to_row(ACTIVITY_LOG, line, given | {"datetime": cells[at]}, None, now)
        if row.movie_id is None:
            continue
        before = last.get(row.movie_id)
        if before is not None and before.at and row.at and before.at > row.at:
            continue
        if entry.get("action") in ("DELETE", "REMOVE"):
            last.pop(row.movie_id, None)
        elif given["rating"]:
            last[row.movie_id] = row
    yield from last.values()
