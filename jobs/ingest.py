"""Ingest a MovieLens dataset: its movies fill the catalogue, its ratings are the base of every training run."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from jobs.changes import catalogue_source
from movielens.dataset import DATASET_NAMES, add_links_and_tags, ensure_dataset, find_dataset
from movielens.line_report import LineReport
from movielens.links_and_tags import MovieIdentity, read_identities
from movielens.reader import DatasetError, MovieLensMovie, fingerprint, read_movies, read_ratings
from ranking.biases import MOVIE_DAMPING
from ranking.ratings import HIGHEST, LOWEST, Ratings
from settings import Settings
from storage import base_ratings, movies, runs
from storage.database import Database
from system.disk import translate_disk_full

log = logging.getLogger(__name__)

POPULAR_FROM = 4.0  # ratings of at least this count as likes, which rank movies before the first training run


def init_movie_table(database: Database, settings: Settings) -> None:
    """Fill an empty movies table from the dataset in one transaction; in a filled one add missing histograms.

    Raises `DatasetError` without a usable dataset; the table is unchanged then.
    """
    with database.statement() as db:
        filled, complete = movies.is_filled(db), not movies.histograms_missing(db)
    if filled:
        if not complete:
            _add_histograms(database, settings)
        return
    with translate_disk_full(settings.state_dir):
        folder = dataset_folder(settings)
        log.info("reading the movies and ratings of %s", folder)
        mark, parsed_movies, ratings = read_set(folder)
        identities = _identities(folder, [movie.movie_id for movie in parsed_movies])
        base_ratings.save(base_ratings.path(settings.state_dir, mark), ratings)
    with database.background_transaction() as db:
        movies.lock(db)
        if movies.is_filled(db):  # by another process
            return
        movies.fill(db, catalogue_rows(parsed_movies, ratings))
        movies.store_histograms(db, ratings)
        movies.store_identities(db, identities)
        record_ingest(db, folder, mark, len(parsed_movies), len(ratings))
    log.info(
        "the catalogue holds %d movies; %d ratings are the base of every training run", len(parsed_movies), len(ratings)
    )


def record_ingest(db: Connection, folder: Path, mark: str, films: int, ratings: int) -> None:
    """Record from which dataset, with how many movies and ratings, the catalogue has been filled."""
    details = {"dataset": folder.name, "fingerprint": mark, "films": films, "ratings": ratings}
    runs.end(db, runs.begin(db, "ingest"), "done", details)


def _add_histograms(database: Database, settings: Settings) -> None:
    """Add the rating histograms to a catalogue of an earlier version; without them it still serves."""
    try:
        base = load_base_ratings(database, settings)
    except DatasetError as error:
        log.warning("rating histograms cannot be shown: %s", error)
        return
    with database.background_transaction() as db:
        movies.store_histograms(db, base, movies.raise_version(db))


def add_identities(database: Database, settings: Settings) -> None:
    """Add links and tags to a catalogue of an earlier version, from the dataset that it was filled from."""
    with database.statement() as db:
        if not movies.identities_missing(db):
            return
    name = settings.dataset or DATASET_NAMES[0]
    try:
        filled = catalogue_source(database)
        folder = find_dataset(name, settings.state_dir, fallback=not settings.dataset)
        if folder is None or fingerprint(folder) != filled.fingerprint:
            log.warning("links and tags are not read: %s, which has them, is not here", filled.dataset)
            return
        add_links_and_tags(folder.name, settings.state_dir)
    except (DatasetError, OSError) as error:
        log.warning("links and tags cannot be read; the next start tries again: %s", error)
        return
    with database.snapshot() as db:
        ids = movies.ids(db).tolist()
    identities = _identities(folder, ids)
    with database.background_transaction() as db:
        movies.store_identities(db, identities, movies.raise_version(db))
    log.info("%d movies have got their links and tags", len(identities))


def _identities(folder: Path, movie_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows of `movies.store_identities`."""
    found = read_identities_of(folder, movie_ids)
    return [{"id": movie, **asdict(identity)} for movie, identity in found.items()]


def read_identities_of(folder: Path, movie_ids: Sequence[int]) -> dict[int, MovieIdentity]:
    """Return links and tags of movies; none if a file cannot be used, for they are not worth a failure."""
    try:
        found, reports = read_identities(folder, movie_ids)
    except (DatasetError, OSError) as error:
        log.warning("links and tags cannot be read: %s", error)
        return {}
    for report in reports:
        _log_report(report)
    return found


def load_base_ratings(database: Database, settings: Settings) -> Ratings:
    """Return the base ratings; read them from the dataset again if their file is missing or damaged.

    Raises `DatasetError` if the dataset is not the one that the catalogue was filled from.
    """
    filled = catalogue_source(database)
    file = base_ratings.path(settings.state_dir, filled.fingerprint)
    ratings = base_ratings.load(file)
    if ratings is None:
        with translate_disk_full(settings.state_dir):
            ratings = _read_again(dataset_folder(settings), filled.dataset, filled.fingerprint)
            base_ratings.save(file, ratings)
    return ratings


def _read_again(folder: Path, name: str, mark: str) -> Ratings:
    found = fingerprint(folder)
    if found != mark:
        raise DatasetError(
            f"The catalogue was filled from {name} ({mark}), but {folder} is {found}. "
            "Set MATINEE_DATASET to the dataset it was filled from, or run `matinee catalogue update`."
        )
    return read_set(folder)[2]


def catalogue_rows(parsed_movies: Sequence[MovieLensMovie], ratings: Ratings) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the movies table, with the rating statistics of each movie."""
    order = np.argsort([movie.movie_id for movie in parsed_movies])
    rows = order[np.searchsorted(np.array([movie.movie_id for movie in parsed_movies])[order], ratings.movie)]
    count = np.bincount(rows, minlength=len(parsed_movies))
    total = np.bincount(rows, ratings.rating, minlength=len(parsed_movies))
    likes = np.bincount(rows[ratings.rating >= POPULAR_FROM], minlength=len(parsed_movies))
    mean = float(ratings.rating.mean()) if len(ratings) else (LOWEST + HIGHEST) / 2
    expected = (total + MOVIE_DAMPING * mean) / (count + MOVIE_DAMPING)
    for movie, *numbers in zip(
        parsed_movies, count.tolist(), total.tolist(), likes.tolist(), expected.tolist(), strict=True
    ):
        yield movie.movie_id, movie.title, movie.genres, movie.year, *numbers


def dataset_folder(settings: Settings) -> Path:
    """Return the folder of the dataset in the settings; download it if necessary. Raises `DatasetError`."""
    return ensure_dataset(settings.dataset or DATASET_NAMES[0], settings.state_dir, fallback=not settings.dataset)


def read_set(folder: Path) -> tuple[str, list[MovieLensMovie], Ratings]:
    """Return fingerprint, movies and ratings of the dataset in a folder. Raises `DatasetError`."""
    mark = fingerprint(folder)
    parsed_movies, movie_report = read_movies(folder)
    ratings, rating_report = read_ratings(folder, [movie.movie_id for movie in parsed_movies])
    for report in (movie_report, rating_report):
        _log_report(report)
    if fingerprint(folder) != mark:
        raise DatasetError(f"{folder} changed while it was read. Start again when no program writes there any more.")
    return mark, parsed_movies, ratings


def _log_report(report: LineReport) -> None:
    for line in report.lines():
        log.log(logging.WARNING if report.rejected else logging.INFO, "%s", line)
