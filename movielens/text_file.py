"""The start of a text file: its byte order mark, its header, and the kinds of text that are refused."""

import codecs
import csv
from typing import BinaryIO

from movielens.line_report import DatasetError

OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # the mark of UTF-32 begins with the first of these


def require_lines(file: str, start: bytes) -> None:
    """Raise `DatasetError` if the file that begins so is UTF-16, or ends its lines with a carriage return alone."""
    if start.startswith(OTHER_ENCODINGS) or b"\0" in start[:2]:
        raise DatasetError(f"{file} is UTF-16 text. Save it as UTF-8.")
    if b"\n" not in start and b"\r" in start.rstrip():
        raise DatasetError(f"{file} ends its lines with a carriage return alone. Save it with line feeds (Unix).")


def skip_byte_order_mark(file: BinaryIO) -> None:
    """Move from the start of a UTF-8 file behind its byte order mark, if it has one."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)


def header_names(line: bytes, separator: str = ",") -> list[str]:
    """Return the names of the columns in the first line of a file, or none if it is not CSV."""
    text = line.decode("utf-8-sig", "replace").strip()
    try:
        return [name.strip() for name in next(csv.reader([text], delimiter=separator), [])]
    except csv.Error:
        return []
