"""Detect whether data or settings have changed since the last training run, without reading the ratings."""

import hashlib
import logging
import threading
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from health import Health
from movielens.dataset import DATASET_NAMES, find_dataset
from movielens.formats import fingerprint
from movielens.line_report import DatasetError
from ranking.factors import FORMAT
from settings import ModelSettings, Settings
from storage import generations, movies, runs, users
from storage.database import Database
from storage.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

INCOMPLETE = (
    "the movies lack histograms, links and tags, which an earlier version did not store: "
    "docs/operating.md, Upgrade, says how to add them"
)


@dataclass(frozen=True)
class CatalogueSource:
    """The dataset that the catalogue was filled from: name, fingerprint and number of ratings."""

    dataset: str
    fingerprint: str
    ratings: int


def catalogue_source(database: Database) -> CatalogueSource:
    """Return the dataset that the catalogue was filled from. Raises `DatasetError` if it has not been filled yet."""
    with database.statement() as db:
        details = runs.ingest_details(db)
    if details is None:
        raise DatasetError("The catalogue has not been filled yet.")
    return CatalogueSource(details["dataset"], details["fingerprint"], details["ratings"])


def dataset_difference(database: Database, settings: Settings) -> str | None:
    """Return how the dataset in the settings differs from the catalogue's; None if it does not or if this is unknown.

    Reads the whole dataset, which takes seconds for the largest ones. Downloads nothing.
    """
    with database.statement() as db:
        filled = runs.ingest_details(db)
    if filled is None:
        return None
    name = settings.dataset or DATASET_NAMES[0]
    message = f"the catalogue and every training run use {filled['dataset']}"
    try:
        found = find_dataset(name, settings.state_dir, fallback=not settings.dataset)
        if found is not None and fingerprint(found) == filled["fingerprint"]:
            return None
    except (DatasetError, OSError) as error:
        return f"MATINEE_DATASET cannot be read ({error}); {message}."
    if found is None and (not settings.dataset or name == filled["dataset"]):
        return None
    advice = f"Set MATINEE_DATASET to {filled['dataset']}, or import the other one with `matinee catalogue update`."
    return f"MATINEE_DATASET names a different dataset ({found or name}); {message}. {advice}"


class DatasetWatch:
    """Reports, in the log and the health of a process, when the dataset in the settings is not the catalogue's.

    Reading a large dataset takes seconds, so it is read only after the start and after each update of the catalogue.
    """

    def __init__(self, database: Database, settings: Settings, health: Health) -> None:
        self._database, self._settings, self._health = database, settings, health
        self._fingerprint: str | None = None

    def check(self) -> None:
        """Compare the two in a thread if the catalogue's has changed. Raises `DatabaseUnavailableError`."""
        with self._database.statement() as db:
            filled = runs.ingest_details(db)
        if filled is not None and filled["fingerprint"] != self._fingerprint:
            self._fingerprint = filled["fingerprint"]
            threading.Thread(target=self._compare, name="dataset", daemon=True).start()

    def _compare(self) -> None:
        try:
            difference = dataset_difference(self._database, self._settings)
            with self._database.statement() as db:
                complete = movies.is_complete(db)
        except DatabaseUnavailableError:
            self._fingerprint = None  # the next check tries again
            return
        for problem in filter(None, (difference, None if complete else INCOMPLETE)):
            log.warning("%s", problem)
        self._health.report("catalogue", "ready", difference)


def training_is_due(database: Database, settings: Settings) -> bool:
    """Return whether the ratings or the settings differ from those of the last training run."""
    source = catalogue_source(database)
    with database.snapshot() as db:
        model = settings.model_for(source.ratings + users.count_ratings(db))
        return training_fingerprint(db, source, model) != generations.newest_fingerprint(db)


def training_fingerprint(db: Connection, source: CatalogueSource, model: ModelSettings) -> str:
    """Return the fingerprint of all inputs of a training run; `db` is the `Database.snapshot` that it reads."""
    parts = (FORMAT, source.fingerprint, users.fingerprint(db), sorted(asdict(model).items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()
