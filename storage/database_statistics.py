"""Statistics of the database for metrics: sizes, runs of jobs, and the live generation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from storage import generations

# Counting rows would read the tables. PostgreSQL counts changes itself, and forgets the counts in a crash.
_SIZES = text("""
    SELECT pg_database_size(current_database()) AS bytes, json_object_agg(relname, rows) AS rows
    FROM (
        SELECT relname, greatest(pg_stat_get_live_tuples(oid), reltuples, 0)::bigint AS rows
        FROM pg_class WHERE oid IN ('users'::regclass, 'views'::regclass)
    ) AS counted
""")

_VERDICTS = text("SELECT verdict, count(*) AS generations FROM generations GROUP BY verdict")

# All runs counted, with the record of the newest of each kind and outcome.
_RUNS = text("""
    SELECT kind, outcome, runs, seconds, last.finished_at,
        extract(epoch FROM last.finished_at - last.started_at)::float AS last_seconds,
        coalesce(last.details -> 'seconds', '{}') AS phases
    FROM (
        SELECT kind, outcome, count(*) AS runs, max(id) AS id,
            sum(extract(epoch FROM finished_at - started_at))::float AS seconds
        FROM runs WHERE outcome IS NOT NULL GROUP BY kind, outcome
    ) AS ended
    JOIN (SELECT id, started_at, finished_at, details FROM runs) AS last USING (id)
    ORDER BY kind, outcome
""")


@dataclass(frozen=True)
class DatabaseStatistics:
    """The database at one moment.

    Attributes:
        bytes: its size.
        users, views: how many there are, as PostgreSQL estimates.
        live: the live generation, as `generations.recent` returns it.
        verdicts: how many generations have each verdict.
        runs: (kind, outcome, runs, seconds in all, finished_at, last_seconds, phases); the last three of the newest.
    """

    bytes: int
    users: int
    views: int
    live: Row[Any] | None
    verdicts: Mapping[str, int]
    runs: Sequence[Row[Any]]


def read(db: Connection) -> DatabaseStatistics:
    """Read the statistics without reading a table that grows with users or ratings."""
    sizes = db.execute(_SIZES).one()
    verdicts = {row.verdict: row.generations for row in db.execute(_VERDICTS)}
    runs = db.execute(_RUNS).all()
    return DatabaseStatistics(sizes.bytes, **sizes.rows, live=generations.live(db), verdicts=verdicts, runs=runs)
