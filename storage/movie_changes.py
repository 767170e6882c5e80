"""Add, change and withdraw movies. Each transaction makes one new version of the catalogue.

Raising the version is the first thing that each does, so that they follow one another and cannot deadlock; who reads
does not wait.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from catalogue.movie_table import UnknownMovieError
from storage.movies import raise_version

FIRST_OWN_ID = 1_000_000_000  # MovieLens stays far below
LAST_ID = 2**31 - 1

_SENT = """jsonb_to_recordset(CAST(:rows AS jsonb)) AS sent
    (movie_id int, title text, genres text, year smallint, imdb_id text, tmdb_id int, key text)"""
# a movie keeps an id that it shares with another, as MovieLens has it, but does not get one that another has
_NEW_IDS = """
    SELECT movie_id FROM {sent} LEFT JOIN movies ON movies.id = movie_id
    WHERE sent.{column} IS NOT NULL AND movies.{column} IS DISTINCT FROM sent.{column}
"""
_TAKEN = """
    SELECT mine.id, mine.{column}, min(other.id) FROM movies mine JOIN movies other USING ({column})
    WHERE mine.id = ANY(:ids) AND other.id <> mine.id GROUP BY mine.id
"""
# without ratings, a movie is expected to get the mean of all of the dataset
_PUT = text(f"""
    INSERT INTO movies (id, title, genres, year, imdb_id, tmdb_id, tags, rating_count, rating_sum, like_count,
        expected_rating, rating_histogram, changed, idempotency_key)
    SELECT movie_id, title, genres, year, imdb_id, tmdb_id, '{{}}', 0, 0, 0, usual.rating, array_fill(0, ARRAY[10]),
        :version, key
    FROM {_SENT}, (SELECT coalesce(sum(rating_sum) / nullif(sum(rating_count), 0), 2.75) AS rating FROM movies) AS usual
    ON CONFLICT (id) DO UPDATE SET title = excluded.title, genres = excluded.genres, year = excluded.year,
        imdb_id = excluded.imdb_id, tmdb_id = excluded.tmdb_id, withdrawn_at = NULL, changed = excluded.changed
    WHERE (movies.title, movies.genres, movies.year, movies.imdb_id, movies.tmdb_id, movies.withdrawn_at)
        IS DISTINCT FROM (excluded.title, excluded.genres, excluded.year, excluded.imdb_id, excluded.tmdb_id, NULL)
    RETURNING id, xmax = 0 AS created
""")  # noqa: S608 - no part of it comes from outside
# the first free id after the last one, or after the first one if somebody has given a movie the very last id
_FREE = text(f"""
    SELECT coalesce(
        (SELECT max(id) + 1 FROM movies WHERE id >= {FIRST_OWN_ID} HAVING max(id) < {LAST_ID}),
        (SELECT min(id) + 1 FROM movies m WHERE id >= {FIRST_OWN_ID}
            AND NOT EXISTS (SELECT FROM movies WHERE id = m.id + 1)),
        {FIRST_OWN_ID})
""")  # noqa: S608 - of numbers alone


@dataclass(frozen=True)
class MovieDescription:
    """All that can be said of a movie; `genres` as in "Drama|Thriller"."""

    title: str
    genres: str
    year: int | None = None
    imdb_id: str | None = None
    tmdb_id: int | None = None


class MovieChange(NamedTuple):
    """A movie to add or to replace: without an id a new one, which `key` finds again if the request is repeated."""

    movie_id: int | None
    description: MovieDescription
    key: str | None = None


class TakenId(NamedTuple):
    """The place of a change in its batch, the id elsewhere that it gives its movie, and the movie that has that id."""

    place: int
    column: str
    value: str | int
    movie_id: int


class ExternalIdTakenError(ValueError):
    """Movies were to get ids elsewhere that other movies have."""

    def __init__(self, *taken: TakenId) -> None:
        one = taken[0]
        super().__init__(f"Movie {one.movie_id} has {one.column} {one.value}; an id is that of one movie only.")
        self.taken = taken


def put(db: Connection, changes: Sequence[MovieChange]) -> list[tuple[int, bool]]:
    """Add or replace movies, all or none; return the id of each and whether it is new.

    A replaced movie is no longer withdrawn. `db` must be a transaction. Raises `ExternalIdTakenError`.
    """
    version = raise_version(db)
    known = _known_keys(db, [change.key for change in changes if change.key is not None])
    free = iter(range(db.execute(_FREE).scalar_one(), LAST_ID + 1))
    ids = [change.movie_id or known.get(change.key) or next(free) for change in changes]
    rows = json.dumps(
        [
            {"movie_id": movie_id, "key": change.key, **asdict(change.description)}
            for movie_id, change in zip(ids, changes, strict=True)
            if change.key not in known
        ]
    )
    newly = {
        column: db.execute(text(_NEW_IDS.format(sent=_SENT, column=column)), {"rows": rows}).scalars().all()
        for column in ("imdb_id", "tmdb_id")
    }
    created = {row.id: row.created for row in db.execute(_PUT, {"rows": rows, "version": version})}
    if taken := [
        TakenId(ids.index(row[0]), column, row[1], row[2])
        for column, of in newly.items()
        for row in db.execute(text(_TAKEN.format(column=column)), {"ids": list(of)})
    ]:
        raise ExternalIdTakenError(*sorted(taken))
    return [(movie_id, created.get(movie_id, False)) for movie_id in ids]


def withdraw(db: Connection, movie_ids: Sequence[int]) -> int:
    """Withdraw movies, and return how many were not withdrawn before; `db` must be a transaction.

    Raises `UnknownMovieError` if one does not exist.
    """
    found = db.execute(text("SELECT id FROM movies WHERE id = ANY(:ids)"), {"ids": list(movie_ids)}).scalars().all()
    if missing := set(movie_ids) - set(found):
        raise UnknownMovieError(*sorted(missing))
    statement = text("""
        UPDATE movies SET withdrawn_at = clock_timestamp(), changed = :version
        WHERE id = ANY(:ids) AND withdrawn_at IS NULL
    """)
    return db.execute(statement, {"ids": list(movie_ids), "version": raise_version(db)}).rowcount


def _known_keys(db: Connection, keys: list[str]) -> dict[str | None, int]:
    statement = text("SELECT idempotency_key, id FROM movies WHERE idempotency_key = ANY(:keys)")
    return {row.idempotency_key: row.id for row in db.execute(statement, {"keys": keys})} if keys else {}
