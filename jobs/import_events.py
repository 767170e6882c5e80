"""People and ratings from a file, in batches each of which is stored whole or not at all."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.event_files import Bad, Event, EventsError, Person, kind_of, read
from jobs.job_run import OUTAGE_SECONDS, retry
from settings import LAST_USER_ID
from storage import bulk_transfer, movies
from storage.bulk_transfer import MergeCounts, TimedRating
from storage.database import Database
from system.progress import progress

log = logging.getLogger(__name__)

BATCH = 10_000  # lines: whoever rates a movie waits while a batch with their ratings is stored
LARGEST_BATCH = 10 * BATCH
BAD_LINES_SHOWN = 10


@dataclass
class ImportCounts:
    """What became of the lines of a file."""

    people: int = 0
    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    bad: int = 0

    def add(self, merged: MergeCounts) -> None:
        """Count a batch."""
        self.people += merged.people
        self.created += merged.created
        self.replaced += merged.replaced
        self.unchanged += merged.unchanged

    def __str__(self) -> str:
        return (
            f"{self.people:,} people made; {self.created:,} ratings new, {self.replaced:,} in place of an older one, "
            f"{self.unchanged:,} changed nothing; {self.bad:,} bad lines passed over"
        )


def import_events(database: Database, file: Path, source: str | None, skip_bad: bool) -> ImportCounts:
    """Store what a file tells; importing it again, or one that was cut off, does no harm.

    Args:
        source: where the people have their names, by which the same are found again; None if these are ids of ours,
            to be kept in a database that has no other users.

    Raises `EventsError` for a file that is none, and for a bad line unless these are to be skipped: what comes before
    its batch is stored then, and nothing of its batch.
    """
    kind_of(file)
    with database.statement() as db:
        movie_ids = frozenset(movies.ids(db).tolist())
        if source is None and bulk_transfer.has_other_users(db):
            raise EventsError("ids can be kept only where nobody has been made but by such an import; name a --source")
    done = ImportCounts()
    with progress(file.stat().st_size, f"reading {file.name}", unit="B") as advance:
        lines = (
            (number, _kept(event) if source is None else event) for number, event in read(file, movie_ids, advance)
        )
        for batch in batches(_good(file, lines, skip_bad, done)):
            done.add(_store(database, batch, source))
    return done


def _good(file: Path, lines: Iterable[tuple[int, Event | Bad]], skip_bad: bool, done: ImportCounts) -> Iterator[Event]:
    for number, event in lines:
        if not isinstance(event, Bad):
            yield event
        elif not skip_bad:
            raise EventsError(
                f"{file}: line {number}: {event.reason}. Correct it and import the file again: lines that are stored "
                "already do no harm. --skip-bad passes bad lines over"
            )
        else:
            done.bad += 1
            if done.bad <= BAD_LINES_SHOWN:
                log.warning("%s: line %d: %s", file, number, event.reason)


def batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Batches that leave together what a file tells of one person in a row, so that it can be put in order of time."""
    batch: list[Event] = []
    for event in events:
        if len(batch) >= LARGEST_BATCH or (len(batch) >= BATCH and event.user != batch[-1].user):
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch


def _store(database: Database, batch: list[Event], source: str | None) -> MergeCounts:
    people = dict.fromkeys(event.user for event in batch) | {
        event.user: event.made_at for event in batch if isinstance(event, Person)
    }
    ratings = [event for event in batch if isinstance(event, TimedRating)]

    def store() -> MergeCounts:
        with database.background_transaction() as db:
            return bulk_transfer.merge(db, people, ratings, source)

    return retry(store, OUTAGE_SECONDS)


def _kept(event: Event | Bad) -> Event | Bad:
    if isinstance(event, Bad):
        return event
    if event.user.isascii() and event.user.isdecimal() and 1 <= int(event.user) <= LAST_USER_ID:
        return event._replace(user=str(int(event.user)))
    return Bad(f"user_id {event.user!r} cannot be an id here: those are whole numbers from 1 to {LAST_USER_ID}")
