"""Everybody and what they thought of films, as of one moment, into a file that others can read."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from jobs.event_files import kind_of, packed
from runtime.new_file import written_whole
from runtime.progress import progress
from storage import transfer
from storage.database import Database


def export_events(database: Database, file: Path) -> int:
    """Write people and ratings to a file, which is there once it is complete; how many lines that was.

    Raises `EventsError` for a name that does not say what to write.
    """
    kind = kind_of(file)
    with database.snapshot() as db, written_whole(file) as part:
        lines = transfer.count(db, kind)
        with progress(lines, f"writing {file.name}", unit="line") as advance, packed(part, file) as out:
            transfer.write(db, kind, cast(IO[bytes], Watched(out, advance)))
    return lines


class Watched:
    """A file to write to, of whose lines somebody is told."""

    def __init__(self, file: IO[bytes], advance: Callable[[int], object]) -> None:
        self._file, self._advance = file, advance

    def write(self, data: bytes) -> int:
        """Write some lines."""
        self._advance(data.count(b"\n"))
        return self._file.write(data)
