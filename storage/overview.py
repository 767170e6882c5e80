"""An overview of a database for its operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from storage import generations, schema

RUNS_SHOWN = 5


@dataclass(frozen=True)
class Contents:
    """The contents of tables of the newest revision; `live` as `generations.recent` returns it, newest runs first."""

    movies: int
    users: int
    ratings: int
    generations_kept: int
    live: Row[Any] | None
    runs: Sequence[Row[Any]]


@dataclass(frozen=True)
class Overview:
    """A database: PostgreSQL's version, its size, the tables' revision, and their contents if that is the newest."""

    server: str
    bytes: int
    revision: str | None
    contents: Contents | None


def take(db: Connection) -> Overview:
    """Read the overview; `db` must be a `Database.snapshot`."""
    server, size = db.execute(
        text("SELECT current_setting('server_version'), pg_database_size(current_database())")
    ).one()
    revision = schema.current(db)
    return Overview(server, size, revision, _contents(db) if revision == schema.head() else None)


def _contents(db: Connection) -> Contents:
    counts = db.execute(
        text("""
            SELECT (SELECT count(*) FROM movies) AS movies, (SELECT count(*) FROM users) AS users,
                (SELECT count(*) FROM views) AS ratings,
                (SELECT count(*) FROM generations WHERE factors IS NOT NULL) AS generations_kept
        """)
    ).one()
    runs = db.execute(
        text("""
            SELECT id, kind, started_at, finished_at, phase, progress, outcome, error
            FROM runs ORDER BY id DESC LIMIT :limit
        """),
        {"limit": RUNS_SHOWN},
    ).all()
    return Contents(**counts._mapping, live=generations.live(db), runs=runs)
