"""Create, read, export and delete users."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from storage.errors import UnknownUserError

# One statement: of two requests with the same key at once the later waits for the earlier and returns its row. Only an
# update can see that row, so it writes the key that is there already.
_MAKE = text("""
    INSERT INTO users (idempotency_key) VALUES (:key)
    ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL
        DO UPDATE SET idempotency_key = excluded.idempotency_key
    RETURNING id AS user_id, created_at, xmax = 0 AS is_new
""")

_MOVIE = """json_build_object(
    'movie_id', m.id, 'title', m.title, 'genres', m.genres, 'year', m.year, 'imdb_id', m.imdb_id, 'tmdb_id', m.tmdb_id
) AS movie"""

# Exact, because versions only grow: a new or changed rating has a newer version than all before it, so the same newest
# version and the same count mean the same ratings. history_version also changes with marks, which no training uses.
_FINGERPRINT = text("""
    SELECT encode(sha256(coalesce(
        string_agg(int4send(user_id) || int8send(newest) || int8send(ratings), '' ORDER BY user_id), ''
    )), 'hex')
    FROM (
        SELECT user_id, max(version) AS newest, count(*) AS ratings
        FROM views JOIN users ON users.id = user_id AND train GROUP BY user_id
    ) AS rated
""")

# One statement, so that everything is of one moment.
_HELD = text(f"""
    SELECT u.id AS user_id, u.created_at, u.idempotency_key, u.train,
        (SELECT coalesce(json_agg(held), '[]') FROM (
            SELECT {_MOVIE}, v.rating, v.rated_at
            FROM views v JOIN movies m ON m.id = v.movie_id WHERE v.user_id = u.id ORDER BY v.version DESC, v.movie_id
        ) held) AS ratings,
        (SELECT coalesce(json_agg(held), '[]') FROM (
            SELECT {_MOVIE}, k.mark, k.at
            FROM marks k JOIN movies m ON m.id = k.movie_id WHERE k.user_id = u.id ORDER BY k.version DESC, k.movie_id
        ) held) AS marks,
        (SELECT coalesce(json_agg(held), '[]') FROM (
            SELECT r.generation_id, place.rank, {_MOVIE}, place.expected_rating
            FROM recommendations r,
                unnest(r.movie_ids, r.expected_ratings) WITH ORDINALITY AS place (movie_id, expected_rating, rank)
                JOIN movies m ON m.id = place.movie_id
            WHERE r.user_id = u.id AND r.history_version = u.history_version ORDER BY r.generation_id DESC, place.rank
        ) held) AS recommendations,
        (SELECT coalesce(json_agg(held), '[]') FROM (
            SELECT f.generation_id, {_MOVIE}, f.rating, f.expected_rating, f.rank
            FROM foretold f JOIN movies m ON m.id = f.movie_id WHERE f.user_id = u.id ORDER BY f.version DESC, m.id
        ) held) AS foretold,
        (SELECT coalesce(json_agg(held), '[]') FROM (
            SELECT list_id, at, times, generation_id, experiment, arm, route, first_place, movie_ids, expected_ratings,
                teams, explored
            FROM impressions WHERE user_id = u.id ORDER BY at DESC
        ) held) AS impressions,
        (SELECT coalesce(json_agg(held), '[]') FROM (
            SELECT list_id, movie_id, event, at FROM events WHERE user_id = u.id ORDER BY at DESC, movie_id
        ) held) AS events,
        (SELECT coalesce(json_agg(held), '[]') FROM (
            SELECT id AS token_id, scope, name, created_at FROM tokens WHERE user_id = u.id ORDER BY id DESC
        ) held) AS tokens
    FROM users u WHERE u.id = :user
""")  # noqa: S608 - no part of it comes from outside

_COUNTS = text("""
    SELECT (SELECT count(*) FROM views WHERE user_id = :user),
        (SELECT coalesce(sum(cardinality(movie_ids)), 0) FROM recommendations WHERE user_id = :user),
        (SELECT count(*) FROM foretold WHERE user_id = :user),
        (SELECT count(*) FROM impressions WHERE user_id = :user)
