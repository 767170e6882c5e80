"""Ingest: a MovieLens set becomes the catalogue of films, and its ratings the base that every training starts from."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtime.dataset import NAMES, locate
from runtime.disk import room_in
from runtime.movielens import DatasetError, Movie, fingerprint, read_movies, read_ratings
from runtime.report import Report
from scoring.biases import FILM_DAMPING
from scoring.ratings import HIGHEST, LOWEST, Ratings
from settings import Settings
from storage import base_ratings, movies, runs
from storage.database import Database

log = logging.getLogger(__name__)

POPULAR_FROM = 4.0  # ratings from here on count for the list that is shown before the first training


@dataclass(frozen=True)
class Base:
    """The ratings of the dataset that the catalogue was filled from, and its fingerprint."""

    ratings: Ratings
    fingerprint: str


@dataclass(frozen=True)
class Filled:
    """The dataset that the catalogue was filled from, without its ratings: its name, fingerprint, and how many."""

    dataset: str
    fingerprint: str
    ratings: int


def init_movie_table(database: Database, settings: Settings) -> None:
    """Fill the movies table from the dataset if it is empty, in one transaction; else add what an older one lacks.

    Raises `DatasetError` when there is no usable dataset; the table is then as it was.
    """
    with database.statement() as db:
        filled, complete = movies.any_there(db), not movies.lack_histograms(db)
    if filled:
        if not complete:
            _add_histograms(database, settings)
        return
    with room_in(settings.state_dir):
        folder = dataset_folder(settings)
        log.info("reading the films and ratings of %s", folder)
        mark, films, ratings = _read(folder)
        base_ratings.save(base_ratings.path(settings.state_dir, mark), ratings)
    with database.unhurried() as db:
        movies.lock(db)
        if movies.any_there(db):  # another process was quicker
            return
        movies.fill(db, catalogue_rows(films, ratings))
        movies.put_histograms(db, ratings)
        run = runs.begin(db, "ingest")
        details = {"dataset": folder.name, "fingerprint": mark, "films": len(films), "ratings": len(ratings)}
        runs.end(db, run, "done", details)
    log.info("the catalogue holds %d films; %d ratings are the base of every training", len(films), len(ratings))


def _add_histograms(database: Database, settings: Settings) -> None:
    """Count the ratings of a catalogue that was filled before they were counted; without them it still serves."""
    try:
        base = load_base(database, settings)
    except DatasetError as error:
        log.warning("how people rated the films cannot be shown: %s", error)
        return
    with database.unhurried() as db:
        movies.put_histograms(db, base.ratings)


def filled_from(database: Database) -> Filled:
    """What the catalogue was filled from. Raises `DatasetError` if it has not been filled yet."""
    with database.statement() as db:
        details = runs.ingested(db)
    if details is None:
        raise DatasetError("The catalogue has not been filled yet.")
    return Filled(details["dataset"], details["fingerprint"], details["ratings"])


def load_base(database: Database, settings: Settings) -> Base:
    """The base ratings; read from the dataset again if the state directory has lost them or they are damaged.

    Raises `DatasetError` if the dataset is no longer the one that the catalogue was filled from.
    """
    filled = filled_from(database)
    file = base_ratings.path(settings.state_dir, filled.fingerprint)
    ratings = base_ratings.load(file)
    if ratings is None:
        with room_in(settings.state_dir):
            ratings = _read_again(dataset_folder(settings), filled.dataset, filled.fingerprint)
            base_ratings.save(file, ratings)
    return Base(ratings, filled.fingerprint)


def _read_again(folder: Path, name: str, mark: str) -> Ratings:
    found = fingerprint(folder)
    if found != mark:
        raise DatasetError(
            f"The catalogue was filled from {name} ({mark}), but {folder} is {found}. "
            "Set MATINEE_DATASET to the set it was filled from, or use a new database."
        )
    return _read(folder)[2]


def catalogue_rows(films: Sequence[Movie], ratings: Ratings) -> Iterator[tuple[Any, ...]]:
    """The rows of the movies table, with what the ratings say of each film."""
    order = np.argsort([film.movie_id for film in films])
    rows = order[np.searchsorted(np.array([film.movie_id for film in films])[order], ratings.film)]
    count = np.bincount(rows, minlength=len(films))
    total = np.bincount(rows, ratings.rating, minlength=len(films))
    likes = np.bincount(rows[ratings.rating >= POPULAR_FROM], minlength=len(films))
    mean = float(ratings.rating.mean()) if len(ratings) else (LOWEST + HIGHEST) / 2
    expected = (total + FILM_DAMPING * mean) / (count + FILM_DAMPING)
    for film, *numbers in zip(films, count.tolist(), total.tolist(), likes.tolist(), expected.tolist(), strict=True):
        yield film.movie_id, film.title, film.genres, film.year, *numbers


def dataset_folder(settings: Settings) -> Path:
    """The folder of the dataset that the settings name, downloaded if need be. Raises `DatasetError`."""
    return locate(settings.dataset or NAMES[0], settings.state_dir, fallback=not settings.dataset)


def _read(folder: Path) -> tuple[str, list[Movie], Ratings]:
    mark = fingerprint(folder)
    films, film_report = read_movies(folder)
    ratings, rating_report = read_ratings(folder, [film.movie_id for film in films])
    for report in (film_report, rating_report):
        _tell(report)
    if fingerprint(folder) != mark:
        raise DatasetError(f"{folder} was changed while it was read. Start again when nothing writes there any more.")
    return mark, films, ratings


def _tell(report: Report) -> None:
    for line in report.lines():
        log.log(logging.WARNING if report.rejected else logging.INFO, "%s", line)
