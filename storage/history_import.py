"""Store the ratings and marks of an imported file in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, text

from storage.bulk_transfer import WRITE_CHANGES
from storage.errors import UnknownUserError
from storage.user_ratings import WriteCounts

# A stored rating is replaced by a later one, or by any with `overwrite`. A rating without a time never counts as later.
_RATINGS = text(f"""
    WITH changes AS (
        SELECT CAST(:user AS integer) AS user_id, sent.movie_id, sent.rating, coalesce(sent.at, now()) AS rated_at,
            false AS again, here.rating IS NOT NULL AS known,
            row_number() OVER (ORDER BY coalesce(sent.at, now()), sent.movie_id) AS place
        FROM unnest(CAST(:movies AS integer[]), CAST(:ratings AS real[]), CAST(:times AS timestamptz[]))
            AS sent (movie_id, rating, at)
        LEFT JOIN views here ON here.user_id = :user AND here.movie_id = sent.movie_id
        WHERE here.rating IS NULL OR (here.rating <> sent.rating AND (:overwrite OR sent.at > here.rated_at))
    ),
    {WRITE_CHANGES}
""")  # noqa: S608 - no part of it comes from outside
# seen replaces later; neither replaces hidden, and a rated movie gets no mark.
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


class ImportedRow(Protocol):
    """A rating, or else a mark, seen or later, and its time, None if that is not known."""

    rating: float | None
    mark: str | None
    at: datetime | None


def store(
    db: Connection,
    user_id: int,
    ratings: Mapping[int, ImportedRow],
    marks: Mapping[int, ImportedRow],
    overwrite: bool = False,
    dry_run: bool = False,
) -> tuple[WriteCounts, WriteCounts]:
    """Store these ratings and marks by movie; return the counts of both. Repeating it changes nothing.

    A dry run changes nothing and returns the same. `db` must be a transaction. Raises `UnknownUserError`.
    """
    locked = text("SELECT id FROM users WHERE id = :user FOR NO KEY UPDATE")
    if db.execute(locked, {"user": user_id}).one_or_none() is None:
        raise UnknownUserError(user_id)
    with db.begin_nested() as written:
        values = {"user": user_id, "overwrite": overwrite, "movies": list(ratings)}
        values |= {"ratings": [one.rating for one in ratings.values()], "times": [one.at for one in ratings.values()]}
        rated = db.execute(_RATINGS, values).one()
        values = {"user": user_id, "movies": list(marks)}
        values |= {"marks": [one.mark for one in marks.values()], "times": [one.at for one in marks.values()]}
        marked = db.execute(_MARKS, values).one()
        if dry_run:
            written.rollback()
    return (
        WriteCounts(rated.created, rated.replaced, len(ratings) - rated.created - rated.replaced),
        WriteCounts(marked.created, marked.replaced, len(marks) - marked.created - marked.replaced),
    )
