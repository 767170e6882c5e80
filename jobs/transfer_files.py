"""Read and write files of all users and ratings of a system: JSON Lines, or CSV with MovieLens's rating columns."""

import codecs
import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from pydantic import ValidationError

from jobs.transfer_rows import JSON_ROW, CsvRatingRow, TransferRow
from movielens.line_report import DatasetError, LineError
from movielens.text_file import header_names, require_lines
from storage import bulk_transfer
from storage.bulk_transfer import CSV_HEADER, Kind
from storage.database import Database
from system.disk import atomic_write
from system.progress import progress
from system.validation_messages import message_of

KINDS: dict[str, Kind] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
COLUMNS = CSV_HEADER.decode().strip().split(",")
LONGEST_LINE = 1 << 16
LINES_PER_REPORT = 1000
COMPRESSION = 6  # 9, the default, takes three times as long for 1 % less
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
Parse = Callable[[bytes], TransferRow]


class TransferFileError(DatasetError):
    """A file of users and ratings cannot be imported; the message says where and why."""


def kind_of(file: Path) -> Kind:
    """Return the format of a file by its name. Raises `TransferFileError`."""
    name = file.name.lower().removesuffix(".gz")
    for suffix, kind in KINDS.items():
        if name.endswith(suffix):
            return kind
    raise TransferFileError(f"{file}: the name must end in .jsonl, .ndjson or .csv, or in one of these and .gz")


@contextmanager
def compressed(file: Path, named: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing, with gzip if its final name, `named`, ends in .gz."""
    with file.open("wb") as raw:
        if not named.name.lower().endswith(".gz"):
            yield raw
            return
        # without a name and a time, so that equal rows give equal files
        with gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as stream:
            yield cast(BinaryIO, stream)


def read(file: Path, advance: Callable[[int], object]) -> Iterator[tuple[int, TransferRow | LineError]]:
    """Yield the number of each line that is not blank, with its row or its error.

    Calls `advance` with the number of bytes that were read, unless the file is a pipe, which has no position.
    Raises `TransferFileError` for a file that does not hold such lines, or is cut short.
    """
    with file.open("rb") as raw:
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw) if file.name.lower().endswith(".gz") else raw)
        parse: Parse = JSON_ROW.validate_json
        done = 0
        for number, line in _lines(file, stream):
            if number == 1 and kind_of(file) == "csv":
                parse = _csv_parser(file, line)
            elif line.strip():
                yield number, _row(line, parse)
            if raw.seekable() and number % LINES_PER_REPORT == 0:
                advance(raw.tell() - done)
                done = raw.tell()


def _lines(file: Path, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number, cut to its first `LONGEST_LINE` bytes."""
    number = 0
    try:
        while line := stream.readline(LONGEST_LINE):
            number += 1
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                rest = stream.readline(LONGEST_LINE)
            if number == 1:
                require_lines(str(file), line)
                line = line.removeprefix(codecs.BOM_UTF8)
            yield number, line
    except DAMAGED as error:
        raise TransferFileError(f"{file} is damaged or cut short after line {number}: {error}") from error


def _row(line: bytes, parse: Parse) -> TransferRow | LineError:
    if len(line) == LONGEST_LINE:
        return LineError(f"longer than {LONGEST_LINE - 1:,} bytes")
    try:
        return parse(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = [str(first["loc"][-1])] if first["loc"] else []
        return LineError(": ".join([*where, message_of(first)]))
    except ValueError as error:
        return LineError(str(error))
    except csv.Error:
        return LineError("not a line of CSV: it has a stray quote or carriage return")


def _csv_parser(file: Path, header: bytes) -> Parse:
    names = header_names(header)
    if missing := [name for name in COLUMNS if name not in names]:
        raise TransferFileError(
            f"{file}: line 1 lacks the columns {', '.join(missing)}. It has {', '.join(names)[:500] or 'none'}; "
            f"an import needs {', '.join(COLUMNS)}."
        )

    def parse(line: bytes) -> CsvRatingRow:
        fields = next(csv.reader([line.decode().rstrip("\r\n")], strict=True))
        if len(fields) != len(names):
            raise ValueError(f"{len(fields)} fields, not {len(names)}")
        return CsvRatingRow.model_validate(dict(zip(names, fields, strict=True)))

    return parse


def export_users(database: Database, file: Path) -> int:
    """Write users and ratings to a file, which appears when it is complete; return the number of lines.

    Raises `TransferFileError` for a name that stands for no format.
    """
    kind = kind_of(file)
    with database.snapshot() as db, atomic_write(file) as part:
        lines = bulk_transfer.count(db, kind)
        with progress(lines, f"writing {file.name}", unit="line") as advance, compressed(part, file) as out:
            bulk_transfer.write(db, kind, cast(IO[bytes], _LineCountingFile(out, advance)))
    return lines


class _LineCountingFile:
    """A file for writing that reports the number of lines of each write."""

    def __init__(self, file: IO[bytes], advance: Callable[[int], object]) -> None:
        self._file, self._advance = file, advance

    def write(self, data: bytes) -> int:
        """Write the lines and report their number."""
        self._advance(data.count(b"\n"))
        return self._file.write(data)
