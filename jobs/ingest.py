"""Ingest a MovieLens dataset: its movies fill the catalogue, its ratings are the base of every training run.

A newer edition can replace it while the service runs, with movies and base ratings in one transaction.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from jobs.changes import catalogue_source
from movielens.dataset import DATASET_NAMES, ensure_dataset
from movielens.line_report import LineReport
from movielens.links_and_tags import MovieIdentity, read_identities
from movielens.reader import DatasetError, MovieLensMovie, fingerprint, read_movies, read_ratings
from ranking.biases import MOVIE_DAMPING
from ranking.ratings import HIGHEST, LOWEST, Ratings
from settings import Settings
from storage import base_ratings, dataset_update, movies, runs
from storage.database import TRAINING_LOCK, Database
from storage.dataset_update import CatalogueDifference
from system.disk import translate_disk_full

log = logging.getLogger(__name__)

RATING_STEPS = 10  # number of values of the rating scale, from .5 to 5
BUSY = "A training run is in progress, which learns from the ratings that are there now. Try again when it has ended."
POPULAR_FROM = 4.0  # ratings of at least this count as likes, which rank movies before the first training run


def init_movie_table(database: Database, settings: Settings) -> None:
    """Fill an empty movies table from the dataset in one transaction; leave a filled one unchanged.

    Raises `DatasetError` without a usable dataset; the table is unchanged then.
    """
    with database.statement() as db:
        if movies.is_filled(db):
            return
    with translate_disk_full(settings.state_dir):
        folder = dataset_folder(settings)
        log.info("reading the movies and ratings of %s", folder)
        digest, parsed_movies, ratings = read_set(folder)
        rows = list(catalogue_rows(folder, parsed_movies, ratings))
        base_ratings.save(base_ratings.path(settings.state_dir, digest), ratings)
    with database.background_transaction() as db:
        movies.lock(db)
        if movies.is_filled(db):  # by another process
            return
        movies.fill(db, rows)
        record_ingest(db, folder, digest, len(parsed_movies), len(ratings))
    log.info("the catalogue holds %d movies; %d ratings are the base of every training run", len(rows), len(ratings))


def record_ingest(db: Connection, folder: Path, digest: str, films: int, ratings: int) -> None:
    """Record the dataset that the catalogue was filled from, with its numbers of movies and ratings."""
    details = {"dataset": folder.name, "fingerprint": digest, "films": films, "ratings": ratings}
    runs.end(db, runs.begin(db, "ingest"), "done", details)


def load_base_ratings(database: Database, settings: Settings) -> Ratings:
    """Return the base ratings; read them from the dataset again if their file is missing or damaged.

    Raises `DatasetError` if the dataset is not the one that the catalogue was filled from.
    """
    filled = catalogue_source(database)
    file = base_ratings.path(settings.state_dir, filled.fingerprint)
    ratings = base_ratings.load(file)
    if ratings is None:
        with translate_disk_full(settings.state_dir):
            folder = dataset_folder(settings)
            digest = fingerprint(folder)
            if digest == filled.fingerprint:  # else report the wrong dataset, not its unusable lines
                digest, _, ratings = read_set(folder)
            if ratings is None or digest != filled.fingerprint:
                raise DatasetError(
                    f"The catalogue was filled from {filled.dataset} ({filled.fingerprint}), but {folder} is {digest}. "
                    "Set MATINEE_DATASET to the dataset it was filled from, or run `matinee catalogue update`."
                )
            base_ratings.save(file, ratings)
    return ratings


def catalogue_rows(
    folder: Path, parsed_movies: Sequence[MovieLensMovie], ratings: Ratings
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the movies table, as `movies.COLUMNS`, with the rating statistics of each movie."""
    ids = np.array([movie.movie_id for movie in parsed_movies])
    identities: dict[int, MovieIdentity] = {}
    try:
        identities, reports = read_identities(folder, ids.tolist())
        for report in reports:
            _log_report(report)
    except (DatasetError, OSError) as error:  # the service works without them
        log.warning("links and tags cannot be read: %s", error)
    order, size = np.argsort(ids), len(ids)
    rows = order[np.searchsorted(ids[order], ratings.movie)]
    # the numbers of ratings of .5, 1 ... 5 of each movie
    cells = rows * RATING_STEPS + np.rint(ratings.rating * 2).astype(np.intp) - 1
    histograms = np.bincount(cells, minlength=size * RATING_STEPS).reshape(-1, RATING_STEPS)
    count, total = histograms.sum(axis=1), np.bincount(rows, ratings.rating, minlength=size)
    likes = np.bincount(rows[ratings.rating >= POPULAR_FROM], minlength=size)
    mean = float(ratings.rating.mean()) if len(ratings) else (LOWEST + HIGHEST) / 2
    expected = (total + MOVIE_DAMPING * mean) / (count + MOVIE_DAMPING)
    columns = [column.tolist() for column in (count, total, likes, expected, histograms)]
    for movie, *numbers, histogram in zip(parsed_movies, *columns, strict=True):
        identity = identities.get(movie.movie_id, MovieIdentity())
        tags = ",".join('"' + tag.replace("\\", "\\\\").replace('"', '\\"') + '"' for tag in identity.tags)
        described = (movie.movie_id, movie.title, movie.genres, movie.year)
        counted = (*numbers, f"{{{','.join(map(str, histogram))}}}")
        yield *described, *counted, identity.imdb_id, identity.tmdb_id, f"{{{tags}}}"


