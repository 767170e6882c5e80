"""Bring the catalogue to another edition of its dataset: what would change, and the change itself.

Both look at a temporary table of the arriving movies, in a transaction of the caller.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from storage.bulk_copy import copy_rows
from storage.movie_changes import FIRST_OWN_ID
from storage.movies import COLUMNS, raise_version

_CREATE = text("""
    CREATE TEMPORARY TABLE arrived (
        id integer PRIMARY KEY, title varchar, genres varchar, year smallint, rating_count integer,
        rating_sum double precision, like_count integer, expected_rating real, rating_histogram integer[],
        imdb_id varchar, tmdb_id integer, tags varchar[]
    ) ON COMMIT DROP
""")
# a set without links or tags says nothing of them
_DESCRIBED = """a.title, a.genres, a.year, coalesce(a.imdb_id, m.imdb_id), coalesce(a.tmdb_id, m.tmdb_id),
    coalesce(nullif(a.tags, '{}'), m.tags, '{}')"""
_COUNTED = "a.rating_count, a.rating_sum, a.like_count, a.expected_rating, a.rating_histogram"
_OLD_DESCRIBED = "m.title, m.genres, m.year, m.imdb_id, m.tmdb_id, m.tags"
_OLD_COUNTED = "m.rating_count, m.rating_sum, m.like_count, m.expected_rating, m.rating_histogram"
_MISSING = f"m.id < {FIRST_OWN_ID} AND NOT EXISTS (SELECT FROM arrived a WHERE a.id = m.id)"
_DIFFERENCE = text(f"""
    SELECT ARRAY(SELECT id FROM arrived a WHERE NOT EXISTS (SELECT FROM movies m WHERE m.id = a.id) ORDER BY id),
        ARRAY(SELECT id FROM movies m JOIN arrived a USING (id)
              WHERE ({_OLD_DESCRIBED}) IS DISTINCT FROM ({_DESCRIBED}) ORDER BY id),
        ARRAY(SELECT id FROM movies m WHERE {_MISSING} AND withdrawn_at IS NULL ORDER BY id),
        ARRAY(SELECT id FROM movies m JOIN arrived a USING (id) WHERE withdrawn_at IS NOT NULL ORDER BY id)
""")  # noqa: S608 - no part of it comes from outside
_INSERT = f"""
    INSERT INTO movies ({COLUMNS}, changed)
    SELECT {COLUMNS}, :version FROM arrived a WHERE NOT EXISTS (SELECT FROM movies m WHERE m.id = a.id)
"""  # noqa: S608 - as above
_UPDATE = f"""
    UPDATE movies SET title = new.title, genres = new.genres, year = new.year, imdb_id = new.imdb_id,
        tmdb_id = new.tmdb_id, tags = new.tags, rating_count = new.rating_count, rating_sum = new.rating_sum,
        like_count = new.like_count, expected_rating = new.expected_rating, rating_histogram = new.rating_histogram,
        changed = :version
    FROM (
        SELECT a.id, {_DESCRIBED}, {_COUNTED} FROM movies m JOIN arrived a USING (id)
        WHERE ({_OLD_DESCRIBED}, {_OLD_COUNTED}) IS DISTINCT FROM ({_DESCRIBED}, {_COUNTED})
    ) new (id, title, genres, year, imdb_id, tmdb_id, tags,
           rating_count, rating_sum, like_count, expected_rating, rating_histogram)
    WHERE movies.id = new.id
"""  # noqa: S608 - as above
_WITHOUT_RATINGS = f"""
    UPDATE movies m SET rating_count = 0, rating_sum = 0, like_count = 0, rating_histogram = array_fill(0, ARRAY[10]),
        tags = coalesce(tags, '{{}}'),
        expected_rating = (SELECT coalesce(sum(rating_sum) / nullif(sum(rating_count), 0), 2.75) FROM arrived),
        changed = :version
    WHERE {_MISSING} AND (rating_count > 0 OR rating_histogram IS NULL OR tags IS NULL)
"""  # noqa: S608 - as above
_WITHDRAW = f"UPDATE movies m SET withdrawn_at = now(), changed = :version WHERE {_MISSING} AND withdrawn_at IS NULL"  # noqa: S608
_RESTORE = """
    UPDATE movies m SET withdrawn_at = NULL, changed = :version FROM arrived a
    WHERE a.id = m.id AND withdrawn_at IS NOT NULL
"""


@dataclass(frozen=True)
class CatalogueDifference:
    """How another edition of the dataset differs, by movie ids.

    Attributes:
        added: only in the new edition; changed: described differently there.
        missing: movies of a dataset that only the catalogue has; withdrawn: withdrawn here, and in the new edition.
    """

    added: Sequence[int]
    changed: Sequence[int]
    missing: Sequence[int]
    withdrawn: Sequence[int]


def take_in(db: Connection, rows: Iterable[Sequence[Any]]) -> CatalogueDifference:
    """Copy the movies of a dataset, as `COLUMNS`, to the temporary table; return what differs."""
    db.execute(_CREATE)
    copy_rows(db, f"arrived ({COLUMNS})", rows)
    db.execute(text("ANALYZE arrived"))
    return CatalogueDifference(*db.execute(_DIFFERENCE).one())


def apply(db: Connection, withdraw_missing: bool, restore: bool) -> None:
    """Replace the catalogue with the movies that `take_in` copied; the ratings of our users stay as they are."""
    version = raise_version(db)
    optional = [_WITHDRAW] * withdraw_missing + [_RESTORE] * restore
    for statement in (_INSERT, _UPDATE, _WITHOUT_RATINGS, *optional):
        db.execute(text(statement), {"version": version})
