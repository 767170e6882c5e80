"""Add, change and withdraw movies. Each transaction makes one new version of the catalogue.

Raising the version is the first thing that each does, so that they follow one another and cannot deadlock; who reads
does not wait. It goes to PostgreSQL in one message with the change, whose statement sees what others have committed
before: a writer that waited for a client between the two would have all others wait as long.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from catalogue.movie import UnknownMovieError
from settings import OperatorError
from storage.movies import RAISE_VERSION

FIRST_OWN_ID = 1_000_000_000  # MovieLens stays far below
LAST_GIVEN_ID = 1_999_999_999  # of those that callers choose; ids of ours are the next ones after the last

# without ratings, a movie is expected to get the mean of all of the dataset
_PUT = text(f"""
    {RAISE_VERSION};
    WITH sent AS (
        SELECT r.*, known.id IS NOT NULL AS repeated, coalesce(r.movie_id, known.id, free.id + row_number() OVER (
            PARTITION BY coalesce(r.movie_id, known.id) IS NULL ORDER BY place)) AS id
        FROM (SELECT coalesce(max(id), {FIRST_OWN_ID} - 1) AS id FROM movies WHERE id >= {FIRST_OWN_ID}) free,
            jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
                place int, movie_id int, key text, title text, genres text, year smallint, imdb_id text, tmdb_id int)
            LEFT JOIN movies known ON known.idempotency_key = r.key
    ),
    written AS (
        INSERT INTO movies (id, title, genres, year, imdb_id, tmdb_id, tags, rating_count, rating_sum, like_count,
            expected_rating, rating_histogram, changed, idempotency_key)
        SELECT id, title, genres, year, imdb_id, tmdb_id, '{{}}', 0, 0, 0,
            (SELECT coalesce(sum(rating_sum) / nullif(sum(rating_count), 0), 2.75) FROM movies),
            array_fill(0, ARRAY[10]), (SELECT catalogue_version FROM live_generation), key
        FROM sent WHERE NOT repeated
        ON CONFLICT (id) DO UPDATE SET title = excluded.title, genres = excluded.genres, year = excluded.year,
            imdb_id = excluded.imdb_id, tmdb_id = excluded.tmdb_id, withdrawn_at = NULL, changed = excluded.changed
        WHERE (movies.title, movies.genres, movies.year, movies.imdb_id, movies.tmdb_id, movies.withdrawn_at)
            IS DISTINCT FROM (excluded.title, excluded.genres, excluded.year, excluded.imdb_id, excluded.tmdb_id, NULL)
        RETURNING id, xmax = 0 AS created
    )
    SELECT sent.id, coalesce(written.created, false) AS created,
        NOT repeated AND (sent.imdb_id <> coalesce(before.imdb_id, '')) AS new_imdb_id,
        NOT repeated AND (sent.tmdb_id <> coalesce(before.tmdb_id, 0)) AS new_tmdb_id,
        repeated AND (bool_or(NOT repeated AND sent.key IS NOT NULL) OVER ()
            OR (before.title, before.genres, before.year, before.imdb_id, before.tmdb_id)
            IS DISTINCT FROM (sent.title, sent.genres, sent.year, sent.imdb_id, sent.tmdb_id)) AS differs
    FROM sent LEFT JOIN written USING (id) LEFT JOIN movies before ON before.id = sent.id ORDER BY place
""")  # noqa: S608 - no part of it comes from outside
# a movie keeps an id that it shares with another, as MovieLens has it, but does not get one that another has
_TAKEN = """
    SELECT mine.id, min(other.id) AS other, mine.{column} AS value
    FROM movies mine JOIN movies other USING ({column})
    WHERE mine.id = ANY(:ids) AND other.id <> mine.id GROUP BY mine.id
"""
_WITHDRAW = text(f"""
    {RAISE_VERSION};
    UPDATE movies SET withdrawn_at = clock_timestamp(), changed = (SELECT catalogue_version FROM live_generation)
    WHERE id = ANY(:ids) AND withdrawn_at IS NULL
