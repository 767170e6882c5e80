"""Impressions and events: stored in batches, kept in a partition for each day, dropped when they are old."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg2.errors import UniqueViolation
from sqlalchemy import Connection, text

from storage.bulk_copy import copy_in

OUTCOME_DAYS = 7  # how long after an impression a rating or an event counts as its outcome
LOCK = 0x4D617433  # an arbitrary number
# a change of partitions waits for writers of users, and whoever comes later waits for it
LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '200ms'")
# Locked as for the foreign keys, which find that done: nobody can be erased before the transaction ends.
_STILL_THERE = text("SELECT id FROM users WHERE id = ANY(:ids) FOR KEY SHARE")
_COLUMNS = """impressions (list_id, at, user_id, generation_id, experiment, arm, route, first_place, movie_ids,
    expected_ratings, teams, explored, times)"""


@dataclass
class Impression:
    """A list that was shown to a user, and how many times."""

    list_id: str
    at: datetime
    user_id: int
    generation_id: int | None
    experiment: str | None
    arm: str | None
    route: str
    first_place: int
    movie_ids: Sequence[int]
    expected_ratings: Sequence[float]
    teams: Sequence[str] | None
    explored: Sequence[bool] | None = None
    times: int = 1

    @property
    def row(self) -> list[Any]:
        """The values as COPY reads them, arrays in braces."""
        return [
            "{" + ",".join(map(str, value)) + "}" if isinstance(value, list | tuple) else value
            for value in vars(self).values()
        ]


class Event(NamedTuple):
    """What a user did with a movie of a list: `event` is "opened"."""

    list_id: str
    movie_id: int
    event: str
    at: datetime


def add(db: Connection, impressions: Sequence[Impression]) -> None:
    """Store impressions of users who are still there; `db` must be a transaction.

    Those that were stored before, by a transaction whose answer was lost, stay as they are.
    """
    there = set(db.execute(_STILL_THERE, {"ids": list({shown.user_id for shown in impressions})}).scalars())
    rows = io.StringIO()
    csv.writer(rows).writerows(shown.row for shown in impressions if shown.user_id in there)
    rows.seek(0)
    with suppress(UniqueViolation), db.begin_nested():
        copy_in(db, _COLUMNS, rows)


def add_times(db: Connection, times: Mapping[str, int]) -> None:
    """Count that lists of the last hour were shown again, by their ids."""
    statement = text("""
        UPDATE impressions SET times = times + again.n
        FROM unnest(CAST(:lists AS uuid[]), CAST(:times AS int[])) AS again (list_id, n)
        WHERE impressions.list_id = again.list_id AND at > now() - interval '1 hour'
    """)
    db.execute(statement, {"lists": list(times), "times": list(times.values())})


def add_events(db: Connection, events: Sequence[Event]) -> None:
    """Store events with movies that the named lists showed in the last days; others and known ones are passed over."""
    statement = text("""
        INSERT INTO events (list_id, movie_id, event, user_id, at)
        SELECT e.list_id, e.movie_id, e.event, u.id, e.at
        FROM unnest(CAST(:lists AS uuid[]), CAST(:movies AS int[]), CAST(:events AS text[]), CAST(:at AS timestamptz[]))
            AS e (list_id, movie_id, event, at)
        JOIN impressions i ON i.list_id = e.list_id AND e.movie_id = ANY(i.movie_ids)
            AND i.at > now() - make_interval(days => :days)
        JOIN users u ON u.id = i.user_id FOR KEY SHARE OF u
        ON CONFLICT DO NOTHING
    """)
    columns = zip(("lists", "movies", "events", "at"), map(list, zip(*events, strict=True)), strict=True)
    db.execute(statement, {**dict(columns), "days": OUTCOME_DAYS})


def partition(day: date) -> str:
    """Return the name of the partition of a day, in UTC."""
    return f"impressions_{day:%Y%m%d}"


def make_partitions(db: Connection, days: Iterable[date]) -> None:
    """Make the partitions of these days that are missing; `db` must be a transaction.

    They are attached: CREATE TABLE ... PARTITION OF would wait for a backup, and everyone else for it.
    """
    db.execute(LOCK_TIMEOUT)
    db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    for day in sorted(days):
        name = partition(day)
        if db.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is None:
            db.execute(text(f"CREATE TABLE {name} (LIKE impressions INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
            db.execute(
                text(f"""
                    ALTER TABLE impressions ATTACH PARTITION {name}
                    FOR VALUES FROM ('{day}T00:00Z') TO ('{day + timedelta(days=1)}T00:00Z')
                """)
            )


def make_partition_named(db: Connection, name: str) -> None:
    """Make a partition of this name, as a backup has it, if it is the name of one."""
    if re.fullmatch(r"impressions_\d{8}", name):
        make_partitions(db, [datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date()])


def drop_before(db: Connection, day: date) -> None:
    """Drop the partitions of earlier days and the events of that time, if there are tables yet.

    `db` must be a transaction.
    """
    if db.execute(text("SELECT to_regclass('events')")).scalar_one() is None:  # the service has just begun to start
        return
    db.execute(LOCK_TIMEOUT)
    names = db.execute(
        text("SELECT relid::text FROM pg_partition_tree('impressions') WHERE isleaf AND relid::text < :first"),
        {"first": partition(day)},
    ).scalars()
    for name in names.all():
        db.execute(text(f"DROP TABLE {name}"))
    db.execute(text("DELETE FROM events WHERE at < :day"), {"day": datetime(day.year, day.month, day.day, tzinfo=UTC)})
