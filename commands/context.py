"""What every command is given, and the kinds of values that options take."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedded.postgres import EmbeddedPostgres
from settings import Settings
from storage.database import Database
from storage.privileges import translating_privilege_errors
from system.atomic_file import require_writable
from system.setting_values import whole

if TYPE_CHECKING:
    from engine import Engine
    from jobs.training import Trainer

CONNECTIONS = 4
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class TrainingError(RuntimeError):
    """A training cannot be done, or its result not be used; the message says why."""


@dataclass(frozen=True)
class Context:
    """What every command is given: the settings, and what they name."""

    settings: Settings

    @contextmanager
    def server(self) -> Iterator[str]:
        """The URL of the PostgreSQL; an embedded one is shared with a running service, or started for this command."""
        if self.settings.database_url:
            yield self.settings.database_url
        else:
            with EmbeddedPostgres(self.settings.state_dir) as url:
                yield url

    @property
    def has_postgres(self) -> bool:
        """Whether there is a PostgreSQL to look at: one of DATABASE_URL, or an embedded one that was started before."""
        return bool(self.settings.database_url) or exists(self.settings.state_dir / "postgres" / "password")

    @contextmanager
    def unmigrated_database(self) -> Iterator[Database]:
        """The database as it is, with tables of whichever revision or none.

        Raises `DatabaseRefusedError` for work that our role has no right to do.
        """
        with self.server() as url, translating_privilege_errors():
            database = Database(url, CONNECTIONS)
            try:
                yield database
            finally:
                database.close()

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The migrated database."""
        with self.unmigrated_database() as database:
            database.migrate()
            yield database

    @contextmanager
    def trainer(self) -> Iterator["Trainer"]:
        """A trainer on a database whose catalogue is filled; Spark starts when it is needed."""
        from jobs.ingest import init_movie_table
        from jobs.publish import SupersededError
        from jobs.training import Trainer
        from recommender import Recommender

        with self.database() as database, self.engine() as engine:
            init_movie_table(database, self.settings)
            try:
                yield Trainer(self.settings, database, engine, Recommender(database))
            except SupersededError as error:
                raise TrainingError(str(error)) from error

    @contextmanager
    def engine(self) -> Iterator["Engine"]:
        """An engine; its Spark starts when it is first needed."""
        from engine import Engine, EngineError

        engine = Engine(self.settings)
        try:
            yield engine
        except EngineError as error:
            raise TrainingError(str(error)) from error
        finally:
            engine.stop()

    def dataset(self) -> Path:
        """The folder of the service's dataset, downloaded if need be."""
        from jobs.ingest import dataset_folder

        return dataset_folder(self.settings)


def exists(path: Path) -> bool:
    """Whether there is such a file or folder; one that we are not let near is there, but not ours."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


class NewFile(click.ParamType[Path]):
    """A file to write a result to; refused before anything is computed if it could not be written."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, whose folder is there and can be written to."""
        try:
            require_writable(Path(value))
        except OSError as error:
            self.fail(str(error), param, ctx)
        return Path(value)


class Seeds(click.ParamType[list[int]]):
    """Whole numbers with commas between them."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """The numbers, in the given order."""
        seed = whole(0, 2**31 - 1)
        try:
            return [seed(text) for text in value.split(",")]
        except ValueError as error:
            self.fail(f"{value!r}: give {error}, or several with commas between them", param, ctx)


NEW_FILE, SEEDS = NewFile(), Seeds()
