"""Stored lists: read while they are current, written one at a time by serving and all at once by a retrain."""

import io
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psycopg2.errors import DeadlockDetected, ForeignKeyViolation
from sqlalchemy import Connection, text

from scoring.lists import Ranked
from scoring.ratings import Floats, Ints
from storage.copying import copy_in
from storage.errors import UnknownUserError
from storage.list_rows import written
from storage.prepared import Prepared

# The list if it is current, else nothing but the history to make it from: one round trip and one row either way.
# The live generation is a scalar subquery; joining its one-row table made the planner read every list there is.
READ = Prepared("""
    PREPARE read_list (integer) AS
    SELECT u.history_version, (SELECT generation_id FROM live_generation),
        list.movie_ids, list.expected_ratings, rated.films, rated.ratings
    FROM users u
    LEFT JOIN recommendations list ON list.user_id = u.id AND list.history_version = u.history_version
        AND list.generation_id = (SELECT generation_id FROM live_generation)
    CROSS JOIN LATERAL (
        SELECT array_agg(movie_id ORDER BY movie_id) AS films, array_agg(rating ORDER BY movie_id) AS ratings
        FROM views WHERE user_id = u.id AND list.movie_ids IS NULL
    ) rated
    WHERE u.id = $1
""")

_HISTORY = Prepared("""
    PREPARE history (integer) AS
    SELECT u.history_version, rated.films, rated.ratings
    FROM users u, LATERAL (
        SELECT array_agg(movie_id ORDER BY movie_id) AS films, array_agg(rating ORDER BY movie_id) AS ratings
        FROM views WHERE user_id = u.id
    ) rated
    WHERE u.id = $1
""")

# Inserts a newer list and drops the older ones of the same generation in one statement. Two that store the same
# version store the same rows, so the second may do nothing. A generation that has just been pruned takes no lists.
# The user's row is locked first, as an erasure does it: in the opposite order the two end in a deadlock. Nobody waits
# until the disk has the list: if a crash takes it, the next request makes it again.
_STORE = Prepared("""
    PREPARE store_list (integer, integer, bigint, integer[], real[]) AS
    WITH hasty AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    person AS MATERIALIZED (SELECT id FROM users, hasty WHERE id = $1 FOR KEY SHARE OF users),
    older AS (
        DELETE FROM recommendations USING person
        WHERE user_id = person.id AND generation_id = $2 AND history_version < $3
    )
    INSERT INTO recommendations (user_id, generation_id, history_version, movie_ids, expected_ratings)
    SELECT person.id, $2, $3, $4, $5 FROM person
    WHERE cardinality($4) > 0 AND EXISTS (SELECT FROM live_generation WHERE generation_id = $2)
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
        current: the stored list if it is made from that and from the history as it is now: the films best first, and
            the ratings to expect of them.
        history: what to make a list from where there is no current one; without ratings else.
    """

    generation_id: int | None
    current: tuple[list[int], list[float]] | None
    history: History


def read(db: Connection, user_id: int) -> Stored:
    """A user's current list, or the history to make one from. Raises `UnknownUserError`."""
    found = READ.rows(db, user_id)
    if not found:
        raise UnknownUserError(user_id)
    version, generation_id, films, expected, rated, ratings = found[0]
    current = (films, np.array(expected, np.float32).tolist()) if films else None  # as they were when it was made
    return Stored(generation_id, current, _history(version, rated, ratings))


def history(db: Connection, user_id: int) -> History:
    """All that a user has rated. Raises `UnknownUserError`."""
    found = _HISTORY.rows(db, user_id)
    if not found:
        raise UnknownUserError(user_id)
    return _history(*found[0])


def _history(version: int, films: list[int] | None, ratings: list[float] | None) -> History:
    return History(version, np.array(films or [], np.int32), np.array(ratings or [], np.float32))


def store(db: Connection, user_id: int, generation_id: int, history_version: int, ranked: Ranked) -> None:
    """Keep a list that was made from this generation and this version of the history.

    It is only a cache: where the user is being removed or another is storing for them, nothing is kept.
    """
    try:
        _STORE.rows(db, user_id, generation_id, history_version, ranked.films.tolist(), ranked.expected.tolist())
    except (ForeignKeyViolation, DeadlockDetected):
        return


def publish(
    db: Connection, generation_id: int, user: Ints, history_version: Versions, film: Ints, expected: Floats
) -> int:
    """Store the lists of many users by COPY and return how many lists were kept.

    The columns are parallel, the rows of one user together and best first. Users who have been removed since
    the lists were begun are passed over.
    """
    file = io.BytesIO(b"".join(written(user, history_version, film, expected)))
    db.execute(text("CREATE TEMPORARY TABLE lists (u int, v bigint, m int[], e real[]) ON COMMIT DROP"))
    copy_in(db, "lists", file, "FORMAT binary")
    kept = db.execute(
        text("""
            INSERT INTO recommendations (user_id, generation_id, history_version, movie_ids, expected_ratings)
            SELECT u, :generation, v, m, e FROM lists WHERE u IN (SELECT id FROM users FOR KEY SHARE)
        """),
        {"generation": generation_id},
    )
    return kept.rowcount


def prune(db: Connection) -> None:
    """Drop the lists of every generation that is not live."""
    db.execute(text("DELETE FROM recommendations WHERE generation_id <> (SELECT generation_id FROM live_generation)"))
