"""Views: what users thought of films, and the history that training and serving are made from."""

from collections.abc import Sequence
from typing import Any

from psycopg2 import errorcodes
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from storage.errors import UnknownMovieError, UnknownUserError

# One statement: the user's row is locked first, so two writers of one user follow each other and each gets its own
# version; without such a user nothing is inserted.
_PUT = text("""
    WITH changed AS (
        UPDATE users SET history_version = history_version + 1 WHERE id = :user RETURNING id, history_version
    )
    INSERT INTO views (user_id, movie_id, rating, version)
    SELECT id, :movie, :rating, history_version FROM changed
    ON CONFLICT (user_id, movie_id) DO UPDATE
        SET rating = excluded.rating, again = true, rated_at = excluded.rated_at, version = excluded.version
    RETURNING xmax = 0 AS created
""")

# Locks in the same order as _PUT, the user first and then the view: in the opposite one the two end in a deadlock.
_REMOVE = text("""
    WITH locked AS (SELECT id FROM users WHERE id = :user FOR NO KEY UPDATE),
    removed AS (DELETE FROM views USING locked WHERE user_id = locked.id AND movie_id = :movie RETURNING user_id)
    UPDATE users SET history_version = history_version + 1 FROM removed WHERE id = removed.user_id
""")

_OF_USER = text("""
    SELECT u.id AS user_id, v.movie_id, m.title, m.genres, m.year, v.rating
    FROM users u LEFT JOIN views v ON v.user_id = u.id LEFT JOIN movies m ON m.id = v.movie_id
    WHERE u.id = :user
    ORDER BY v.version DESC, v.movie_id
""")


def put(db: Connection, user_id: int, movie_id: int, rating: float) -> bool:
    """Record a view; True if it is the user's first of this film, False if it replaced one.

    Raises:
        UnknownUserError, UnknownMovieError: there is no such user or film; nothing was changed.
    """
    try:
        created = db.execute(_PUT, {"user": user_id, "movie": movie_id, "rating": rating}).scalar_one_or_none()
    except IntegrityError as error:
        if getattr(error.orig, "pgcode", None) != errorcodes.FOREIGN_KEY_VIOLATION:
            raise
        raise UnknownMovieError(movie_id) from error  # the user's row was there and locked, so it is the film
    if created is None:
        raise UnknownUserError(user_id)
    return bool(created)


def remove(db: Connection, user_id: int, movie_id: int) -> bool:
    """Take a view back; False if there was none."""
    return db.execute(_REMOVE, {"user": user_id, "movie": movie_id}).rowcount > 0


def of_user(db: Connection, user_id: int) -> Sequence[Row[Any]]:
    """A user's views, newest first: (movie_id, title, genres, year, rating). Raises `UnknownUserError`."""
    rows = db.execute(_OF_USER, {"user": user_id}).all()
    if not rows:
        raise UnknownUserError(user_id)
    return [row for row in rows if row.movie_id is not None]
