"""Stored lists: read while they are current, written one at a time by serving and all at once by a retrain."""

import io
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from psycopg2 import errorcodes
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from scoring.lists import Ranked
from scoring.ratings import Floats, Ints
from storage.copying import copy_in
from storage.errors import UnknownUserError

# The list if it is current, else one row with nothing but the history to make it from: one round trip either way.
# The live generation is a scalar subquery; joining its one-row table made the planner read every list there is.
_READ = text("""
    SELECT u.history_version, (SELECT generation_id FROM live_generation) AS generation_id,
        r.movie_id, r.expected_rating, rated.films, rated.ratings
    FROM users u
    LEFT JOIN recommendations r ON r.user_id = u.id AND r.history_version = u.history_version
        AND r.generation_id = (SELECT generation_id FROM live_generation)
    LEFT JOIN LATERAL (
        SELECT array_agg(movie_id ORDER BY movie_id) AS films, array_agg(rating ORDER BY movie_id) AS ratings
        FROM views WHERE user_id = u.id AND r.rank IS NULL
    ) rated ON true
    WHERE u.id = :user
    ORDER BY r.rank
""")

_HISTORY = text("""
    SELECT u.history_version, rated.films, rated.ratings
    FROM users u, LATERAL (
        SELECT array_agg(movie_id ORDER BY movie_id) AS films, array_agg(rating ORDER BY movie_id) AS ratings
        FROM views WHERE user_id = u.id
    ) rated
    WHERE u.id = :user
""")

# Inserts a newer list and drops the older ones of the same generation in one statement. Two that store the same
# version store the same rows, so the second may do nothing. A generation that has just been pruned takes no lists.
# The user's row is locked first, as an erasure does it: in the opposite order the two end in a deadlock.
_STORE = text("""
    WITH person AS MATERIALIZED (SELECT id FROM users WHERE id = :user FOR KEY SHARE),
    older AS (
        DELETE FROM recommendations USING person
        WHERE user_id = person.id AND generation_id = :generation AND history_version < :version
    )
    INSERT INTO recommendations (user_id, generation_id, history_version, rank, movie_id, expected_rating)
    SELECT person.id, :generation, :version, rank, movie_id, expected_rating
    FROM person, unnest(CAST(:movies AS integer[]), CAST(:expected AS real[]))
        WITH ORDINALITY AS list (movie_id, expected_rating, rank)
    WHERE EXISTS (SELECT FROM live_generation WHERE generation_id = :generation)
    ON CONFLICT DO NOTHING
""")


Versions = npt.NDArray[np.int64]


class History(NamedTuple):
    """A user's ratings as of one version: what they rated, int32 [n], and how, float32 [n], by film."""

    version: int
    films: Ints
    rating: Floats


@dataclass(frozen=True)
class Stored:
    """What there is to answer a user with.

    Attributes:
        generation_id: the live one, None before the first.
        current: the stored list if it is made from that and from the history as it is now.
        history: what to make a list from where there is no current one; without ratings else.
    """

    generation_id: int | None
    current: Ranked | None
    history: History


def read(db: Connection, user_id: int) -> Stored:
    """A user's current list, or the history to make one from. Raises `UnknownUserError`."""
    rows = db.execute(_READ, {"user": user_id}).all()
    if not rows:
        raise UnknownUserError(user_id)
    current = None
    if rows[0].movie_id is not None:
        current = Ranked(
            np.array([row.movie_id for row in rows], np.int32),
            np.array([row.expected_rating for row in rows], np.float32),
        )
    return Stored(rows[0].generation_id, current, _history(rows[0]))


def history(db: Connection, user_id: int) -> History:
    """All that a user has rated. Raises `UnknownUserError`."""
    row = db.execute(_HISTORY, {"user": user_id}).one_or_none()
    if row is None:
        raise UnknownUserError(user_id)
    return _history(row)


def _history(row: Row[Any]) -> History:
    return History(row.history_version, np.array(row.films or [], np.int32), np.array(row.ratings or [], np.float32))


def store(db: Connection, user_id: int, generation_id: int, history_version: int, ranked: Ranked) -> None:
    """Keep a list that was made from this generation and this version of the history.

    It is only a cache: where the user is being removed or another is storing for them, nothing is kept.
    """
    values = {"user": user_id, "generation": generation_id, "version": history_version}
    try:
        db.execute(_STORE, values | {"movies": ranked.films.tolist(), "expected": ranked.expected.tolist()})
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) not in (errorcodes.FOREIGN_KEY_VIOLATION, errorcodes.DEADLOCK_DETECTED):
            raise


def publish(
    db: Connection, generation_id: int, user: Ints, history_version: Versions, film: Ints, expected: Floats
) -> int:
    """Store the lists of many users by COPY and return how many rows were kept.

    The columns are parallel, the rows of one user together and best first. Users who have been removed since
    the lists were begun are passed over.
    """
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    rank = np.arange(len(user)) - np.repeat(starts, np.diff(np.append(starts, len(user)))) + 1
    table = pa.table({"u": user, "v": history_version, "r": rank.astype(np.int16), "m": film, "e": expected})
    file = io.BytesIO()
    pa.csv.write_csv(table, file, pa.csv.WriteOptions(include_header=False))
    file.seek(0)
    db.execute(text("CREATE TEMPORARY TABLE lists (u int, v bigint, r smallint, m int, e real) ON COMMIT DROP"))
    copy_in(db, "lists", file)
    kept = db.execute(
        text("""
            INSERT INTO recommendations (user_id, generation_id, history_version, rank, movie_id, expected_rating)
            SELECT u, :generation, v, r, m, e FROM lists WHERE u IN (SELECT id FROM users FOR KEY SHARE)
        """),
        {"generation": generation_id},
    )
    return kept.rowcount


def prune(db: Connection) -> None:
    """Drop the lists of every generation that is not live."""
    db.execute(text("DELETE FROM recommendations WHERE generation_id <> (SELECT generation_id FROM live_generation)"))
