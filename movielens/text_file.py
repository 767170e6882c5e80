"""Read text files with columns: byte order mark, header, encoding and lines; refuse unsupported kinds of text."""

import codecs
import csv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from movielens.line_report import DatasetError, LineError, LineReport

LONGEST_LINE = 1 << 16
OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # the mark of UTF-32 begins with the first one


def require_lines(file: str, start: bytes) -> None:
    """Raise `DatasetError` if a file with this start is UTF-16, or ends lines with a carriage return alone."""
    if start.startswith(OTHER_ENCODINGS) or b"\0" in start[:2]:
        raise DatasetError(f"{file} is UTF-16 text. Save it as UTF-8.")
    if b"\n" not in start and b"\r" in start.rstrip():
        raise DatasetError(f"{file} ends its lines with a carriage return alone. Save it with line feeds (Unix).")


def skip_byte_order_mark(file: BinaryIO) -> None:
    """Move to the end of the byte order mark of a UTF-8 file, if it has one."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)


def header_names(line: bytes, separator: str = ",") -> list[str]:
    """Return the column names in the first line of a file; empty if it is not CSV."""
    text = line.decode("utf-8-sig", "replace").strip()
    try:
        return [name.strip() for name in next(csv.reader([text], delimiter=separator), [])]
    except csv.Error:
        return []


@dataclass(frozen=True)
class FileFormat:
    """The format of a text file with columns.

    Attributes:
        columns: with a header, the columns it must have; without a header, all columns in order.
        encodings: the first one that decodes the whole file is used; if none does, the first one, line by line.
    """

    file: str
    separator: str
    columns: tuple[str, ...]
    header: bool = False
    quoted: bool = False
    encodings: tuple[str, ...] = ("utf-8",)

    @property
    def first_line(self) -> int:
        """Return the number of the first line after the header."""
        return 2 if self.header else 1

    def names(self, header: bytes) -> list[str]:
        """Return the names of all columns from the file's first line. Raises `DatasetError` for a missing one."""
        if not self.header:
            return list(self.columns)
        # RecBole's names include a type: "rating:float"
        found = [name.partition(":")[0] for name in header_names(header, self.separator)]
        if missing := [name for name in self.columns if name not in found]:
            raise DatasetError(
                f"{self.file} has no column {', '.join(missing)}; its first line names: "
                f"{', '.join(found)[:500] or 'none'}. "
                "Give an unchanged MovieLens file, with its header."
            )
        return found

    def encoding(self, file: BinaryIO) -> str:
        """Return the encoding of a whole file, and leave the file's position at its start."""
        for encoding in self.encodings:
            with suppress(UnicodeDecodeError):
                for line in file:
                    line.decode(encoding)
                file.seek(0)
                return encoding
            file.seek(0)
        return self.encodings[0]

    def fields(self, line: bytes, width: int, encoding: str = "utf-8") -> list[str]:
        """Return the fields of a line. Raises `LineError` unless it is text with `width` fields."""
        if len(line) > LONGEST_LINE:
            raise LineError(f"more than {LONGEST_LINE:,} bytes")
        try:
            text = line.rstrip(b"\r\n").decode(encoding)
        except UnicodeDecodeError:
            raise LineError(f"not {encoding.upper()} text") from None
        if "\0" in text:
            raise LineError("not text: it has a zero byte")
        if "\r" in text:
            raise LineError("a carriage return inside the line")
        row = self._unquoted(text) if self.quoted else text.split(self.separator)
        if len(row) != width:
            raise LineError(f"not {width} fields")
        return row

    def _unquoted(self, text: str) -> list[str]:
        # parse each line alone, so that an open quote affects only its line and not the rest of the file
        try:
            return next(csv.reader([text], delimiter=self.separator, strict=True), [])
        except csv.Error:
            raise LineError("quotes that do not match") from None


def rows_of(folder: Path, table: FileFormat, report: LineReport) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number and the fields of each line of a file after its header; report unreadable lines.

    Raises `DatasetError` for a missing column.
    """
    with (folder / table.file).open("rb") as file:
        encoding = table.encoding(file)
        skip_byte_order_mark(file)
        names = table.names(file.readline() if table.header else b"")
        for number, line in enumerate(file, start=table.first_line):
            if not line.strip():
                continue
            report.read += 1
            try:
                yield number, dict(zip(names, table.fields(line, len(names), encoding), strict=True))
            except LineError as fault:
                report.reject(str(fault), [number])