""")


class DeletedRows(NamedTuple):
    """The numbers of rows deleted with a user: ratings, places in stored lists, predictions, impressions."""

    views: int
    listed: int
    predictions: int
    impressions: int = 0

    def __str__(self) -> str:
        views = "1 view" if self.views == 1 else f"{self.views} views"
        return f"{views}, {self.listed} places in lists, {self.predictions} predictions"


def create(db: Connection) -> int:
    """Create a user and return their id, which no other user ever had."""
    return int(create_with_key(db).user_id)


def create_with_key(db: Connection, key: str | None = None) -> Row[Any]:
    """Create a user and return (user_id, created_at, is_new); if a user with this key exists, return that user."""
    return db.execute(_MAKE, {"key": key}).one()


def find(db: Connection, user_id: int) -> Row[Any]:
    """Return a user as (user_id, created_at, train, rating_count). Raises `UnknownUserError`."""
    statement = text("""
        SELECT id AS user_id, created_at, train,
            (SELECT count(*) FROM views WHERE user_id = users.id) AS rating_count
        FROM users WHERE id = :user
    """)
    found = db.execute(statement, {"user": user_id}).one_or_none()
    if found is None:
        raise UnknownUserError(user_id)
    return found


def set_train(db: Connection, user_id: int, train: bool) -> None:
    """Let trainings learn from a user's ratings, or not. Raises `UnknownUserError`."""
    statement = text("UPDATE users SET train = :train WHERE id = :user")
    if db.execute(statement, {"user": user_id, "train": train}).rowcount == 0:
        raise UnknownUserError(user_id)


def count(db: Connection) -> int:
    """Return the number of users."""
    return db.scalar(text("SELECT count(*) FROM users"))


def page(db: Connection, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return the users with the next higher ids like `find`, with `last_at`, the time of their last rating or None."""
    statement = text("""
        SELECT u.id AS user_id, u.created_at, rated.*
        FROM (SELECT id, created_at FROM users WHERE id > :after ORDER BY id LIMIT :limit) u
        CROSS JOIN LATERAL (
            SELECT count(*) AS rating_count, max(rated_at) AS last_at FROM views WHERE user_id = u.id
        ) rated ORDER BY u.id
    """)
    return db.execute(statement, {"after": after, "limit": limit}).all()


def export(db: Connection, user_id: int) -> Row[Any]:
    """Return all about a user: their row, ratings, recommendations, foretold, marks, impressions, events and tokens.

    All but the row are lists of dicts, newest first. Ratings, recommendations and foretold have their movie as the dict
    `movie`. Raises `UnknownUserError`.
    """
    found = db.execute(_HELD, {"user": user_id}).one_or_none()
    if found is None:
        raise UnknownUserError(user_id)
    return found


def delete(db: Connection, user_id: int) -> DeletedRows:
    """Delete a user with every row about them, and return how many those were. Raises `UnknownUserError`.

    No row can appear afterwards: a writer locks the user's row first, and finds it gone. The counts are exact in a
    transaction.
    """
    user = {"user": user_id}
    # a statement of its own: the next one sees only rows that were committed before it began
    db.execute(text("SELECT FROM users WHERE id = :user FOR UPDATE"), user)
    counts = db.execute(_COUNTS, user).one()
    if db.execute(text("DELETE FROM users WHERE id = :user"), user).rowcount == 0:
        raise UnknownUserError(user_id)
    return DeletedRows(*counts)


def fingerprint(db: Connection) -> str:
    """Return what changes with every rating that is added, changed or removed, and with every rater who leaves."""
    return db.scalar(_FINGERPRINT)


def count_ratings(db: Connection) -> int:
    """Return how many ratings our users have given."""
    return db.scalar(text("SELECT count(*) FROM views"))
