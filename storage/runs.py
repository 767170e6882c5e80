"""Runs: the record of every job, while it goes on and afterwards."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

INTERRUPTED = "cut off: its process ended, or it lost the database"
_FOLLOWED = """
    SELECT *, outcome IS NULL AND EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = :lock
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS in_progress
    FROM runs
"""


def begin(db: Connection, kind: str) -> int:
    """Open a run. The caller holds the job's lock, so a run still open is that of a process that died."""
    fail_open_run(db, kind, INTERRUPTED)
    statement = text("INSERT INTO runs (kind, phase) VALUES (:kind, 'starting') RETURNING id")
    return int(db.execute(statement, {"kind": kind}).scalar_one())


def fail_open_run(db: Connection, kind: str, error: str) -> None:
    """Say why a run has failed whose process died. The caller holds the job's lock."""
    db.execute(
        text("""
            UPDATE runs SET outcome = 'failed', error = :error, finished_at = clock_timestamp()
            WHERE kind = :kind AND outcome IS NULL
        """),
        {"kind": kind, "error": error},
    )


def advance(db: Connection, run_id: int, phase: str, progress: float) -> None:
    """Say how far a run has come: its phase, and how much of the whole is done, 0 to 1."""
    statement = text("UPDATE runs SET phase = :phase, progress = :progress WHERE id = :id")
    db.execute(statement, {"id": run_id, "phase": phase, "progress": progress})


def end(db: Connection, run_id: int, outcome: str, details: dict[str, Any], error: str | None = None) -> bool:
    """Close a run with its outcome, and with the error if it failed; False if it was closed before."""
    closed = db.execute(
        text("""
            UPDATE runs SET outcome = :outcome, error = :error, details = :details, finished_at = clock_timestamp(),
                progress = CASE WHEN CAST(:error AS text) IS NULL THEN 1 ELSE progress END
            WHERE id = :id AND outcome IS NULL
        """),
        {"id": run_id, "outcome": outcome, "error": error, "details": json.dumps(details)},
    )
    return closed.rowcount > 0


def lock_row(db: Connection, run_id: int) -> int | None:
    """Let nobody else change a run until the transaction ends; the generation it has ended with already, if it has."""
    statement = text("SELECT CAST(details ->> 'generation' AS integer) FROM runs WHERE id = :id FOR UPDATE")
    found: int | None = db.execute(statement, {"id": run_id}).scalar_one_or_none()
    return found


def discard(db: Connection, run_id: int) -> None:
    """Remove a run that is under way and had nothing to do."""
    db.execute(text("DELETE FROM runs WHERE id = :id AND outcome IS NULL"), {"id": run_id})


def newest(db: Connection, kind: str, limit: int = 1) -> Sequence[Row[Any]]:
    """The newest runs of a kind, newest first."""
    return db.execute(
        text("SELECT * FROM runs WHERE kind = :kind ORDER BY id DESC LIMIT :limit"), {"kind": kind, "limit": limit}
    ).all()


def newest_with_progress(db: Connection, kind: str, lock: int) -> Row[Any] | None:
    """The newest run of a kind, with `in_progress`: it is under way, since somebody holds the lock that such runs want."""
    statement = text(f"{_FOLLOWED} WHERE kind = :kind ORDER BY id DESC LIMIT 1")
    return db.execute(statement, {"kind": kind, "lock": lock}).one_or_none()


def find(db: Connection, run_id: int, lock: int) -> Row[Any] | None:
    """A run as `newest_with_progress` has it; None if it had nothing to do and has been discarded."""
    return db.execute(text(f"{_FOLLOWED} WHERE id = :id"), {"id": run_id, "lock": lock}).one_or_none()


def ingest_details(db: Connection) -> dict[str, Any] | None:
    """What the catalogue was filled from: the details of the ingest that did it."""
    found: dict[str, Any] | None = db.execute(
        text("SELECT details FROM runs WHERE kind = 'ingest' AND outcome = 'done' ORDER BY id DESC LIMIT 1")
    ).scalar_one_or_none()
    return found
