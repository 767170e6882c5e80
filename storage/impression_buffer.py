"""The impressions and events of one process, collected in memory and stored each second.

A read never waits for PostgreSQL because of them: while it is away they are kept up to a limit, and dropped beyond it.
A process that is killed loses those of its last second.
"""

import math
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias

from storage import impressions
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.impressions import Event, Impression, ShownList

MOST_WAITING = 10_000  # impressions, and as many events: 10 MB
MOST_REMEMBERED = 10_000  # users whose last list is known
SAME_WITHIN = timedelta(minutes=10)
EVENT_TRIES = 5  # the impression of an event may still wait in another process
DROP_EVERY = 3600.0  # seconds

RecordedAs: TypeAlias = Literal["stored", "repeated", "dropped"]


@dataclass
class _Batch:
    shown: list[Impression] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    events: list[tuple[Event, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.shown or self.times or self.events)


class ImpressionBuffer:
    """Collects from many threads; one thread calls `store` each second, and once more at the end."""

    def __init__(self, database: Database, days: int, count: Callable[[RecordedAs, int], None]) -> None:
        self._database, self._days, self._count = database, days, count
        self._lock = threading.Lock()
        self._last: dict[int, Impression] = {}  # by user, the oldest first
        self._next, self._batch = _Batch(), _Batch()  # what is collected, and what is being stored
        self._partitions: set[date] = set()
        self._dropped_at = -math.inf

    def shown(self, user_id: int, route: str, found: ShownList) -> str:
        """Record that a user is shown a list; return the list's id.

        The same list within ten minutes has the same id and is counted in its impression.
        """
        now = datetime.now(UTC)
        with self._lock:
            impression = self._last.get(user_id)
            if impression is not None and impression.shown == found and now - impression.at < SAME_WITHIN:
                self._next.times[impression.list_id] += 1
                return impression.list_id
            impression = Impression(str(uuid.uuid4()), now, user_id, route, found)
            self._last.pop(user_id, None)
            self._last[user_id] = impression
            if len(self._last) > MOST_REMEMBERED:
                del self._last[next(iter(self._last))]
            if len(self._next.shown) < MOST_WAITING:
                self._next.shown.append(impression)
                return impression.list_id
        self._count("dropped", 1)
        return impression.list_id

    def happened(self, event: Event) -> None:
        """Record an event; it is stored if its list was shown in the last days and has its movie."""
        with self._lock:
            if len(self._next.events) < MOST_WAITING:
                self._next.events.append((event, EVENT_TRIES))
                return
        self._count("dropped", 1)

    def store(self) -> None:
        """Store what has been collected. During a database outage, keep it for the next call."""
        if not self._batch:
            with self._lock:
                self._batch, self._next = self._next, _Batch()
        try:
            if self._batch:
                self._store(self._batch)
            self._drop_old()
        except DatabaseUnavailableError:
            return
        except Exception:
            self._count("dropped", len(self._batch.shown))
            self._batch = _Batch()
            raise

    def _store(self, batch: _Batch) -> None:
        self._make_partitions({shown.at.date() for shown in batch.shown})
        with self._database.transaction() as db:
            if batch.shown:
                impressions.add(db, batch.shown)
            if batch.times:
                impressions.add_times(db, batch.times)
            if batch.events:
                impressions.add_events(db, [event for event, _ in batch.events])
        self._count("stored", len(batch.shown))
        self._count("repeated", batch.times.total())
        self._batch = _Batch()
        with self._lock:
            self._next.events += [(event, tries - 1) for event, tries in batch.events if tries > 1]

    def _make_partitions(self, days: set[date]) -> None:
        if missing := days - self._partitions:
            with self._database.transaction() as db:
                impressions.make_partitions(db, missing)
            self._partitions |= missing

    def _drop_old(self) -> None:
        if time.monotonic() - self._dropped_at < DROP_EVERY:
            return
        self._dropped_at = time.monotonic()  # first: if a lock is held for long, not each second
        today = datetime.now(UTC).date()
        with self._database.transaction() as db:
            impressions.drop_before(db, today - timedelta(days=self._days))
