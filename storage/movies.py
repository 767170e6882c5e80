"""The catalogue of movies."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, text

from catalogue.movie import UNKNOWN_YEAR, UnknownMovieError
from catalogue.movie_table import MovieTable
from ranking.ratings import Ints
from storage.bulk_copy import copy_rows
from storage.prepared_statement import PreparedStatement

# of the ratings of the dataset and of our users; the histogram is null if those of the dataset were not counted
_FIND = text("""
    SELECT m.id AS movie_id, m.title, m.genres, m.year, m.imdb_id, m.tmdb_id, coalesce(m.tags, '{}') AS tags,
        m.added_at, m.withdrawn_at, m.rating_count + ours.n AS rating_count,
        (m.rating_sum + ours.total) / nullif(m.rating_count + ours.n, 0) AS rating_mean,
        CASE WHEN m.rating_histogram IS NOT NULL THEN ARRAY(
            SELECT m.rating_histogram[halves] + count(v.rating) FROM generate_series(1, 10) halves
            LEFT JOIN views v ON v.movie_id = m.id AND v.rating * 2 = halves GROUP BY halves ORDER BY halves
        ) END AS rating_histogram
    FROM movies m, LATERAL (
        SELECT count(*) AS n, coalesce(sum(rating::float), 0) AS total FROM views WHERE movie_id = m.id
    ) ours
    WHERE m.id = :movie
""")

STEPS = 10  # of the rating scale, from .5 to 5
# the sum of squares about the mean; null without a histogram and without ratings
_SPREAD = f"""({" + ".join(f"rating_histogram[{n}] * {n * n / 4}" for n in range(1, STEPS + 1))})
    - rating_sum * rating_sum / nullif(rating_count, 0)"""
_TABLE = text(f"""
    SELECT coalesce((SELECT catalogue_version FROM live_generation), 0), m.*
    FROM (SELECT) one LEFT JOIN (
        SELECT id, title, genres, year, rating_count, like_count, expected_rating, coalesce({_SPREAD}, 0),
            rating_sum, imdb_id, tmdb_id, floor(extract(epoch FROM added_at))::bigint, withdrawn_at IS NOT NULL
        FROM movies WHERE changed > :after
    ) m ON true ORDER BY id
""")  # noqa: S608 - of numbers alone
_OTHER_VERSION = PreparedStatement("""
    PREPARE other_version (bigint) AS SELECT catalogue_version FROM live_generation WHERE catalogue_version <> $1
""")
RAISE_VERSION = """
    INSERT INTO live_generation (catalogue_version) VALUES (1)
    ON CONFLICT (single) DO UPDATE SET catalogue_version = live_generation.catalogue_version + 1
"""
COLUMNS = """id, title, genres, year, rating_count, rating_sum, like_count, expected_rating, rating_histogram, imdb_id,
    tmdb_id, tags"""


def is_filled(db: Connection) -> bool:
    """Return whether the catalogue has been filled."""
    return db.scalar(text("SELECT EXISTS (SELECT FROM movies)"))


def lock(db: Connection) -> None:
    """Block other transactions from filling the catalogue until this one ends; they can still read it."""
    db.execute(text("LOCK TABLE movies IN EXCLUSIVE MODE"))


def ids(db: Connection) -> Ints:
    """Return all movie ids, ascending, int32 [f]."""
    return np.array(db.scalars(text("SELECT id FROM movies ORDER BY id")).all(), np.int32)


def fill(db: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Fill the catalogue by COPY; `rows` hold `COLUMNS`, None for an unknown year."""
    copy_rows(db, f"movies ({COLUMNS})", rows)


def table(db: Connection, after: int = -1) -> MovieTable:
    """Return the table of all movies, or of those that have changed since version `after` of the catalogue."""
    rows = db.execute(_TABLE, {"after": after}).all()
    version = rows[0][0]
    columns = zip(*(row[1:] for row in rows if row[1] is not None), strict=True)
    movies, title, genres, year, *numbers, imdb_id, tmdb_id, added_at, withdrawn = list(columns) or [()] * 13
    rating_count, like_count, expected, spread, rating_sum = numbers
    return MovieTable(
        np.array(movies, np.int32),
        np.array(title, object),
        np.array(genres, object),
        np.array([known or UNKNOWN_YEAR for known in year], np.int16),
        np.array(rating_count, np.int32),
        np.array(like_count, np.int32),
        np.array(expected, np.float32),
        np.array(spread, np.float32),
        np.array(rating_sum, np.float64),
        np.array(imdb_id, object),
        np.array([known or 0 for known in tmdb_id], np.int32),
        np.array(added_at, np.int64),
        np.array(withdrawn, bool),
        version,
    )


def version(db: Connection) -> int:
    """Return the version of the catalogue."""
    return db.scalar(text("SELECT catalogue_version FROM live_generation")) or 0


def other_version(db: Connection, version: int) -> int | None:
    """Return the version of the catalogue if it is another than this one."""
    found = _OTHER_VERSION.rows(db, version)
    return int(found[0][0]) if found else None


def withdrawn(db: Connection) -> Ints:
    """Return the ids of the movies that are withdrawn, ascending."""
    return np.array(
        db.scalars(text("SELECT id FROM movies WHERE withdrawn_at IS NOT NULL ORDER BY id")).all(), np.int32
    )


def find(db: Connection, movie_id: int) -> Row[Any]:
    """Return a movie with the statistics of all its ratings, of the dataset and of our users.

    These are rating_count, rating_mean, which is None without ratings, and rating_histogram: the number of ratings of
    .5, 1 ... 5, None if those of the dataset were not counted. Raises `UnknownMovieError`.
    """
    found = db.execute(_FIND, {"movie": movie_id}).one_or_none()
    if found is None:
        raise UnknownMovieError(movie_id)
    return found


def is_complete(db: Connection) -> bool:
    """Return whether all movies have their rating histograms and tags, which earlier versions did not store."""
    return bool(
        db.scalar(text("SELECT NOT EXISTS (SELECT FROM movies WHERE rating_histogram IS NULL OR tags IS NULL)"))
    )


def raise_version(db: Connection) -> int:
    """Return a new version of the catalogue for the changes of this transaction; others wait until it has ended."""
    return db.scalar(text(f"{RAISE_VERSION} RETURNING catalogue_version"))