def dataset_folder(settings: Settings) -> Path:
    """Return the folder of the dataset in the settings; download it if necessary. Raises `DatasetError`."""
    return ensure_dataset(settings.dataset or DATASET_NAMES[0], settings.state_dir, fallback=not settings.dataset)


def read_set(folder: Path) -> tuple[str, list[MovieLensMovie], Ratings]:
    """Return fingerprint, movies and ratings of the dataset in a folder. Raises `DatasetError`."""
    digest = fingerprint(folder)
    parsed_movies, movie_report = read_movies(folder)
    ratings, rating_report = read_ratings(folder, [movie.movie_id for movie in parsed_movies])
    for report in (movie_report, rating_report):
        _log_report(report)
    if fingerprint(folder) != digest:
        raise DatasetError(f"{folder} changed while it was read. Start again when no program writes there any more.")
    return digest, parsed_movies, ratings


def _log_report(report: LineReport) -> None:
    for line in report.lines():
        log.log(logging.WARNING if report.rejected else logging.INFO, "%s", line)


@dataclass(frozen=True)
class DatasetComparison:
    """The differences between another edition of the dataset and the catalogue."""

    before: str
    ratings_before: int
    dataset: str
    ratings: int
    difference: CatalogueDifference

    @property
    def counts(self) -> dict[str, Any]:
        """Return the numbers of movies by kind of difference, and the numbers of ratings."""
        sets = {"dataset": self.dataset, "before": self.before}
        numbers = {name: len(movie_ids) for name, movie_ids in vars(self.difference).items()}
        return sets | numbers | {"ratings_before": self.ratings_before, "ratings": self.ratings}


def compare_catalogue(database: Database, folder: Path) -> DatasetComparison:
    """Return how the dataset in a folder differs from the catalogue, without any change. Raises `DatasetError`."""
    _, parsed_movies, ratings = read_set(folder)
    with database.background_transaction() as db:
        difference = dataset_update.take_in(db, catalogue_rows(folder, parsed_movies, ratings))
    source = catalogue_source(database)
    return DatasetComparison(source.dataset, source.ratings, folder.name, len(ratings), difference)


def update_catalogue(
    database: Database, settings: Settings, folder: Path, withdraw_missing: bool = False, restore: bool = False
) -> DatasetComparison:
    """Replace catalogue and base ratings by the dataset in a folder, in one transaction, which makes training due.

    Movies that the dataset lacks stay, without dataset ratings, or are withdrawn (`withdraw_missing`). `restore` brings
    back withdrawn movies that the dataset has. Raises `DatasetError`, also while a training run is in progress.
    """
    with database.try_lock(TRAINING_LOCK) as locked:
        if not locked:
            raise DatasetError(BUSY)
        digest, parsed_movies, ratings = read_set(folder)
        rows = list(catalogue_rows(folder, parsed_movies, ratings))
        base_ratings.save(base_ratings.path(settings.state_dir, digest), ratings)
        source = catalogue_source(database)
        with database.background_transaction() as db:
            difference = dataset_update.take_in(db, rows)
            dataset_update.apply(db, withdraw_missing, restore)
            record_ingest(db, folder, digest, len(rows), len(ratings))
    return DatasetComparison(source.dataset, source.ratings, folder.name, len(ratings), difference)
