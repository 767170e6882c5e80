"""What users say of movies, in versions: their ratings (table views), which trainings learn from, and their marks."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from psycopg2.errors import ForeignKeyViolation
from sqlalchemy import Connection, Row, TextClause, text
from sqlalchemy.exc import IntegrityError

from catalogue.movie import UnknownMovieError
from storage.errors import UnknownMarkError, UnknownUserError
from storage.prepared_statement import PreparedStatement

Mark = Literal["seen", "hidden", "later"]

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

_PUT_MARK = text("""
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

# Of the table views or marks. It updates the user first, like _PUT: in the opposite order the two would deadlock.
_REMOVE = """
    WITH changed_user AS (
        UPDATE users SET history_version = history_version + 1
        WHERE id = :user AND EXISTS (SELECT FROM {table} WHERE user_id = :user AND movie_id = :movie)
        RETURNING id
    )
    DELETE FROM {table} USING changed_user WHERE user_id = changed_user.id AND movie_id = :movie
"""
_OF_USER = """
    SELECT m.title, m.genres, m.year, m.imdb_id, m.tmdb_id, {columns}, said.movie_id, said.version
    FROM users u
    LEFT JOIN LATERAL (
        SELECT * FROM {table}
        WHERE user_id = u.id AND (version, -movie_id) < (:version, -:movie) AND {condition}
        ORDER BY version DESC, movie_id LIMIT :limit
    ) said ON true
    LEFT JOIN movies m ON m.id = said.movie_id
    WHERE u.id = :user ORDER BY said.version DESC, said.movie_id
"""
_REMOVE_RATING = text(_REMOVE.format(table="views"))
_REMOVE_MARK = text(_REMOVE.format(table="marks"))
_RATINGS_OF_USER = text(_OF_USER.format(table="views", columns="said.rating, said.rated_at", condition="true"))
_MARKS_OF_USER = text(
    _OF_USER.format(
        table="marks", columns="said.mark, said.at", condition="(CAST(:mark AS text) IS NULL OR mark = :mark)"
    )
)

_UNKNOWN = text("""
    SELECT id FROM unnest(CAST(:movies AS integer[])) AS sent (id)
    WHERE NOT EXISTS (SELECT FROM movies WHERE movies.id = sent.id)
""")


class WriteCounts(NamedTuple):
    """How many ratings or marks were the first of their movie, replaced one, or changed nothing."""

    created: int
    replaced: int
    unchanged: int = 0


class RatingCursor(NamedTuple):
    """The place of a rating or mark among those of a user, newest first."""

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
    return set(db.scalars(_UNKNOWN, {"movies": list(movie_ids)}))


def remove(db: Connection, user_id: int, movie_id: int) -> bool:
    """Remove a rating; return False if there was none."""
    return db.execute(_REMOVE_RATING, {"user": user_id, "movie": movie_id}).rowcount > 0


def of_user(
    db: Connection, user_id: int, limit: int | None = None, after: RatingCursor = FIRST_PAGE
) -> Sequence[Row[Any]]:
    """Return a user's ratings, newest first: rows of the movie's columns, rating, rated_at and version.

    Raises `UnknownUserError`.
    """
    return _page(db, _RATINGS_OF_USER, user_id, limit, after)


def put_mark(db: Connection, user_id: int, movie_id: int, mark: Mark) -> bool:
    """Store a mark in place of the one that is there; return True if there was none.

    Raises `UnknownUserError` and `UnknownMovieError`.
    """
    try:
        found = db.execute(_PUT_MARK, {"user": user_id, "movie": movie_id, "mark": mark}).one_or_none()
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation):  # the user exists, since the row was updated
            raise UnknownMovieError(movie_id) from error
        raise
    if found is None:
        raise UnknownUserError(user_id)
    return not found.known


def remove_mark(db: Connection, user_id: int, movie_id: int) -> None:
    """Remove a mark. Raises `UnknownMarkError`."""
    if db.execute(_REMOVE_MARK, {"user": user_id, "movie": movie_id}).rowcount == 0:
        raise UnknownMarkError(user_id, movie_id)


def marks_of_user(
    db: Connection, user_id: int, mark: Mark | None, limit: int, after: RatingCursor = FIRST_PAGE
) -> Sequence[Row[Any]]:
    """Return a user's marks, or those of one kind, newest first, each with its movie. Raises `UnknownUserError`."""
    return _page(db, _MARKS_OF_USER, user_id, limit, after, mark=mark)


def _page(
    db: Connection, statement: TextClause, user_id: int, limit: int | None, after: RatingCursor, **values: Any
) -> Sequence[Row[Any]]:
    values |= {"user": user_id, "version": after.version, "movie": after.movie_id, "limit": limit}
    rows = db.execute(statement, values).all()
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
