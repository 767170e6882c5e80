"""Import users and ratings from a file, in batches with a transaction each."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.job_run import OUTAGE_SECONDS, retry
from jobs.transfer_files import TransferFileError, kind_of, read
from jobs.transfer_rows import RatingRow, TransferRow, UserRow
from movielens.line_report import LineError
from settings import LAST_USER_ID
from storage import bulk_transfer, movies
from storage.bulk_transfer import MergeCounts, TimedRating
from storage.database import Database
from system.progress import progress

log = logging.getLogger(__name__)

BATCH = 10_000  # lines; while a batch is stored, requests that change ratings of its users wait
LARGEST_BATCH = 10 * BATCH
BAD_LINES_SHOWN = 10
Check = Callable[[TransferRow], TransferRow]


@dataclass
class ImportCounts:
    """The numbers of a file's lines by result."""

    users: int = 0
    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    bad: int = 0

    def add(self, merged: MergeCounts) -> None:
        """Add the counts of a batch."""
        for name, count in merged._asdict().items():
            setattr(self, name, getattr(self, name) + count)

    def __str__(self) -> str:
        return (
            f"users created: {self.users:,}; ratings created: {self.created:,}, replaced by a later one: "
            f"{self.replaced:,}, unchanged: {self.unchanged:,}; bad lines skipped: {self.bad:,}"
        )


def import_users(database: Database, file: Path, source: str | None, skip_bad: bool) -> ImportCounts:
    """Store the users and ratings of a file. Importing a file again, also after an interrupted import, is harmless.

    Args:
        source: the system that the user ids come from, by which the same users are found again; None if the ids are
            ours and are to be kept, in a database that has no other users.

    Raises `TransferFileError` for a file of another kind, and for a bad line unless bad lines are skipped. The batches
    before such a line are stored, and nothing of its own batch.
    """
    kind_of(file)
    with database.statement() as db:
        movie_ids = frozenset(movies.ids(db).tolist())
        if source is None and bulk_transfer.has_other_users(db):
            raise TransferFileError(
                "--keep-ids needs a database whose users all come from such an import; name a --source"
            )

    def check(row: TransferRow) -> TransferRow:
        if isinstance(row, RatingRow) and row.movie_id not in movie_ids:
            raise LineError(f"there is no movie {row.movie_id}")
        return row if source is not None else _with_own_id(row)

    counts = ImportCounts()
    with progress(file.stat().st_size or None, f"reading {file.name}", unit="B") as advance:
        for batch in batches(_good_rows(file, advance, check, skip_bad, counts)):
            counts.add(_store(database, batch, source))
    return counts


def _good_rows(
    file: Path, advance: Callable[[int], object], check: Check, skip_bad: bool, counts: ImportCounts
) -> Iterator[TransferRow]:
    for number, row in read(file, advance):
        try:
            if isinstance(row, LineError):
                raise row
            yield check(row)
        except LineError as error:
            if not skip_bad:
                raise TransferFileError(
                    f"{file}: line {number}: {error}. Correct it and import the file again: lines that are stored "
                    "already do no harm. --skip-bad skips bad lines"
                ) from error
            counts.bad += 1
            if counts.bad <= BAD_LINES_SHOWN:
                log.warning("%s: line %d: %s", file, number, error)


def batches(rows: Iterable[TransferRow]) -> Iterator[list[TransferRow]]:
    """Yield batches that keep consecutive lines of a user together, so that they can be sorted by time."""
    batch: list[TransferRow] = []
    for row in rows:
        if len(batch) >= LARGEST_BATCH or (len(batch) >= BATCH and row.user_id != batch[-1].user_id):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _store(database: Database, batch: list[TransferRow], source: str | None) -> MergeCounts:
    joined = dict.fromkeys(row.user_id for row in batch) | {
        row.user_id: row.created_at for row in batch if isinstance(row, UserRow)
    }
    ratings = [
        TimedRating(row.user_id, row.movie_id, row.rating, row.rated_at) for row in batch if isinstance(row, RatingRow)
    ]

    def store() -> MergeCounts:
        with database.background_transaction() as db:
            return bulk_transfer.merge(db, joined, ratings, source)

    return retry(store, OUTAGE_SECONDS)


def _with_own_id(row: TransferRow) -> TransferRow:
    """Return the row with its user id in canonical form. Raises `LineError` if it cannot be an id of this service."""
    name = row.user_id
    if not (name.isascii() and name.isdecimal() and 1 <= int(name) <= LAST_USER_ID):
        raise LineError(f"user_id {name!r} cannot be an id here: those are whole numbers from 1 to {LAST_USER_ID}")
    row.user_id = str(int(name))
    return row
