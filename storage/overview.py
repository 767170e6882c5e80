"""An overview of a database for its operator; `db` must be a `Database.snapshot`."""

from typing import Any

from sqlalchemy import Connection, text

from storage import generations, schema

RUNS_SHOWN = 5


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
