"""Everybody and what they thought of movies, as of one moment, into a file that others can read."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from jobs.event_files import kind_of, packed
from storage import bulk_transfer
from storage.database import Database
from system.atomic_file import atomic_write
from system.progress import progress


def export_events(database: Database, file: Path) -> int:
    """Write people and ratings to a file, which is there once it is complete; how many lines that was.

    Raises `EventsError` for a name that does not say what to write.
    """
    kind = kind_of(file)
    with database.snapshot() as db, atomic_write(file) as part:
        lines = bulk_transfer.count(db, kind)
        with progress(lines, f"writing {file.name}", unit="line") as advance, packed(part, file) as out:
            bulk_transfer.write(db, kind, cast(IO[bytes], LineCountingFile(out, advance)))
    return lines


class LineCountingFile:
    """A file to write to, of whose lines somebody is told."""

    def __init__(self, file: IO[bytes], advance: Callable[[int], object]) -> None:
        self._file, self._advance = file, advance

    def write(self, data: bytes) -> int:
        """Write some lines."""
        self._advance(data.count(b"\n"))
        return self._file.write(data)
