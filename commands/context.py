"""The context of every command, and the types of its options."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedded.postgres import EmbeddedPostgres
from settings import Settings
from storage import schema
from storage.database import Database
from storage.driver_errors import translating_privilege_errors
from storage.errors import DatabaseRefusedError
from system.disk import require_writable

if TYPE_CHECKING:
    from engine import Engine
    from jobs.training import Trainer

log = logging.getLogger(__name__)

CONNECTIONS = 4
TRAINING_SETTINGS = ("MATINEE_DATASET", "MATINEE_SPARK_MASTER", "MATINEE_SPARK_DRIVER_MEMORY")
NO_TABLES = "The database has no tables of Matinee: the first start of the service makes them."
WHERE = "If there is another database, name it in DATABASE_URL or MATINEE_STATE_DIR."
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(frozen=True)
class Context:
    """The settings, and the database, trainer, engine and dataset that they name."""

    settings: Settings

    @contextmanager
    def server(self, create: bool = False) -> Iterator[str]:
        """Yield the URL of the PostgreSQL; an embedded one is shared with a running service, or started for now.

        Raises `DatabaseRefusedError` if there is none and none is to be created.
        """
        if self.settings.database_url:
            yield self.settings.database_url
            return
        if not (create or self.has_postgres):
            raise DatabaseRefusedError(
                f"There is no database in {self.settings.state_dir}. Set MATINEE_STATE_DIR or DATABASE_URL to what the "
                "service uses; the first start of the service makes one."
            )
        with EmbeddedPostgres(self.settings.state_dir) as url:
            yield url

    @property
    def has_postgres(self) -> bool:
        """Return whether there is a PostgreSQL: that of DATABASE_URL, or an embedded one from an earlier start."""
        return bool(self.settings.database_url) or exists(self.settings.state_dir / "postgres" / "password")

    @contextmanager
    def unmigrated_database(self, create: bool = False) -> Iterator[Database]:
        """Yield the database as it is, with tables of any revision or none.

        Raises `DatabaseRefusedError` for work that our role has no right to do, and as `server` does.
        """
        with self.server(create) as url, translating_privilege_errors():
            database = Database(url, CONNECTIONS)
            try:
                yield database
            finally:
                database.close()

    @contextmanager
    def database(self, create: bool = False) -> Iterator[Database]:
        """Yield the database with tables of the newest revision.

        Raises `DatabaseRefusedError` if there are no tables and none are to be created, so that a command which only
        reads leaves nothing in a database that was named by mistake.
        """
        with self.unmigrated_database(create) as database:
            if not create:
                with database.snapshot() as db:
                    if schema.current(db) is None:
                        raise DatabaseRefusedError(f"{NO_TABLES} {WHERE}")
            database.migrate()
            yield database

    @contextmanager
    def trainer(self) -> Iterator["Trainer"]:
        """Yield a trainer on a database whose catalogue is filled; Spark starts when it is needed."""
        from jobs.changes import dataset_difference
        from jobs.ingest import init_movie_table
        from jobs.training import Trainer
        from recommender import Recommender

        with self.database(create=True) as database, self.engine() as engine:
            init_movie_table(database, self.settings)
            if difference := dataset_difference(database, self.settings):
                log.warning("%s", difference)
            yield Trainer(self.settings, database, engine, Recommender(database))

    @contextmanager
    def engine(self) -> Iterator["Engine"]:
        """Yield an engine; its Spark starts when it is first needed."""
        from engine import Engine

        engine = Engine(self.settings)
        try:
            yield engine
        finally:
            engine.stop()

    def dataset(self, name: str | None = None) -> Path:
        """Return the folder of a dataset, by default the service's, downloaded if need be."""
        from jobs.ingest import dataset_folder
        from movielens.dataset import DATASET_NAMES

        if name and name not in DATASET_NAMES:
            name = str(Path(name).absolute())  # as the caller sees it; in a setting it would start at the project
        return dataset_folder(replace(self.settings, dataset=name) if name else self.settings)


def exists(path: Path) -> bool:
    """Return whether there is such a file or folder; one in a folder that we may not enter counts as there."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def nearest_existing(path: Path) -> Path:
    """Return the path itself if it exists, else the innermost of its parents that does."""
    return next(one for one in (path, *path.parents) if exists(one))


def new_file(value: str) -> Path:
    """Return the path of a file to write, refused before anything is computed if it cannot be written: a click type."""
    try:
        require_writable(Path(value))
    except OSError as error:
        raise click.BadParameter(str(error)) from error
    return Path(value)
