"""Stored lists: a training run writes them, requests read them while they are current."""

import io
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psycopg2.errors import UniqueViolation
from sqlalchemy import Connection, text

from ranking.rating_histories import Times
from ranking.ratings import Floats, Ints
from storage.binary_copy import encode_rows
from storage.bulk_copy import copy_in
from storage.errors import UnknownUserError
from storage.prepared_statement import PreparedStatement

# The three versions that a list depends on. Whoever holds a list asks for them alone, since to start and end the larger
# statement below takes PostgreSQL twice as long, even if it has nothing to do.
CURRENT_VERSIONS = PreparedStatement("""
    PREPARE current_versions (integer) AS
    SELECT history_version, generation_id, coalesce(catalogue_version, 0)
    FROM users LEFT JOIN live_generation ON true WHERE users.id = $1
""")

# These, and the list that is current, else the history to make one from: one round trip and one row in any case.
# OFFSET and LIMIT change nothing but the plan: without them its parts are merged, and each looks the live generation up
# by itself, and for a list that is not needed. They are scalar subqueries; joining their one-row table made the planner
# read every list there is.
_READ_LIST = PreparedStatement("""
    PREPARE read_list (integer) AS
    SELECT u.history_version, u.generation_id, u.catalogue_version, list.movie_ids, list.expected_ratings, rated.*
    FROM (
        SELECT id, history_version, (SELECT generation_id FROM live_generation) AS generation_id,
            coalesce((SELECT catalogue_version FROM live_generation), 0) AS catalogue_version
        FROM users WHERE id = $1 OFFSET 0
    ) u
    LEFT JOIN LATERAL (
        SELECT movie_ids, expected_ratings FROM recommendations
        WHERE user_id = u.id AND generation_id = u.generation_id AND history_version = u.history_version
            AND catalogue_version = u.catalogue_version
        LIMIT 1
    ) list ON true
    CROSS JOIN LATERAL (
        SELECT string_agg(int4send(movie_id) || float4send(rating)
                          || int8send(floor(date_part('epoch', rated_at))::bigint), '' ORDER BY movie_id),
               (SELECT array_agg(movie_id) FROM marks
                WHERE user_id = u.id AND mark <> 'later' AND list.movie_ids IS NULL),
               NULL::integer[]
        FROM views WHERE user_id = u.id AND list.movie_ids IS NULL
    ) rated
""")

_HISTORY = PreparedStatement("""
    PREPARE history (integer) AS
    SELECT coalesce((SELECT catalogue_version FROM live_generation), 0), u.history_version, rated.*
    FROM users u, LATERAL (
        SELECT string_agg(int4send(movie_id) || float4send(rating)
                          || int8send(floor(date_part('epoch', rated_at))::bigint), '' ORDER BY movie_id),
               (SELECT array_agg(movie_id) FROM marks WHERE user_id = u.id AND mark <> 'later'),
               (SELECT array_agg(movie_id) FROM marks WHERE user_id = u.id AND mark = 'later')
        FROM views WHERE user_id = u.id
    ) rated
    WHERE u.id = $1
""")
# Locked as for each list's foreign key, which finds that done; beforehand, since a COPY cannot leave out a row. A list
# of a user with marks is not stored, since a training knows none: it is made when it is asked for.
_STILL_THERE = text("""
    SELECT array_agg(id) FROM (
        SELECT id FROM users
        WHERE id BETWEEN :first AND :last
            AND NOT EXISTS (SELECT FROM marks WHERE user_id = users.id AND mark <> 'later')
        FOR KEY SHARE
    ) AS there
""")
_COLUMNS = "recommendations (user_id, generation_id, catalogue_version, history_version, movie_ids, expected_ratings)"

Versions = npt.NDArray[np.int64]
_RATING = np.dtype([("movie", ">i4"), ("rating", ">f4"), ("at", ">i8")])  # faster to send and to parse than arrays
NO_MOVIES = np.empty(0, np.int32)


