"""What users say of movies without rating them (table marks), in the same versions as their ratings."""

from collections.abc import Sequence
from typing import Any, Literal

from psycopg2.errors import ForeignKeyViolation
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from catalogue.movie import UnknownMovieError
from storage.errors import UnknownMarkError, UnknownUserError
from storage.user_ratings import FIRST_PAGE, RatingCursor

Kind = Literal["seen", "hidden", "later"]

# These update the user first, like a rating: in the opposite order the two would deadlock.
_PUT = text("""
    WITH before AS (SELECT mark FROM marks WHERE user_id = :user AND movie_id = :movie),
    changed_user AS (
        UPDATE users SET history_version = history_version + 1
        WHERE id = :user AND NOT EXISTS (SELECT FROM before WHERE mark = :mark)
        RETURNING id, history_version
    ),
    written AS (
        INSERT INTO marks (user_id, movie_id, mark, version)
        SELECT id, :movie, :mark, history_version FROM changed_user
        ON CONFLICT (user_id, movie_id) DO UPDATE
            SET mark = excluded.mark, at = excluded.at, version = excluded.version
    )
    SELECT EXISTS (SELECT FROM before) AS known FROM users WHERE id = :user
""")
_REMOVE = text("""
    WITH changed_user AS (
        UPDATE users SET history_version = history_version + 1
        WHERE id = :user AND EXISTS (SELECT FROM marks WHERE user_id = :user AND movie_id = :movie)
        RETURNING id
    )
    DELETE FROM marks USING changed_user WHERE user_id = changed_user.id AND movie_id = :movie
""")
_OF_USER = text("""
    SELECT u.id AS user_id, k.movie_id, m.title, m.genres, m.year, m.imdb_id, m.tmdb_id, k.mark, k.at, k.version
    FROM users u
    LEFT JOIN LATERAL (
        SELECT * FROM marks
        WHERE user_id = u.id AND (version, -movie_id) < (:version, -:movie)
            AND (CAST(:mark AS text) IS NULL OR mark = :mark)
        ORDER BY version DESC, movie_id LIMIT :limit
    ) k ON true
    LEFT JOIN movies m ON m.id = k.movie_id
    WHERE u.id = :user ORDER BY k.version DESC, k.movie_id
""")


def put(db: Connection, user_id: int, movie_id: int, mark: Kind) -> bool:
    """Store a mark in place of the one that is there; return True if there was none.

    Raises `UnknownUserError` and `UnknownMovieError`.
    """
    try:
        found = db.execute(_PUT, {"user": user_id, "movie": movie_id, "mark": mark}).one_or_none()
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation):  # the user exists, since the row was updated
            raise UnknownMovieError(movie_id) from error
        raise
    if found is None:
        raise UnknownUserError(user_id)
    return not found.known


def remove(db: Connection, user_id: int, movie_id: int) -> None:
    """Remove a mark. Raises `UnknownMarkError`."""
    if db.execute(_REMOVE, {"user": user_id, "movie": movie_id}).rowcount == 0:
        raise UnknownMarkError(user_id, movie_id)


def of_user(
    db: Connection, user_id: int, mark: Kind | None, limit: int, after: RatingCursor = FIRST_PAGE
) -> Sequence[Row[Any]]:
    """Return a user's marks, newest first, each with its movie. Raises `UnknownUserError`."""
    values = {"user": user_id, "mark": mark, "version": after.version, "movie": after.movie_id, "limit": limit}
    rows = db.execute(_OF_USER, values).all()
    if not rows:
        raise UnknownUserError(user_id)
    return [row for row in rows if row.movie_id is not None]
