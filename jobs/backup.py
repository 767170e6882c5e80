"""Everything in the database, as of one moment, in one file; and back from it into an empty database.

The file is a zip: a CSV for each table and a manifest, which comes last, so that a file that was cut off has none.
Values are text, which any version of PostgreSQL reads.
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import Connection

from storage import backup as stored
from storage import schema
from storage.backup import Table
from storage.database import Database
from storage.errors import BackupError
from system.atomic_file import atomic_write
from system.progress import progress

FORMAT = 1
MANIFEST = "manifest.json"
PIECE = 1 << 20
# what reading a file may raise that is no zip, or is damaged, or holds something else
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError)
Advance = Callable[[int], object]


@dataclass(frozen=True)
class Kept:
    """One table in a backup; `last_id` is the newest id given in it, None if it gives none or has not yet."""

    name: str
    columns: list[str]
    rows: int
    sha256: str
    last_id: int | None


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself: the tables' revision, when it was taken, and what is in it."""

    format: int
    revision: str
    taken_at: str
    tables: list[Kept]


def backup(database: Database, file: Path) -> Manifest:
    """Write the whole database, as it is at one moment, to a file that is there once it is complete.

    Tables of an earlier revision are written as they are, and those of somebody else are left out.

    Raises:
        BackupError: there are no tables at all.
        UnknownRevisionError: they are of a later revision, of which this version would leave something out.
    """
    with database.snapshot() as db, atomic_write(file) as part:
        revision, taken_at = stored.known(db), datetime.now(UTC).isoformat(timespec="seconds")
        if revision is None:
            raise BackupError("There is nothing to keep: the tables have not been made yet.")
        stored.fix_forms(db)
        with _new_archive(part) as archive, progress(None, f"writing {file.name}", unit="B") as advance:
            kept = [_keep(db, table, archive, advance) for table in stored.tables(db)]
            manifest = Manifest(FORMAT, revision, taken_at, kept)
            archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
    return manifest


def check(file: Path) -> Manifest:
    """Read a backup from end to end. Raises `BackupError` unless this version could restore it."""
    with file.open("rb") as opened, _telling(file), zipfile.ZipFile(opened) as archive:
        manifest = _manifest(archive)
        with _reading(archive, f"checking {file.name}") as advance:
            for kept in manifest.tables:
                with _content(archive, kept, advance) as content:
                    while content.read(PIECE):
                        pass
    return manifest


def restore(database: Database, file: Path) -> Manifest:
    """Fill an empty database with a backup, in one transaction, and bring it to the newest revision.

    Tables of somebody else may be there, and stay as they are.

    Raises:
        BackupError: the file is damaged, no backup, or made by a later version, or something of somebody else depends
            on tables that would have to be made anew; the database is as it was.
        NotEmptyError: so is this one.
        UnknownRevisionError: this one has tables of a later version.
    """
    manifest = check(file)  # first, since an error in the middle of a COPY would look like one of the database
    with zipfile.ZipFile(file) as archive, database.background_transaction() as db:
        stored.fix_forms(db)
        there = {table.name: table for table in stored.make_empty(db, manifest.revision)}
        if {name: list(table.columns) for name, table in there.items()} != {k.name: k.columns for k in manifest.tables}:
            raise BackupError(f"The tables in {file} are not those of revision {manifest.revision}, which it names.")
        with _reading(archive, f"restoring {file.name}") as advance:
            for kept in manifest.tables:
                _bring_back(db, there[kept.name], kept, archive, advance)
        stored.finish(db)
    return manifest


@contextmanager
def _new_archive(part: Path) -> Iterator[zipfile.ZipFile]:
    """An archive that only its owner may read: it tells what people think of movies."""
    with open(part, "wb", opener=partial(os.open, mode=0o600)) as out:
        # the factors, which are most of it, are next to random: trying harder only takes longer
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            yield archive
        out.flush()
        os.fsync(out.fileno())


def _keep(db: Connection, table: Table, archive: zipfile.ZipFile, advance: Advance) -> Kept:
    with archive.open(_member(table.name), "w", force_zip64=True) as member:
        content = Summed(member, advance)
        rows = stored.write(db, table, cast(IO[bytes], content))
    # asked after the rows were read: an id that was given meanwhile is one more that nobody else will get
    last_id = stored.last_id(db, table) if table.counter else None
    return Kept(table.name, list(table.columns), rows, content.sha256, last_id)


def _bring_back(db: Connection, table: Table, kept: Kept, archive: zipfile.ZipFile, advance: Advance) -> None:
    with _content(archive, kept, advance) as content:
        rows = stored.read(db, table, cast(IO[bytes], content))
    if rows != kept.rows:
        raise BackupError(f"There were {rows} rows of {kept.name} in place of {kept.rows}.")
    if kept.last_id is not None:
        stored.go_on_from(db, table, kept.last_id)


@contextmanager
def _telling(file: Path) -> Iterator[None]:
    """Say of a file that cannot be restored why that is."""
    try:
        yield
    except BackupError as error:
        raise BackupError(f"{file} cannot be restored: {error}") from error
    except BROKEN as error:
        raise BackupError(f"{file} is no backup of Matinee, or a damaged one: {error}") from error


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    told: dict[str, Any] = json.loads(archive.read(MANIFEST))
    if told["format"] != FORMAT:
        raise BackupError(f"it has format {told['format']}, and this version of Matinee reads format {FORMAT}")
    if told["revision"] not in schema.revisions():
        raise BackupError(
            f"its tables are of revision {told['revision']}, and this version of Matinee knows them up to "
            f"{schema.head()}; restore it with the version that took it, or a later one"
        )
    manifest = Manifest(**told | {"tables": [Kept(**kept) for kept in told["tables"]]})
    _refuse_other_tables(manifest)
    return manifest


def _refuse_other_tables(manifest: Manifest) -> None:
    """An earlier version kept whatever was in the database, which could not be restored."""
    wrong = stored.NAMES ^ {kept.name for kept in manifest.tables}
    if wrong:
        raise BackupError(
            f"{', '.join(sorted(wrong))}: too many or too few for the tables of revision {manifest.revision}, which it "
            "names; take another backup"
        )


@contextmanager
def _content(archive: zipfile.ZipFile, kept: Kept, advance: Advance) -> Iterator["Summed"]:
    """A table's rows, to be read to the end. Raises `BackupError` if they are not those that were written."""
    with archive.open(_member(kept.name)) as member:
        content = Summed(member, advance)
        yield content
    if content.sha256 != kept.sha256:
        raise BackupError(f"what it has of {kept.name} does not match its checksum")


@contextmanager
def _reading(archive: zipfile.ZipFile, what: str) -> Iterator[Advance]:
    size = sum(member.file_size for member in archive.infolist())
    with progress(size, what, unit="B") as advance:
        yield advance


def _member(table: str) -> str:
    return f"{table}.csv"


class Summed:
    """A file to read or to write, with the SHA-256 of all that went through; somebody is told of every piece."""

    def __init__(self, file: IO[bytes], advance: Advance) -> None:
        self._file, self._advance, self._sum = file, advance, hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The checksum, in hex."""
        return self._sum.hexdigest()

    def read(self, size: int) -> bytes:
        """The next bytes, none at the end."""
        return self._through(self._file.read(size))

    def write(self, data: bytes) -> int:
        """Write some bytes."""
        return self._file.write(self._through(data))

    def _through(self, data: bytes) -> bytes:
        self._sum.update(data)
        self._advance(len(data))
        return data
