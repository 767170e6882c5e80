"""Generations: what trainings yielded, which one is live, and going back."""

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
    """What is written down about a training beside its factors."""

    run_id: int | None
    verdict: str
    reason: str
    fingerprint: str
    details: dict[str, Any]


def reserve(db: Connection) -> int:
    """An id for a generation that is to come; nobody else is ever given it, whatever becomes of this one."""
    return int(db.execute(text("SELECT nextval(pg_get_serial_sequence('generations', 'id'))")).scalar_one())


def add(db: Connection, factors: Factors, record: GenerationRecord, generation_id: int | None = None) -> int:
    """Store a generation, live or not, under the id that was reserved for it or else a new one; returns the id."""
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


def flip(db: Connection, generation_id: int) -> None:
    """Make a stored generation the live one. Raises `UnknownGenerationError` if its factors are gone."""
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


def live_id(db: Connection) -> int | None:
    """The id of the generation that is served; None before the first."""
    found: int | None = db.execute(text("SELECT generation_id FROM live_generation")).scalar_one_or_none()
    return found


def load(db: Connection, generation_id: int) -> Factors:
    """The factors of a generation.

    Raises:
        UnknownGenerationError: they are not kept.
        FactorsError: the bytes are not those that were written.
    """
    data, expected = _stored(db, generation_id)
    if checksum(data) != expected:
        raise FactorsError(f"the stored factors of generation {generation_id} do not match their checksum")
    return Factors.from_bytes(data)


def _stored(db: Connection, generation_id: int) -> tuple[bytes, str]:
    """The bytes of a generation, and their checksum.

    They are fetched in pieces, for psycopg2 keeps all threads of the process waiting while it decodes one: a sixth of a
    second for 100 MB.
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
    """The newest generations that were accepted and whose factors are kept, newest first."""
    statement = text("""
        SELECT id FROM generations WHERE factors IS NOT NULL AND verdict = 'accepted' ORDER BY id DESC LIMIT :limit
    """)
    return db.execute(statement, {"limit": limit}).scalars().all()


def trained_at(db: Connection, generation_id: int) -> datetime:
    """When a generation was made. Raises `UnknownGenerationError`."""
    found: datetime | None = db.execute(
        text("SELECT created_at FROM generations WHERE id = :id"), {"id": generation_id}
    ).scalar_one_or_none()
    if found is None:
        raise UnknownGenerationError(generation_id)
    return found


def newest_fingerprint(db: Connection) -> str | None:
    """The data and settings of the last finished training, whatever its verdict."""
    found: str | None = db.execute(
        text("SELECT fingerprint FROM generations ORDER BY id DESC LIMIT 1")
    ).scalar_one_or_none()
    return found


def recent(db: Connection, limit: int) -> Sequence[Row[Any]]:
    """The newest generations, newest first, without their factors.

    Each as (id, created_at, verdict, reason, details, kept, live, run, online): kept if its factors are, `run` what
    made it and `online` how well it foretold new views, both as dicts or None.
    """
    return db.execute(text(f"{_RECORD} ORDER BY id DESC LIMIT :limit"), {"limit": limit}).all()


def find(db: Connection, generation_id: int) -> Row[Any]:
    """A generation as `recent` has it. Raises `UnknownGenerationError`."""
    found = db.execute(text(f"{_RECORD} WHERE id = :id"), {"id": generation_id}).one_or_none()
    if found is None:
        raise UnknownGenerationError(generation_id)
    return found


def live(db: Connection) -> Row[Any] | None:
    """The generation that is served, as `recent` has it; None before the first."""
    return db.execute(_LIVE).one_or_none()


def prune(db: Connection, keep: int) -> None:
    """Drop the factors of all but the newest `keep` generations; the live one stays, and every record."""
    db.execute(
        text("""
            UPDATE generations SET factors = NULL, checksum = NULL
            WHERE factors IS NOT NULL AND id <> (SELECT generation_id FROM live_generation) AND id NOT IN (
                SELECT id FROM generations WHERE factors IS NOT NULL ORDER BY id DESC LIMIT :keep)
        """),
        {"keep": keep},
    )
