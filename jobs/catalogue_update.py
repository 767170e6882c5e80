"""Take in another edition of the dataset beside a running service: movies and base ratings, whole or not at all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.changes import catalogue_source
from jobs.ingest import catalogue_rows, read_set, record_ingest
from movielens.line_report import DatasetError
from settings import Settings
from storage import base_ratings, dataset_update
from storage.database import TRAINING_LOCK, Database
from storage.dataset_update import CatalogueDifference

BUSY = "A training run is in progress, which learns from the ratings that are there now. Try again when it has ended."


@dataclass(frozen=True)
class DatasetComparison:
    """Another edition of the dataset beside the one that the catalogue was filled from."""

    before: str
    ratings_before: int
    dataset: str
    ratings: int
    difference: CatalogueDifference

    @property
    def counts(self) -> dict[str, Any]:
        """How many movies differ in each way, and the numbers of ratings."""
        sets = {"dataset": self.dataset, "before": self.before}
        movies = {name: len(movie_ids) for name, movie_ids in vars(self.difference).items()}
        return sets | movies | {"ratings_before": self.ratings_before, "ratings": self.ratings}


def compare(database: Database, folder: Path) -> DatasetComparison:
    """Return how the dataset in a folder differs from the catalogue. Nothing is changed. Raises `DatasetError`."""
    _, parsed_movies, ratings = read_set(folder)
    with database.background_transaction() as db:
        difference = dataset_update.take_in(db, catalogue_rows(folder, parsed_movies, ratings))
    source = catalogue_source(database)
    return DatasetComparison(source.dataset, source.ratings, folder.name, len(ratings), difference)


def update(
    database: Database, settings: Settings, folder: Path, withdraw_missing: bool = False, restore: bool = False
) -> DatasetComparison:
    """Make catalogue and base ratings those of the dataset in a folder, in one transaction; the next training is due.

    Movies that it lacks stay, without ratings of a dataset, unless they are to be withdrawn. With `restore` withdrawn
    movies that it has come back. Raises `DatasetError`, also while a training run is in progress.
    """
    with database.try_lock(TRAINING_LOCK) as mine:
        if not mine:
            raise DatasetError(BUSY)
        mark, parsed_movies, ratings = read_set(folder)
        rows = list(catalogue_rows(folder, parsed_movies, ratings))
        base_ratings.save(base_ratings.path(settings.state_dir, mark), ratings)
        source = catalogue_source(database)
        with database.background_transaction() as db:
            difference = dataset_update.take_in(db, rows)
            dataset_update.apply(db, withdraw_missing, restore)
            record_ingest(db, folder, mark, len(rows), len(ratings))
    return DatasetComparison(source.dataset, source.ratings, folder.name, len(ratings), difference)
