"""The state of the database for operators and metrics: whether it is usable, its contents and its statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from storage import generations, schema
from storage.driver_errors import READ_ONLY_ADVICE
from storage.errors import DatabaseRefusedError

OLDEST_SERVER_VERSION = 130000  # server_version_num: what the statements of storage/ need
RUNS_SHOWN = 5

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


def server_properties(db: Connection) -> Row[Any]:
    """Return the properties of the server as (version, version_num, connections, may_create, writable)."""
    return db.execute(
        text("""
            SELECT current_setting('server_version') AS version,
                current_setting('server_version_num')::integer AS version_num,
                current_setting('max_connections')::integer AS connections,
                coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
                NOT pg_is_in_recovery()
                    AND NOT current_setting('default_transaction_read_only')::boolean AS writable
        """)
    ).one()


def refuse_read_only(db: Connection) -> None:
    """Raise `DatabaseRefusedError` for a standby, and for a database whose transactions are read-only."""
    if not server_properties(db).writable:
        raise DatabaseRefusedError(f"The database is a standby, or read-only. {READ_ONLY_ADVICE}")


def identity(db: Connection) -> str:
    """Return text that differs between databases; a restored backup is another database than the one it is of."""
    # the server's id, and the table's, which is counted up within a server: a restore creates the table again
    return db.scalar(text("SELECT system_identifier || '.' || 'users'::regclass::oid FROM pg_control_system()"))


def database_facts(db: Connection) -> dict[str, Any]:
    """Return PostgreSQL's version, the size of the database in bytes, and the revision of the tables."""
    statement = text(
        "SELECT current_setting('server_version') AS server, pg_database_size(current_database()) AS bytes"
    )
    return {**db.execute(statement).one()._mapping, "revision": schema.current(db)}


def contents(db: Connection) -> dict[str, Any]:
    """Return what tables of the newest revision hold: counts, the live generation, and the newest runs first."""
    counts = text("""
        SELECT (SELECT count(*) FROM movies) AS films, (SELECT count(*) FROM users) AS users,
            (SELECT count(*) FROM views) AS ratings,
            (SELECT count(*) FROM generations WHERE factors IS NOT NULL) AS generations_kept
    """)
    runs = text("""
        SELECT id, kind, started_at, finished_at, phase, progress, outcome, error
        FROM runs ORDER BY id DESC LIMIT :limit
    """)
    live = generations.live(db)
    return {
        **db.execute(counts).one()._mapping,
        "generation": dict(live._mapping) if live else None,
        "runs": [dict(run._mapping) for run in db.execute(runs, {"limit": RUNS_SHOWN})],
    }


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


def statistics(db: Connection) -> DatabaseStatistics:
    """Read the statistics without reading a table that grows with users or ratings."""
    sizes = db.execute(_SIZES).one()
    verdicts = {row.verdict: row.generations for row in db.execute(_VERDICTS)}
    runs = db.execute(_RUNS).all()
    return DatabaseStatistics(sizes.bytes, **sizes.rows, live=generations.live(db), verdicts=verdicts, runs=runs)
