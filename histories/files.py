"""Unpack and decode an imported file, and refuse what cannot be read."""

import io
import zipfile
import zlib
from typing import NamedTuple

from histories.rows import HistoryFileError

LARGEST_FILE = 10 * 1024 * 1024
LARGEST_UNPACKED = 64 * 1024 * 1024
MOST_MEMBERS = 5000
IGNORED_FOLDERS = {"deleted", "orphaned", "lists", "__macosx", "comments", "hidden"}
# what zipfile raises of an archive that was cut, changed, or written by means that it does not know
DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError)


class HistoryText(NamedTuple):
    """A text with its name in an archive, in lower case; "" of a file that is no archive."""

    name: str
    text: str


def texts(data: bytes) -> list[HistoryText]:
    """Return the texts in a file, those of an archive by name. Raises `HistoryFileError`."""
    if len(data) > LARGEST_FILE:
        raise HistoryFileError(f"the file is larger than {LARGEST_FILE // 2**20} MiB")
    if not data.strip():
        raise HistoryFileError("the file is empty")
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unpacked(data)
    return [HistoryText("", decode(data))]


def decode(data: bytes) -> str:
    """Return a text in UTF-8, in UTF-16 with a byte order mark, or in Windows-1252. Raises `HistoryFileError`."""
    encodings = ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        if text.lstrip()[:14].lower().startswith(("<!doctype html", "<html")):
            raise HistoryFileError("this is a web page and not an export: sign in there, and save the export again")
        return text
    raise HistoryFileError("this is no text in UTF-8, UTF-16 or Windows-1252: bring the export as it was saved")


def _unpacked(data: bytes) -> list[HistoryText]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if _is_wanted(member.filename)]
            if any(member.flag_bits & 1 for member in members):
                raise HistoryFileError("the archive is encrypted: unpack it, and bring what is in it")
            # zipfile reads no more of a member than is declared here
            if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > LARGEST_UNPACKED:
                raise HistoryFileError(f"the archive unpacks to more than {LARGEST_UNPACKED // 2**20} MiB")
            return [HistoryText(member.filename.lower(), decode(archive.read(member))) for member in members]
    except DAMAGED as error:
        raise HistoryFileError("the archive is damaged: save it again") from error


def _is_wanted(name: str) -> bool:
    *folders, file = name.lower().split("/")
    return file.endswith((".csv", ".json", ".xml")) and not IGNORED_FOLDERS & set(folders)
