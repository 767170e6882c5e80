"""The ratings of users (table views), from which training runs and lists are made."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from psycopg2.errors import ForeignKeyViolation
from sqlalchemy import Connection, Row, text

from catalogue.movie import UnknownMovieError
from storage.errors import UnknownUserError
from storage.prepared_statement import PreparedStatement

# One statement that begins by updating the user's row: writers of one user wait for each other, and each gets its own
# version. A lock first and an update later would end two writers in a deadlock as soon as a third transaction locks the
# row for a foreign key. If no rating changes, the version stays and no list becomes stale.
_PUT = PreparedStatement("""
    PREPARE put_views (integer, integer[], real[], boolean) AS
    WITH sent (movie_id, rating) AS (SELECT * FROM unnest($2, $3)),
    change AS (
        SELECT $4 OR EXISTS (
            SELECT FROM sent LEFT JOIN views ON views.user_id = $1 AND views.movie_id = sent.movie_id
            WHERE views.rating IS DISTINCT FROM sent.rating
        ) AS needed
    ),
    changed_user AS (
        UPDATE users SET history_version = history_version + 1 WHERE id = $1 AND (SELECT needed FROM change)
        RETURNING id, history_version
    ),
    written AS (
        INSERT INTO views (user_id, movie_id, rating, version)
        SELECT id, movie_id, rating, history_version FROM changed_user, sent
        ON CONFLICT (user_id, movie_id) DO UPDATE
            SET rating = excluded.rating, again = true, rated_at = excluded.rated_at, version = excluded.version
            WHERE $4 OR views.rating <> excluded.rating
        RETURNING again
    ),
    unmarked AS (
        DELETE FROM marks USING changed_user, sent
        WHERE user_id = changed_user.id AND marks.movie_id = sent.movie_id AND mark <> 'hidden'
    )
    SELECT (SELECT count(*) FROM written WHERE NOT again) AS created
    FROM users, change WHERE users.id = $1 AND (NOT needed OR EXISTS (SELECT FROM changed_user))
""")

# Updates the user first and the rating second, like _PUT: in the opposite order the two would deadlock.
_REMOVE = text("""
    WITH changed_user AS (
        UPDATE users SET history_version = history_version + 1
        WHERE id = :user AND EXISTS (SELECT FROM views WHERE user_id = :user AND movie_id = :movie)
        RETURNING id
    )
    DELETE FROM views USING changed_user WHERE user_id = changed_user.id AND movie_id = :movie
""")

_OF_USER = text("""
    SELECT u.id AS user_id, v.movie_id, m.title, m.genres, m.year, m.imdb_id, m.tmdb_id,
        v.rating, v.rated_at, v.version
    FROM users u
    LEFT JOIN LATERAL (
        SELECT * FROM views
        WHERE user_id = u.id AND (version, -movie_id) < (:version, -:movie)
        ORDER BY version DESC, movie_id LIMIT :limit
    ) v ON true
    LEFT JOIN movies m ON m.id = v.movie_id
    WHERE u.id = :user
    ORDER BY v.version DESC, v.movie_id
""")

_UNKNOWN = text("""
    SELECT id FROM unnest(CAST(:movies AS integer[])) AS sent (id)
    WHERE NOT EXISTS (SELECT FROM movies WHERE movies.id = sent.id)
""")


class WriteCounts(NamedTuple):
    """How many ratings were the first of their movie, and how many replaced one."""

    created: int
    replaced: int


class RatingCursor(NamedTuple):
    """The place of a rating among a user's ratings, newest first."""

    version: int
    movie_id: int


FIRST_PAGE = RatingCursor(2**63 - 1, 0)


def put(db: Connection, user_id: int, movie_id: int, rating: float) -> bool:
    """Store a rating as the user's newest; return True if it is the user's first of this movie.

    Raises:
        UnknownUserError, UnknownMovieError: the user or movie does not exist; nothing was changed.
    """
    return _write(db, user_id, {movie_id: rating}, always=True).created == 1


def put_many(db: Connection, user_id: int, ratings: Mapping[int, float]) -> WriteCounts:
    """Store these ratings, all or none; equal ratings that are stored already keep their time and place.

    Raises:
        UnknownUserError: the user does not exist.
        UnknownMovieError: names every movie that does not exist; nothing was changed. To name several, `db` must be a
            `Database.statement`.
    """
    return _write(db, user_id, ratings, always=False)


def unknown_movies(db: Connection, movie_ids: Sequence[int]) -> set[int]:
    """Return the ids that no movie of the catalogue has."""
    return set(db.execute(_UNKNOWN, {"movies": list(movie_ids)}).scalars())


def remove(db: Connection, user_id: int, movie_id: int) -> bool:
    """Remove a rating; return False if there was none."""
    return db.execute(_REMOVE, {"user": user_id, "movie": movie_id}).rowcount > 0


def of_user(
    db: Connection, user_id: int, limit: int | None = None, after: RatingCursor = FIRST_PAGE
) -> Sequence[Row[Any]]:
    """Return a user's ratings, newest first: rows of the movie's columns, rating, rated_at and version.

    Raises `UnknownUserError`.
    """
    values = {"user": user_id, "version": after.version, "movie": after.movie_id, "limit": limit}
    rows = db.execute(_OF_USER, values).all()
    if not rows:
        raise UnknownUserError(user_id)
    return [row for row in rows if row.movie_id is not None]


def _write(db: Connection, user_id: int, ratings: Mapping[int, float], always: bool) -> WriteCounts:
    movies = list(ratings)
    try:
        found = _PUT.rows(db, user_id, movies, list(ratings.values()), always)
    except ForeignKeyViolation as error:
        # the user exists, since the row was updated, so a movie is missing; PostgreSQL names only the first
        raise UnknownMovieError(*(movies if len(movies) == 1 else unknown_movies(db, movies))) from error
    if not found:
        raise UnknownUserError(user_id)
    created: int = found[0][0]
    return WriteCounts(created, len(movies) - created)
