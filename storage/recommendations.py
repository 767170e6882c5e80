"""Stored lists: read while they are current, written one at a time by serving and all at once by a retrain."""

import io
from dataclasses import dataclass
from typing import Any

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
        r.movie_id, r.expected_rating, m.title, m.genres, m.year,
        CASE WHEN r.rank IS NULL THEN (SELECT array_agg(movie_id ORDER BY movie_id) FROM views WHERE user_id = u.id)
            END AS films,
        CASE WHEN r.rank IS NULL THEN (SELECT array_agg(rating ORDER BY movie_id) FROM views WHERE user_id = u.id)
            END AS ratings
    FROM users u
    LEFT JOIN recommendations r ON r.user_id = u.id AND r.history_version = u.history_version
        AND r.generation_id = (SELECT generation_id FROM live_generation)
    LEFT JOIN movies m ON m.id = r.movie_id
    WHERE u.id = :user
    ORDER BY r.rank
""")

# Inserts a newer list and drops the older ones of the same generation in one statement. Two that store the same
# version store the same rows, so the second may do nothing. A generation that has just been pruned takes no lists.
_STORE = text("""
    WITH older AS (
        DELETE FROM recommendations
        WHERE user_id = :user AND generation_id = :generation AND history_version < :version
    )
    INSERT INTO recommendations (user_id, generation_id, history_version, rank, movie_id, expected_rating)
    SELECT :user, :generation, :version, rank, movie_id, expected_rating
    FROM unnest(CAST(:movies AS integer[]), CAST(:expected AS real[]))
        WITH ORDINALITY AS list (movie_id, expected_rating, rank)
    WHERE EXISTS (SELECT FROM live_generation WHERE generation_id = :generation)
        AND EXISTS (SELECT FROM users WHERE id = :user)
    ON CONFLICT DO NOTHING
""")


Versions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stored:
    """What there is to answer a user with.

    Attributes:
        history_version: of the user's views at this moment.
        generation_id: the live one, None before the first.
        movies: the stored list, best first, if it is current; else empty.
        films, rating: the history if the list is not current; else empty.
    """

    history_version: int
    generation_id: int | None
    movies: list[Row[Any]]
    films: Ints
    rating: Floats


def read(db: Connection, user_id: int) -> Stored:
    """A user's current list, or the history to make one from. Raises `UnknownUserError`."""
    rows = db.execute(_READ, {"user": user_id}).all()
    if not rows:
        raise UnknownUserError(user_id)
    first = rows[0]
    return Stored(
        first.history_version,
        first.generation_id,
        [row for row in rows if row.movie_id is not None],
        np.array(first.films or [], np.int32),
        np.array(first.ratings or [], np.float32),
    )


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
