"""What a user brings from elsewhere: ratings and marks, stored in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from storage.errors import UnknownUserError

# A rating that is here gives way to a later one only, or to all if that is asked for. One without a time is not later.
_RATINGS = text("""
    WITH changes AS (
        SELECT sent.*, here.rating IS NOT NULL AS known,
            row_number() OVER (ORDER BY coalesce(sent.at, now()), sent.movie_id) AS place
        FROM unnest(CAST(:movies AS integer[]), CAST(:ratings AS real[]), CAST(:times AS timestamptz[]))
            AS sent (movie_id, rating, at)
        LEFT JOIN views here ON here.user_id = :user AND here.movie_id = sent.movie_id
        WHERE here.rating IS NULL OR (here.rating <> sent.rating AND (:overwrite OR sent.at > here.rated_at))
    ),
    changed_user AS (
        UPDATE users SET history_version = history_version + (SELECT count(*) FROM changes)
        WHERE id = :user AND EXISTS (SELECT FROM changes)
    ),
    written AS (
        INSERT INTO views (user_id, movie_id, rating, rated_at, again, version)
        SELECT :user, movie_id, rating, coalesce(at, now()), known, :version + place FROM changes
        ON CONFLICT (user_id, movie_id) DO UPDATE
            SET rating = excluded.rating, rated_at = excluded.rated_at, again = true, version = excluded.version
    ),
    unmarked AS (
        DELETE FROM marks USING changes
        WHERE user_id = :user AND marks.movie_id = changes.movie_id AND mark <> 'hidden'
    )
    SELECT count(*) FILTER (WHERE NOT known) AS created, count(*) FILTER (WHERE known) AS replaced FROM changes
""")
# Seen takes the place of later, and neither that of a rating or of hidden.
_MARKS = text("""
    WITH changes AS (
        SELECT sent.*, here.mark IS NOT NULL AS known
        FROM unnest(CAST(:movies AS integer[]), CAST(:marks AS text[]), CAST(:times AS timestamptz[]))
            AS sent (movie_id, mark, at)
        LEFT JOIN marks here ON here.user_id = :user AND here.movie_id = sent.movie_id
        WHERE (here.mark IS NULL OR (here.mark = 'later' AND sent.mark = 'seen'))
            AND NOT EXISTS (SELECT FROM views WHERE user_id = :user AND views.movie_id = sent.movie_id)
    ),
    changed_user AS (
        UPDATE users SET history_version = history_version + 1 WHERE id = :user AND EXISTS (SELECT FROM changes)
        RETURNING history_version
    ),
    written AS (
        INSERT INTO marks (user_id, movie_id, mark, at, version)
        SELECT :user, movie_id, mark, coalesce(at, now()), history_version FROM changes, changed_user
        ON CONFLICT (user_id, movie_id) DO UPDATE
            SET mark = excluded.mark, at = excluded.at, version = excluded.version
    )
    SELECT count(*) FILTER (WHERE NOT known) AS created, count(*) FILTER (WHERE known) AS replaced FROM changes
""")


class ImportedRating(NamedTuple):
    """A rating and its time, None if that is not known."""

    rating: float
    at: datetime | None


class ImportedMark(NamedTuple):
    """A mark, seen or later, and its time, None if that is not known."""

    mark: str
    at: datetime | None


class ImportCounts(NamedTuple):
    """How many rows are new, took the place of one, or changed nothing."""

    created: int
    replaced: int
    unchanged: int


def store(
    db: Connection,
    user_id: int,
    ratings: Mapping[int, ImportedRating],
    marks: Mapping[int, ImportedMark],
    overwrite: bool = False,
    dry_run: bool = False,
) -> tuple[ImportCounts, ImportCounts]:
    """Store these ratings and marks by movie; return the counts of both. Repeating it changes nothing.

    A dry run changes nothing and returns the same. `db` must be a transaction. Raises `UnknownUserError`.
    """
    locked = text("SELECT history_version FROM users WHERE id = :user FOR NO KEY UPDATE")
    version = db.execute(locked, {"user": user_id}).scalar_one_or_none()
    if version is None:
        raise UnknownUserError(user_id)
    with db.begin_nested() as written:
        values = {"user": user_id, "version": version, "overwrite": overwrite, "movies": list(ratings)}
        values |= {"ratings": [one.rating for one in ratings.values()], "times": [one.at for one in ratings.values()]}
        rated = db.execute(_RATINGS, values).one()
        values = {"user": user_id, "movies": list(marks)}
        values |= {"marks": [one.mark for one in marks.values()], "times": [one.at for one in marks.values()]}
        marked = db.execute(_MARKS, values).one()
        if dry_run:
            written.rollback()
    return (
        ImportCounts(rated.created, rated.replaced, len(ratings) - rated.created - rated.replaced),
        ImportCounts(marked.created, marked.replaced, len(marks) - marked.created - marked.replaced),
    )
