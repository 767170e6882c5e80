"""Impressions and events: stored in batches, kept in a partition for each day, dropped when they are old."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, text

OUTCOME_DAYS = 7  # how long after an impression a rating or an event counts as its outcome
LOCK = 0x4D617433  # an arbitrary number
# a change of partitions waits for writers of users, and whoever comes later waits for it
LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '200ms'")
# The users are locked as the foreign keys would do: no user can be deleted before the transaction ends.
_COLUMNS = (
    "list_id, at, user_id, generation_id, experiment, arm, route, first_place, movie_ids, expected_ratings, teams, "
    "explored, times"
)
_ADD = text(f"""
    INSERT INTO impressions ({_COLUMNS}) SELECT {_COLUMNS}
    FROM jsonb_populate_recordset(NULL::impressions, CAST(:rows AS jsonb)) AS shown
        JOIN users ON users.id = shown.user_id FOR KEY SHARE OF users
    ON CONFLICT DO NOTHING
""")  # noqa: S608 - no part of it comes from outside


@dataclass(frozen=True)
class ShownList:
    """A list as it was shown, without its user: equal ones are the same list.

    Attributes:
        generation_id: None before the first.
        experiment, arm: None outside of experiments, and `arm` where the list is interleaved.
        first_place: the place of its first movie in the whole list, from 1.
        expected_ratings: those shown, by movie; they follow from the movies and do not make another list.
        teams: of an interleaved list, the arm that chose each movie.
        explored: which movies were drawn for exploration; None if none was.
    """

    generation_id: int | None
    movie_ids: tuple[int, ...]
    expected_ratings: Sequence[float] = field(compare=False)
    first_place: int = 1
    experiment: str | None = None
    arm: str | None = None
    teams: tuple[str, ...] | None = None
    explored: tuple[bool, ...] | None = None


class Impression(NamedTuple):
    """A list that was shown to a user, by a route."""

    list_id: str
    at: datetime
    user_id: int
    route: str
    shown: ShownList


class Event(NamedTuple):
    """What a user did with a movie of a list: `event` is "opened"."""

    list_id: str
    movie_id: int
    event: str
    at: datetime


def add(db: Connection, impressions: Iterable[Impression]) -> None:
    """Store impressions of users who still exist.

    Those that were stored before, by a transaction whose answer was lost, stay as they are.
    """
    rows = [
        {"list_id": list_id, "at": at.isoformat(), "user_id": user_id, "route": route, "times": 1} | vars(shown)
        for list_id, at, user_id, route, shown in impressions
    ]
    db.execute(_ADD, {"rows": json.dumps(rows)})


def add_times(db: Connection, times: Mapping[str, int]) -> None:
    """Count that lists of the last hour were shown again, by their ids."""
    statement = text("""
        UPDATE impressions SET times = times + again.n
        FROM unnest(CAST(:lists AS uuid[]), CAST(:times AS int[])) AS again (list_id, n)
        WHERE impressions.list_id = again.list_id AND at > now() - interval '1 hour'
    """)
    db.execute(statement, {"lists": list(times), "times": list(times.values())})


def add_events(db: Connection, events: Sequence[Event]) -> None:
    """Store events whose list showed the movie in the last days; skip the others, and those already stored."""
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
        if db.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is None:
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
    if db.scalar(text("SELECT to_regclass('events')")) is None:  # the service has just begun to start
        return
    db.execute(LOCK_TIMEOUT)
    names = db.scalars(
        text("SELECT relid::text FROM pg_partition_tree('impressions') WHERE isleaf AND relid::text < :first"),
        {"first": partition(day)},
    ).all()
    for name in names:
        db.execute(text(f"DROP TABLE {name}"))
    db.execute(text("DELETE FROM events WHERE at < :day"), {"day": datetime(day.year, day.month, day.day, tzinfo=UTC)})