class RatingHistory(NamedTuple):
    """A user's ratings as of one version, by movie: ids int32 [n], ratings float32 [n], unix seconds int64 [n].

    `marked` are the movies that no list may have, since they are marked as seen or hidden; `later` those for later.
    """

    version: int
    movies: Ints
    rating: Floats
    at: Times
    marked: Ints = NO_MOVIES
    later: Ints = NO_MOVIES

    def since(self, time: int) -> "RatingHistory":
        """Return this history with the ratings of this unix second or later; the other movies stay out of lists too."""
        recent = self.at >= time
        kept = (self.movies[recent], self.rating[recent], self.at[recent])
        return RatingHistory(self.version, *kept, np.concatenate([self.marked, self.movies[~recent]]), self.later)


class ListVersion(NamedTuple):
    """The versions of history and catalogue, and the generation, that a current list is computed from.

    `generation_id` is None before the first.
    """

    version: int
    generation_id: int | None
    catalogue_version: int


NO_LIST = ListVersion(-1, None, 0)  # no list is made from it


class StoredList(NamedTuple):
    """A list that is stored: its movies best first, and the ratings to expect of them."""

    movies: list[int]
    expected: list[float]


def read(
    db: Connection, user_id: int, cached: ListVersion = NO_LIST
) -> tuple[ListVersion, StoredList | RatingHistory | None]:
    """Return the current versions, and the stored list if it is current, else the history to compute one from.

    The second is None if the list that the caller has cached, of the versions `cached`, is current. Raises
    `UnknownUserError`.
    """
    if cached is not NO_LIST and CURRENT_VERSIONS.rows(db, user_id) == [cached]:
        return cached, None
    found = _READ_LIST.rows(db, user_id)
    if not found:
        raise UnknownUserError(user_id)
    version, generation_id, catalogue_version, movies, expected, *rated = found[0]
    state = ListVersion(version, generation_id, catalogue_version)
    if movies is None:
        return state, _history(version, *rated)
    return state, StoredList(movies, np.array(expected, np.float32).tolist())  # as they were when it was made


def history(db: Connection, user_id: int) -> tuple[int, RatingHistory]:
    """Return the version of the catalogue, and all that a user has rated. Raises `UnknownUserError`."""
    found = _HISTORY.rows(db, user_id)
    if not found:
        raise UnknownUserError(user_id)
    catalogue_version, *rated = found[0]
    return catalogue_version, _history(*rated)


def _history(
    version: int, ratings: memoryview | None, marked: list[int] | None, later: list[int] | None
) -> RatingHistory:
    """Build a history from its columns in a row, which PostgreSQL leaves null without ratings or marks."""
    rated = np.frombuffer(ratings or b"", _RATING)
    columns = rated["movie"].astype(np.int32), rated["rating"].astype(np.float32), rated["at"].astype(np.int64)
    return RatingHistory(version, *columns, np.array(marked or [], np.int32), np.array(later or [], np.int32))


def store_lists(
    db: Connection,
    generation_id: int,
    user: Ints,
    history_version: Versions,
    movie: Ints,
    expected: Floats,
    catalogue_version: int = 0,
) -> int:
    """Store lists of many users by COPY and return how many were kept; `db` must be a transaction.

    The columns are parallel, users ascending, the rows of one user best first. The generation need not be there yet;
    its lists are not read before it is live. Users who have been removed since the lists were begun are passed over,
    and no other user can be before the transaction ends. Lists that one stored whose answer was lost stay as they are.
    """
    if not len(user):
        return 0
    found = db.scalar(_STILL_THERE, {"first": int(user[0]), "last": int(user[-1])})
    there = np.isin(user, np.array(found or [], np.int32))
    rows = encode_rows(
        generation_id, catalogue_version, user[there], history_version[there], movie[there], expected[there]
    )
    with suppress(UniqueViolation), db.begin_nested():
        return copy_in(db, _COLUMNS, io.BytesIO(b"".join(rows)), "FORMAT binary")
    return 0


def prune(db: Connection) -> None:
    """Drop the lists of every generation that is not live, and those of a generation that was never stored."""
    db.execute(text("DELETE FROM recommendations WHERE generation_id <> (SELECT generation_id FROM live_generation)"))
