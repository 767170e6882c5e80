"""Read the ratings of a MovieLens dataset in blocks of lines: 32 million lines take less than a minute."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from movielens.formats import ID_RANGE, INT32, Format, detect, parse_movielens_id
from movielens.line_report import DUPLICATE_RATING, DatasetError, LineError, LineReport
from movielens.text_file import FileFormat, skip_byte_order_mark
from ranking.ratings import Ratings
from settings import USER_OFFSET
from system.progress import progress

# bytes; if a line of a block is not plain numbers, the whole block is read line by line, which takes 4 s. The arrays of
# smaller blocks are too small to be returned to the system: after 32 million ratings the process would keep 700 MB.
BLOCK = 1 << 24
LONGEST_LINE = 1 << 20
LAST_SECOND = 253_402_300_799  # of the year 9999, the last that a date can represent
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

OWN_USER = f"a user id of {USER_OFFSET} or more: those are the service's own users"
OFF_SCALE = "a rating that is not a multiple of 0.5 from 0.5 to 5"
NOT_A_TIME = "a timestamp that is not in seconds from 1970 to 9999"

Column = npt.NDArray[Any]
ROW_TYPES = (np.int32, np.int32, np.float64, np.float64, np.int32)


class _Rows(NamedTuple):
    """Rows of the file as columns, each row with its line number."""

    user: Column
    movie: Column
    rating: Column
    at: Column
    line: Column


@dataclass(frozen=True)
class _Layout:
    """The indexes of the four columns in a line of this file; `names` has the names of all columns, in order."""

    table: FileFormat
    names: list[str]

    @property
    def wanted(self) -> list[str]:
        """Return the names of the user, movie, rating and, if the file has it, timestamp columns."""
        return [*self.table.columns[:3], *(["timestamp"] if "timestamp" in self.names else [])]

    @property
    def plain(self) -> bytes:
        """Return the only bytes that a block may have to be read by Arrow."""
        return b"0123456789.-\r\n" + self.table.separator.encode() + (b'"' if self.table.quoted else b"")


def read_ratings(folder: Path, movie_ids: Collection[int]) -> tuple[Ratings, LineReport]:
    """Return the ratings of these movies, sorted by user and movie; only the latest for each user and movie.

    Raises `DatasetError` for a missing file or column, for more than 1 % of malformed lines, and for no ratings.
    """
    shape = detect(folder)
    path = folder / shape.ratings.file
    report = LineReport(path.name)
    known = np.fromiter(movie_ids, dtype=np.int32, count=len(movie_ids))
    parts: list[_Rows] = []
    with path.open("rb") as file, progress(path.stat().st_size, f"reading {path.name}", unit="B") as advance:
        skip_byte_order_mark(file)
        layout = _Layout(shape.ratings, shape.ratings.names(file.readline() if shape.ratings.header else b""))
        line = shape.ratings.first_line
        while block := file.read(BLOCK):
            if not block.endswith(b"\n"):
                block += file.readline(LONGEST_LINE)
            rows = _plain(block, layout, line) or _line_by_line(block, layout, line, report)
            parts.append(_reject_invalid(rows, known, shape, report))
            line += block.count(b"\n")
            advance(len(block))
    report.raise_if_malformed()
    if not any(len(part.line) for part in parts):
        raise DatasetError(f"{path} holds no ratings. Is it a whole file of a MovieLens dataset?")
    latest = _latest(_joined(parts), report)
    report.kept = len(latest)
    return latest, report


def _plain(block: bytes, layout: _Layout, first_line: int) -> _Rows | None:
    """Return the rows as Arrow reads them, or None if the block must be read line by line."""
    # Arrow accepts 0x1F and " 31" as numbers, and a stray quote or empty line shifts its line numbers.
    table = None if block.translate(None, layout.plain) else _arrow_table(block, layout)
    if table is None or len(table) != block.count(b"\n") + (not block.endswith(b"\n")):
        return None
    user, movie, rating, *timestamp = (column.to_numpy() for column in table.columns)
    at = timestamp[0] if timestamp else np.zeros(len(table))
    return _Rows(user, movie, rating, at, np.arange(first_line, first_line + len(table), dtype=np.int32))


def _arrow_table(block: bytes, layout: _Layout) -> Any | None:
    separator = layout.table.separator
    if len(separator) > 1:
        block, separator = block.replace(separator.encode(), b"\t"), "\t"  # Arrow splits at one byte only
    types = dict(zip(layout.wanted, (pa.int32(), pa.int32(), pa.float64(), pa.float64()), strict=False))
    try:
        return pa.csv.read_csv(
            BytesIO(block),
            pa.csv.ReadOptions(column_names=layout.names),
            pa.csv.ParseOptions(delimiter=separator, quote_char='"' if layout.table.quoted else False),
            pa.csv.ConvertOptions(column_types=types, include_columns=layout.wanted, null_values=[]),
        )
    except pa.ArrowInvalid:
        return None


def _line_by_line(block: bytes, layout: _Layout, first_line: int, report: LineReport) -> _Rows:
    places = [layout.names.index(name) for name in layout.wanted]
    rows: list[tuple[int, int, float, float, int]] = []
    for number, line in enumerate(block.split(b"\n"), start=first_line):
        if not line.strip():
            continue
        try:
            fields = layout.table.fields(line, len(layout.names))
            rows.append((*_numbers([fields[place] for place in places]), number))
        except LineError as fault:
            report.read += 1
            report.reject(str(fault), [number])
    columns = zip(*rows, strict=True) if rows else ((),) * 5
    return _Rows(*(np.array(column, kind) for column, kind in zip(columns, ROW_TYPES, strict=True)))


def _numbers(fields: list[str]) -> tuple[int, int, float, float]:
    user, movie, rating = fields[:3]
    at = fields[3] if len(fields) == 4 else "0"
    return parse_movielens_id(user), parse_movielens_id(movie), _number(rating, OFF_SCALE), _number(at, NOT_A_TIME)


def _number(text: str, fault: str) -> float:
    if not NUMBER.fullmatch(text.strip()):
        raise LineError(fault)
    return float(text)


def _reject_invalid(rows: _Rows, known: Column, shape: Format, report: LineReport) -> _Rows:
    """Return the valid rows; report each invalid row with its first fault."""
    user, movie, rating, at, line = rows
    report.read += len(line)
    faults = {
        ID_RANGE: (user < 1) | (movie < 1),
        OWN_USER: user >= USER_OFFSET,
        f"a movie that is not in {shape.movies.file}": ~np.isin(movie, known),
        OFF_SCALE: ~((rating >= 0.5) & (rating <= 5) & (rating * 2 == np.floor(rating * 2))),
        NOT_A_TIME: ~((at >= 0) & (at <= LAST_SECOND)),
    }
    good = np.ones(len(line), bool)
    for reason, bad in faults.items():
        if bad.any():
            report.reject(reason, line[bad & good].tolist())
            good &= ~bad
    return _Rows(user[good], movie[good], rating[good].astype(np.float32), at[good].astype(np.int64), line[good])


def _joined(parts: list[_Rows]) -> _Rows:
    """Return the concatenated parts, and empty the list, because both forms at once would take twice the memory."""
    columns = [list(pieces) for pieces in zip(*parts, strict=True)]
    parts.clear()
    return _Rows(*(np.concatenate(columns.pop(0)) for _ in _Rows._fields))


def _latest(rows: _Rows, report: LineReport) -> Ratings:
    """Return ratings sorted by user and movie; only the last by time, then by line, for each user and movie."""
    ratings = Ratings(rows.user, rows.movie, rows.rating, rows.at)
    key = rows.user.astype(np.int64)
    key *= INT32 + 1
    key += rows.movie
    if np.all(key[1:] > key[:-1]):
        return ratings  # most datasets are sorted
    order = np.argsort(key, kind="stable")
    same = np.diff(key[order]) == 0
    # Sort only repeated ratings by time: with time as a key for all, 30 million ratings took 44 s.
    shared = np.append(same, False) | np.append(False, same)
    again = order[shared]
    order[shared] = again[np.lexsort((rows.at[again], key[again]))]
    last = np.append(~same, True)
    report.reject(DUPLICATE_RATING, rows.line[order[~last]].tolist())
    return ratings.take(order[last])
