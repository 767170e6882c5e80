"""Import movies from a CSV file with MovieLens's columns, in one transaction."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from movielens.formats import CSV, LONGEST_TEXT, parse_movielens_id
from movielens.line_report import DatasetError, LineError, LineReport
from movielens.links_and_tags import parse_imdb_id
from movielens.text_file import FileFormat, rows_of
from storage import movie_changes
from storage.database import Database
from storage.movie_changes import LAST_GIVEN_ID, MovieChange, MovieDescription
from system.progress import progress

BATCH = 10_000


def import_movies(database: Database, file: Path) -> tuple[int, int]:
    """Add or replace the movies of a file; return the numbers of new and of existing movies.

    A movie without a movieId gets an id of the service, and keeps it if the file is imported again.

    Raises `DatasetError` for a missing column and for unusable lines, and `ExternalIdTakenError`.
    """
    report = LineReport(file.name)
    changes = list(_changes(file, report))
    if report.rejected or not changes:
        raise DatasetError(f"{'. '.join(report.lines())}. Nothing was imported.")
    left = iter(changes)
    created = 0
    with (
        database.background_transaction() as db,
        progress(len(changes), f"importing {file.name}", unit=" movies") as advance,
    ):
        while batch := list(islice(left, BATCH)):
            # keep edits that were made since an earlier import of this file
            created += sum(new for _, new in movie_changes.put(db, batch, check_keys=False))
            advance(len(batch))
    return created, len(changes) - created


def _changes(file: Path, report: LineReport) -> Iterator[MovieChange]:
    table = FileFormat(file.name, ",", CSV.movies.columns, header=True, quoted=True)
    seen: set[int | str] = set()
    for number, row in rows_of(file.parent, table, report):
        try:
            change = _change(row)
            which = change.movie_id or change.key or ""
            if which in seen:
                raise LineError("an earlier line is the same movie")
            seen.add(which)
            report.kept += 1
            yield change
        except LineError as fault:
            report.reject(str(fault), [number])


def _change(row: dict[str, str]) -> MovieChange:
    title, genres, year = CSV.describe(row)
    if not title or max(len(title), len(genres)) > LONGEST_TEXT:
        raise LineError(f"a title that is empty, or a text of more than {LONGEST_TEXT} characters")
    tmdb = row.get("tmdbId", "").strip()
    movie = MovieDescription(
        title, genres, year, parse_imdb_id(row.get("imdbId", "")), parse_movielens_id(tmdb) if tmdb else None
    )
    if given := row["movieId"].strip():
        movie_id = parse_movielens_id(given)
        if movie_id > LAST_GIVEN_ID:
            raise LineError(f"an id above {LAST_GIVEN_ID:,}")
        return MovieChange(movie_id, movie)
    # no client's Idempotency-Key has a space in it
    return MovieChange(None, movie, f"import {blake2b(repr(movie).encode(), digest_size=16).hexdigest()}")
