"""Back up the whole database to one file, and restore it into an empty database.

The file is an archive of pg_dump (custom format, data only), then two lines: the manifest as JSON, and the SHA-256 of
all bytes before it. pg_restore ignores these lines. They exist because an archive has no checksum, so that a flipped
bit could change a rating.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

from sqlalchemy import Connection

from embedded.client_programs import program_output
from storage import backup as stored
from storage import schema
from storage.database import Database
from storage.errors import BackupError
from system.disk import atomic_write
from system.progress import progress

ARCHIVE_START, ZIP_START = b"PGDMP", b"PK\x03\x04"
DIGEST_LENGTH = 64  # length of the SHA-256 in hex at the end of the file
LONGEST_MANIFEST = 1 << 16
PIECE = 1 << 20
OLDEST_PG_RESTORE = 13  # pg_restore itself reports an archive of a newer pg_dump that it cannot read


@dataclass(frozen=True)
class Manifest:
    """The contents of a backup.

    Attributes:
        revision: the schema revision of the tables.
        taken_at: the time of the backup, in ISO 8601.
        rows: the number of rows of each table.
    """

    revision: str
    taken_at: str
    rows: dict[str, int]


def backup(database: Database, file: Path) -> Manifest:
    """Write a consistent snapshot of the whole database to a file, which appears only when it is complete.

    Tables of an earlier revision are written as they are; tables of other programs are left out.

    Raises:
        BackupError: there are no tables.
        UnknownRevisionError: the tables are of a later revision, which this version could not back up completely.
        PostgresError: pg_dump fails, or is missing for the server's version.
    """
    with database.snapshot() as db, atomic_write(file) as part:
        revision = stored.known_revision(db)
        if revision is None:
            raise BackupError("There is nothing to back up: the tables do not exist yet.")
        with open(part, "wb", opener=partial(os.open, mode=0o600)) as out:  # private: it has the users' ratings
            manifest = _write(db, out, revision, file.name)
            out.flush()
            os.fsync(out.fileno())
    return manifest


def check(file: Path) -> Manifest:
    """Read a whole backup. Raises `BackupError` or `PostgresError` unless this version can restore it."""
    with file.open("rb") as opened:
        _refuse_other_formats(file, opened.read(len(ARCHIVE_START)))
        end = max(0, opened.seek(0, os.SEEK_END) - DIGEST_LENGTH)
        digest = _digest(opened, end, file.name)
        if opened.read().decode(errors="replace") != digest:
            raise BackupError(f"{file} is no backup of Matinee, or a damaged one: its checksum does not match.")
        opened.seek(max(0, end - LONGEST_MANIFEST))
        facts = json.loads(opened.read().splitlines()[-2])
    if facts["revision"] not in schema.revisions():
        raise BackupError(
            f"{file} cannot be restored: its tables are of revision {facts['revision']}, and this version of Matinee "
            f"knows them up to {schema.head()}. Restore it with the version that took it, or a later one."
        )
    manifest = Manifest(**facts)
    with program_output("pg_restore", OLDEST_PG_RESTORE, "--list", file.absolute()) as contents:
        contents.read()
    return manifest


def restore(database: Database, file: Path) -> Manifest:
    """Restore a backup into an empty database in one transaction, and migrate it to the newest revision.

    Tables of other programs stay unchanged.

    Raises:
        BackupError: the file is damaged, no backup, or of a later version, or objects of other programs depend on
            tables that must be replaced; the database is unchanged.
        NotEmptyError: Matinee's tables have rows.
        UnknownRevisionError: the database has tables of a later version.
        PostgresError: pg_restore is missing or fails.
    """
    manifest = check(file)
    with database.background_transaction() as db:
        stored.make_empty(db, manifest.revision)
        with (
            program_output("pg_restore", OLDEST_PG_RESTORE, "--file=-", file.absolute()) as script,
            progress(sum(manifest.rows.values()), f"restoring {file.name}", unit=" rows") as advance,
        ):
            stored.fill(db, script, advance)
        stored.finish(db)
    return manifest


def _write(db: Connection, out: IO[bytes], revision: str, name: str) -> Manifest:
    taken_at, digest = datetime.now(UTC).isoformat(timespec="seconds"), hashlib.sha256()
    for piece in _dump(db, name):
        digest.update(piece)
        out.write(piece)
    # count after pg_dump: before it, a deadlock is possible with a change of a table that waits for our locks
    manifest = Manifest(revision, taken_at, stored.count_rows(db))
    end = f"\n{json.dumps(asdict(manifest))}\n".encode()
    digest.update(end)
    out.write(end + digest.hexdigest().encode())
    return manifest


def _dump(db: Connection, name: str) -> Iterator[bytes]:
    """Yield the archive that pg_dump makes of Matinee's tables in the snapshot of `db`."""
    address, password = stored.connection_string(db)
    names = [f"--table={qualified}" for qualified in stored.tables(db).values()]
    # most bytes are factors, which are nearly random: stronger compression only takes longer
    options = ["--format=custom", "--compress=1", "--data-only", "--encoding=UTF8", "--no-password", "--strict-names"]
    options += [f"--snapshot={stored.export_snapshot(db)}", *names, address]
    with (
        program_output("pg_dump", stored.server_version(db), *options, password=password) as archive,
        progress(None, f"writing {name}", unit="B") as advance,
    ):
        while piece := archive.read(PIECE):
            yield piece
            advance(len(piece))


def _refuse_other_formats(file: Path, start: bytes) -> None:
    if start.startswith(ZIP_START):
        raise BackupError(
            f"{file} is a zip, as the first edition of Matinee made its backups. Restore it with that edition into an "
            "empty database; this edition brings that to its own tables when it starts."
        )
    if start != ARCHIVE_START:
        raise BackupError(f"{file} is no backup of Matinee, or a damaged one.")


def _digest(opened: IO[bytes], end: int, name: str) -> str:
    """Return the SHA-256, in hex, of a file up to `end`, and leave its position there."""
    digest = hashlib.sha256()
    opened.seek(0)
    with progress(end, f"checking {name}", unit="B") as advance:
        while piece := opened.read(min(PIECE, end - opened.tell())):
            digest.update(piece)
            advance(len(piece))
    return digest.hexdigest()
