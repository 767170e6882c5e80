"""Export all users and ratings, as of one moment, to a file that other programs can read."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from jobs.event_files import compressed, kind_of
from storage import bulk_transfer
from storage.database import Database
from system.atomic_file import atomic_write
from system.progress import progress


def export_events(database: Database, file: Path) -> int:
    """Write users and ratings to a file, which appears when it is complete; return the number of lines.

    Raises `EventsError` for a name that stands for no format.
    """
    kind = kind_of(file)
    with database.snapshot() as db, atomic_write(file) as part:
        lines = bulk_transfer.count(db, kind)
        with progress(lines, f"writing {file.name}", unit="line") as advance, compressed(part, file) as out:
            bulk_transfer.write(db, kind, cast(IO[bytes], LineCountingFile(out, advance)))
    return lines


class LineCountingFile:
    """A file to write to, which reports the number of lines of each write."""

    def __init__(self, file: IO[bytes], advance: Callable[[int], object]) -> None:
        self._file, self._advance = file, advance

    def write(self, data: bytes) -> int:
        """Write the lines and report their number."""
        self._advance(data.count(b"\n"))
        return self._file.write(data)
