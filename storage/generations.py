"""Generations: the results of training runs, which one is live, and whether it is held."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import InternalError

from ranking.factors import Factors, FactorsError, checksum
from storage.errors import UnknownGenerationError
from storage.predictions import ONLINE_METRICS

CHUNK_BYTES = 4 << 20  # bytes of a generation that are fetched at a time
_RECORD = f"""
    SELECT id, created_at, verdict, reason, details, factors IS NOT NULL AS kept,
        id IS NOT DISTINCT FROM (SELECT generation_id FROM live_generation) AS live,
        id IS NOT DISTINCT FROM (SELECT generation_id FROM live_generation WHERE held_since IS NOT NULL) AS held,
        (SELECT to_json(run) FROM (
            SELECT id, started_at, finished_at, outcome FROM runs WHERE id = generations.run_id
        ) run) AS run,
        (SELECT to_json(online) FROM (
            SELECT {ONLINE_METRICS} FROM foretold WHERE generation_id = generations.id HAVING count(*) > 0
        ) online) AS online
    FROM generations
"""  # noqa: S608 - no part of it comes from outside

_LIVE = text(f"{_RECORD} WHERE id = (SELECT generation_id FROM live_generation)")  # noqa: S608 - no part of it comes from outside


@dataclass(frozen=True)
class GenerationRecord:
    """The record of a training run beside its factors."""

    run_id: int | None
    verdict: str
    reason: str
    fingerprint: str
    details: dict[str, Any]


def reserve(db: Connection) -> int:
    """Return an id for a new generation; it is never given again, even if this generation is never stored."""
    return db.scalar(text("SELECT nextval(pg_get_serial_sequence('generations', 'id'))"))


def add(db: Connection, factors: Factors, record: GenerationRecord, generation_id: int | None = None) -> int:
    """Store a generation under the id that was reserved for it, or under a new one; return the id."""
    data = factors.to_bytes()
    new_id = reserve(db) if generation_id is None else generation_id
    values = {"id": new_id, "factors": data, "checksum": checksum(data), "details": json.dumps(record.details)}
    statement = text("""
        INSERT INTO generations (id, run_id, verdict, reason, fingerprint, details, checksum, factors)
        OVERRIDING SYSTEM VALUE
        VALUES (:id, :run_id, :verdict, :reason, :fingerprint, :details, :checksum, :factors)
    """)
    db.execute(statement, vars(record) | values)
    return new_id


def flip(db: Connection, generation_id: int) -> int | None:
    """Make a stored generation the live one, held or not, and return which was live before.

    `db` must be a transaction. Raises `UnknownGenerationError` if its factors are gone.
    """
    before, _ = _lock_live(db)
    found = db.execute(
        text("""
            INSERT INTO live_generation (generation_id)
            SELECT id FROM generations WHERE id = :id AND factors IS NOT NULL FOR SHARE
            ON CONFLICT (single) DO UPDATE SET generation_id = excluded.generation_id, since = clock_timestamp()
        """),
        {"id": generation_id},
    )
    if found.rowcount == 0:
        raise UnknownGenerationError(generation_id)
    return before


def flip_unless_held(db: Connection, generation_id: int) -> bool:
    """Make a new generation the live one unless an operator holds another; return whether it is live."""
    _, held = _lock_live(db)
    if held:
        return False
    flip(db, generation_id)
    return True


def activate(db: Connection, generation_id: int, hold: bool = True) -> int | None:
    """Make a stored generation the live one, as `flip` does; trainings replace a held one only after `release`."""
    before = flip(db, generation_id)
    statement = text("UPDATE live_generation SET held_since = CASE WHEN :hold THEN clock_timestamp() END")
    db.execute(statement, {"hold": hold})
    return before


def release(db: Connection) -> int | None:
    """Let the next accepted training replace the live generation; return its id if it was held, else None."""
    return db.scalar(
        text("UPDATE live_generation SET held_since = NULL WHERE held_since IS NOT NULL RETURNING generation_id")
    )


def held_id(db: Connection) -> int | None:
    """Return the id of the generation that is held; None if trainings may replace the live one."""
    return db.scalar(text("SELECT generation_id FROM live_generation WHERE held_since IS NOT NULL"))


def _lock_live(db: Connection) -> tuple[int | None, bool]:
    """Block other flips until the transaction ends; return the live generation and whether it is held.

    Both take this lock before they touch a generation: a pruning that waits sees what was flipped to meanwhile.
    """
    statement = text("SELECT generation_id, held_since IS NOT NULL FROM live_generation FOR UPDATE")
    found = db.execute(statement).one_or_none()
    return (found[0], found[1]) if found else (None, False)


def live_id(db: Connection) -> int | None:
    """Return the id of the live generation; None before the first."""
    return db.scalar(text("SELECT generation_id FROM live_generation"))


def load(db: Connection, generation_id: int) -> Factors:
    """Return the factors of a generation.

    Raises:
        UnknownGenerationError: they are not kept.
        FactorsError: the bytes are not those that were written.
    """
    data, expected = _stored(db, generation_id)
    if checksum(data) != expected:
        raise FactorsError(f"the stored factors of generation {generation_id} do not match their checksum")
    return Factors.from_bytes(data)


def _stored(db: Connection, generation_id: int) -> tuple[bytes, str]:
    """Return the bytes of a generation and their checksum.

    They are fetched in pieces: psycopg2 blocks all threads while it decodes a value, .16 s for 100 MB.
    """
    statement = text("""
        SELECT substring(factors FROM :start FOR :most) AS piece, checksum
        FROM generations WHERE id = :id AND factors IS NOT NULL
    """)
    data = io.BytesIO()
    try:
        while True:
            found = db.execute(
                statement, {"id": generation_id, "start": data.tell() + 1, "most": CHUNK_BYTES}
            ).one_or_none()
            if found is None:
                raise UnknownGenerationError(generation_id)
            data.write(found.piece)
            if len(found.piece) < CHUNK_BYTES:
                return data.getvalue(), found.checksum
    except InternalError as error:  # PostgreSQL's own checksums do not match, or pieces of the row are missing
        raise FactorsError(f"the stored factors of generation {generation_id} cannot be read: {error.orig}") from error


def accepted_ids(db: Connection, limit: int) -> Sequence[int]:
    """Return the newest accepted generations whose factors are kept, newest first."""
    statement = text("""
        SELECT id FROM generations WHERE factors IS NOT NULL AND verdict = 'accepted' ORDER BY id DESC LIMIT :limit
    """)
    return db.scalars(statement, {"limit": limit}).all()


def trained_at(db: Connection, generation_id: int) -> datetime:
    """Return when a generation was made. Raises `UnknownGenerationError`."""
    found: datetime | None = db.scalar(text("SELECT created_at FROM generations WHERE id = :id"), {"id": generation_id})
    if found is None:
        raise UnknownGenerationError(generation_id)
    return found


def newest_fingerprint(db: Connection) -> str | None:
    """Return the data and settings of the last training, which need no other; None if a training is due anyway.

    One is due before the first, and where the newest accepted generation is not served though none is held: after a
    release.
    """
    return db.scalar(
        text("""
            SELECT CASE WHEN verdict = 'rejected' OR EXISTS (
                SELECT FROM live_generation WHERE generation_id = newest.id OR held_since IS NOT NULL
            ) THEN fingerprint END
            FROM generations AS newest ORDER BY id DESC LIMIT 1
        """)
    )


def recent(db: Connection, limit: int) -> Sequence[Row[Any]]:
    """Return the newest generations, newest first, without their factors.

    Each row is (id, created_at, verdict, reason, details, kept, live, held, run, online): kept if its factors are, the
    training run that made it, and its online evaluation; the last two are dicts or None.
    """
    return db.execute(text(f"{_RECORD} ORDER BY id DESC LIMIT :limit"), {"limit": limit}).all()


def find(db: Connection, generation_id: int) -> Row[Any]:
    """Return a generation as `recent` does. Raises `UnknownGenerationError`."""
    found = db.execute(text(f"{_RECORD} WHERE id = :id"), {"id": generation_id}).one_or_none()
    if found is None:
        raise UnknownGenerationError(generation_id)
    return found


def live(db: Connection) -> Row[Any] | None:
    """Return the live generation as `recent` does; None before the first."""
    return db.execute(_LIVE).one_or_none()


def prune(db: Connection, keep: int) -> None:
    """Drop the factors of all but the `keep` newest accepted generations, the newest rejected and live ones, and arms.

    Every record stays. `db` must be a transaction.
    """
    _lock_live(db)
    db.execute(
        text("""
            UPDATE generations SET factors = NULL, checksum = NULL
            WHERE factors IS NOT NULL AND id <> (SELECT generation_id FROM live_generation)
                AND 'G' || id NOT IN (SELECT unnest(arms) FROM experiments WHERE ended_at IS NULL) AND id NOT IN (
                SELECT id FROM (
                    SELECT id, verdict, row_number() OVER (PARTITION BY verdict ORDER BY id DESC) AS place
                    FROM generations WHERE factors IS NOT NULL
                ) AS stored
                WHERE place <= CASE verdict WHEN 'accepted' THEN :keep ELSE 1 END)
        """),
        {"keep": keep},
    )
