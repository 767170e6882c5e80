"""Runs: the record of every job during and after it, the queued training run, and the time of the next one."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

# the phases of a training run, each with its share of the duration on ml-latest-small, from which progress is computed
TRAINING_PHASES = {
    "snapshot": 0.01,
    "compare": 0.03,
    "ranker": 0.45,
    "rater": 0.27,
    "neighbours": 0.12,
    "judge": 0.05,
    "lists": 0.05,
    "publish": 0.02,
}
INTERRUPTED = "cut off: its process ended, or it lost the database"
LOCK_HELD = """EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = :lock
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )"""
_FOLLOWED = f"SELECT *, outcome IS NULL AND (phase = 'queued' OR {LOCK_HELD}) AS in_progress FROM runs"  # noqa: S608 - no part of it comes from outside
_CLOSE = "UPDATE runs SET outcome = :outcome, error = :error, finished_at = clock_timestamp() WHERE outcome IS NULL"


def queue(db: Connection, kind: str, lock: int) -> int | None:
    """Queue a run for the process with the scheduler; None if one is queued or under way. `db` is a transaction."""
    db.execute(
        text(f"{_CLOSE} AND kind = :kind AND phase <> 'queued' AND NOT {LOCK_HELD}"),  # its process died
        {"kind": kind, "lock": lock, "outcome": "failed", "error": INTERRUPTED},
    )
    statement = text("""
        INSERT INTO runs (kind, phase) VALUES (:kind, 'queued')
        ON CONFLICT (kind) WHERE outcome IS NULL DO NOTHING RETURNING id
    """)
    return db.scalar(statement, {"kind": kind})


def queued(db: Connection, kind: str, lock: int) -> int | None:
    """Return the id of the queued run if no process holds the lock of such runs."""
    waiting = "kind = :kind AND outcome IS NULL AND phase = 'queued'"
    statement = text(f"SELECT id FROM runs WHERE {waiting} AND NOT {LOCK_HELD}")  # noqa: S608 - all of it is from here
    return db.scalar(statement, {"kind": kind, "lock": lock})


def take_up(db: Connection, run_id: int) -> bool:
    """Begin a queued run; False if it is not queued any more. The caller holds the job's lock."""
    statement = text("""
        UPDATE runs SET phase = 'starting', started_at = clock_timestamp()
        WHERE id = :id AND outcome IS NULL AND phase = 'queued'
    """)
    return bool(db.execute(statement, {"id": run_id}).rowcount)


def begin(db: Connection, kind: str) -> int:
    """Take up the queued run of a kind, or open a new one.

    The caller holds the job's lock, so a run that is still open and not queued is that of a process that died.
    """
    closed = {"outcome": "failed", "error": INTERRUPTED, "kind": kind}
    db.execute(text(f"{_CLOSE} AND kind = :kind AND phase <> 'queued'"), closed)
    statement = text("""
        INSERT INTO runs (kind, phase) VALUES (:kind, 'starting')
        ON CONFLICT (kind) WHERE outcome IS NULL DO UPDATE SET phase = 'starting', started_at = clock_timestamp()
        RETURNING id
    """)
    return db.scalar(statement, {"kind": kind})


def close_abandoned(db: Connection, run_id: int, lock: int, outcome: str, error: str) -> bool:
    """Close a run whose process has ended; False while PostgreSQL still holds the lock of that process."""
    db.execute(
        text(f"{_CLOSE} AND id = :id AND NOT {LOCK_HELD}"),
        {"id": run_id, "lock": lock, "outcome": outcome, "error": error},
    )
    closed = text("SELECT NOT EXISTS (SELECT FROM runs WHERE id = :id AND outcome IS NULL)")
    return db.scalar(closed, {"id": run_id})


def advance(db: Connection, run_id: int, phase: str, progress: float) -> None:
    """Record the phase of a run, and its progress from 0 to 1."""
    statement = text("UPDATE runs SET phase = :phase, progress = :progress WHERE id = :id")
    db.execute(statement, {"id": run_id, "phase": phase, "progress": progress})


def end(db: Connection, run_id: int, outcome: str, details: dict[str, Any], error: str | None = None) -> bool:
    """Close a run with its outcome, and with the error if it did not succeed; False if it was closed before."""
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
    """Block other changes of a run until the transaction ends; return the generation it has ended with, if any."""
    statement = text("SELECT CAST(details ->> 'generation' AS integer) FROM runs WHERE id = :id FOR UPDATE")
    return db.scalar(statement, {"id": run_id})


def outcome(db: Connection, run_id: int) -> str:
    """Return the outcome of an ended run."""
    return db.scalar(text("SELECT outcome FROM runs WHERE id = :id"), {"id": run_id})


def newest(db: Connection, kind: str, limit: int = 1) -> Sequence[Row[Any]]:
    """Return the newest runs of a kind, newest first."""
    return db.execute(
        text("SELECT * FROM runs WHERE kind = :kind ORDER BY id DESC LIMIT :limit"), {"kind": kind, "limit": limit}
    ).all()


def newest_with_progress(db: Connection, kind: str, lock: int) -> Row[Any] | None:
    """Return the newest run of a kind, with `in_progress`: it is queued, or the lock of such runs is held."""
    statement = text(f"{_FOLLOWED} WHERE kind = :kind ORDER BY id DESC LIMIT 1")
    return db.execute(statement, {"kind": kind, "lock": lock}).one_or_none()


def find(db: Connection, run_id: int, lock: int) -> Row[Any] | None:
    """Return a run as `newest_with_progress` has it; None if there is none."""
    return db.execute(text(f"{_FOLLOWED} WHERE id = :id"), {"id": run_id, "lock": lock}).one_or_none()


def ingest_details(db: Connection) -> dict[str, Any] | None:
    """Return what the catalogue was filled from: the details of the ingest that did it."""
    return db.scalar(
        text("SELECT details FROM runs WHERE kind = 'ingest' AND outcome = 'done' ORDER BY id DESC LIMIT 1")
    )


def announce(db: Connection, next_at: datetime | None) -> None:
    """Record when the next scheduled check for a training run comes; None if none does."""
    statement = text("""
        INSERT INTO training_schedule (next_at) VALUES (:next_at)
        ON CONFLICT (single) DO UPDATE SET next_at = excluded.next_at
    """)
    db.execute(statement, {"next_at": next_at})


def announced(db: Connection) -> datetime | None:
    """Return when the next scheduled check for a training run comes; None if none does."""
    return db.scalar(text("SELECT next_at FROM training_schedule"))