""")  # noqa: S608 - as above

# the movies of the first dataset were all added by one transaction, at version 0; only rows know a time, not versions
_RECENT = text("""
    SELECT id AS movie_id, title, genres, year, imdb_id, tmdb_id, CASE WHEN withdrawn_at IS NOT NULL THEN 'withdrawn'
            WHEN added_at > (SELECT min(added_at) FROM movies) THEN 'added' ELSE 'changed' END AS change,
        coalesce(withdrawn_at, nullif(added_at, (SELECT min(added_at) FROM movies))) AS at, count(*) OVER () AS total
    FROM movies WHERE changed > 0 ORDER BY changed DESC, id LIMIT :most
""")


@dataclass(frozen=True)
class MovieDescription:
    """All that can be said of a movie; `genres` as in "Drama|Thriller"."""

    title: str
    genres: str
    year: int | None = None
    imdb_id: str | None = None
    tmdb_id: int | None = None


class MovieChange(NamedTuple):
    """A movie to add or replace. Without an id it is new; `key` identifies it if the request is repeated."""

    movie_id: int | None
    description: MovieDescription
    key: str | None = None


class TakenId(NamedTuple):
    """The index of a change in its batch, the external id that it gives its movie, and the movie that has that id."""

    place: int
    column: str
    value: str | int
    movie_id: int


class ExternalIdTakenError(OperatorError):
    """Movies were to get external ids that other movies have."""

    def __init__(self, *taken: TakenId) -> None:
        one = taken[0]
        super().__init__(f"Movie {one.movie_id} has {one.column} {one.value}; an id is that of one movie only.")
        self.taken = taken


class KeyReusedError(OperatorError):
    """Another request added a movie with this key: the movie is not the one that is sent now, or the batch has more."""

    def __init__(self, movie_id: int) -> None:
        super().__init__(f"Another request added movie {movie_id} with this Idempotency-Key. Send another key.")
        self.movie_id = movie_id


def put(db: Connection, changes: Sequence[MovieChange], check_keys: bool = True) -> list[tuple[int, bool]]:
    """Add or replace movies, all or none; return the id of each and whether it is new.

    A replaced movie is no longer withdrawn. `db` must be a transaction. Raises `ExternalIdTakenError`, and with
    `check_keys` `KeyReusedError`.
    """
    rows = [
        {"place": place, "movie_id": change.movie_id, "key": change.key, **asdict(change.description)}
        for place, change in enumerate(changes)
    ]
    written = db.execute(_PUT, {"rows": json.dumps(rows)}).all()
    if check_keys and (differing := [row.id for row in written if row.differs]):
        raise KeyReusedError(differing[0])
    taken = []
    for column in ("imdb_id", "tmdb_id"):
        places = {row.id: place for place, row in enumerate(written) if getattr(row, f"new_{column}")}
        if places:
            found = db.execute(text(_TAKEN.format(column=column)), {"ids": list(places)})
            taken += [TakenId(places[row.id], column, row.value, row.other) for row in found]
    if taken:
        raise ExternalIdTakenError(*sorted(taken))
    return [(row.id, row.created) for row in written]


def described(written: Sequence[tuple[int, bool]]) -> str:
    """Return what `put` has written, in words for the log."""
    if len(written) == 1:
        ((movie_id, created),) = written
        return f"movie {movie_id} is {'added' if created else 'replaced'}"
    added = sum(new for _, new in written)
    return f"movies added: {added:,}; replaced: {len(written) - added:,}"


def withdraw(db: Connection, movie_ids: Sequence[int]) -> int:
    """Withdraw movies, and return how many were not withdrawn before.

    Raises `UnknownMovieError` if one does not exist; nothing was changed.
    """
    found = db.scalars(text("SELECT id FROM movies WHERE id = ANY(:ids)"), {"ids": list(movie_ids)}).all()
    if missing := set(movie_ids) - set(found):
        raise UnknownMovieError(*sorted(missing))
    return db.execute(_WITHDRAW, {"ids": list(movie_ids)}).rowcount


def recent(db: Connection, most: int) -> Sequence[Row[Any]]:
    """Return the movies that changed last as (movie_id ... tmdb_id, change, at, total).

    `change` is what became of a movie in all: withdrawn, else added after the first dataset, else changed; `at` is when
    it was added or withdrawn; `total` counts all such movies.
    """
    return db.execute(_RECENT, {"most": most}).all()
