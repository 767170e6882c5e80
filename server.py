"""Build the parts of the first process, serve the app under CherryPy, and start and stop everything in order.

Run it with `./start_server.sh`, `python server.py` or `spark-submit server.py`.
"""

import gc
import logging
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from types import FrameType

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
import settings as settings_module
from embedded.postgres import EmbeddedPostgres
from health import Health
from jobs.refresh import refresh
from jobs.scheduler import Scheduler
from jobs.trainer_process import TrainerPool
from recommender import Recommender
from serving.front import address, answering, refuse_busy_port
from serving.workers import Workers
from settings import OperatorError, Settings, SettingsError
from storage import movies
from storage.database import Database
from storage.errors import DatabaseRefusedError, DatabaseUnavailableError
from system.disk import translate_disk_full
from system.logs import log_to_stderr, log_uncaught
from system.memory import give_back_large_blocks
from system.private_folder import make_private
from system.process import SUBMITTED, die_with_parent, end_after, on_stop_signals
from system.shared_counts import sharing
from web.access import refuse_open_network

log = logging.getLogger("matinee")

RETRY_SECONDS = 1.0
POLL_SECONDS = 0.05  # how long a signal may wait


class Server:
    """The parts of the first process in their start order; they stop in reverse order."""

    def __init__(self, settings: Settings, database_url: str, embedded: EmbeddedPostgres | None) -> None:
        self.settings = settings
        self._database_url = database_url
        self.embedded = embedded
        self.health = Health()
        self.database = Database(database_url, settings.threads)
        self.recommender = Recommender(self.database)
        self.scheduler = Scheduler(settings, self.recommender, self.health, TrainerPool(settings, database_url))
        self.failure: str | None = None
        self._stop_requested = False
        self._stopping = threading.Event()
        self._ready = threading.Event()

    def serve(self) -> None:
        """Answer requests, in this process and in the workers, until a signal asks to stop."""
        # the handler only sets a flag: a second signal, which spark-submit sends when it dies, must not stop twice
        on_stop_signals(self._note_signal)
        workers = Workers(self.settings, self._database_url)
        with answering(self.settings, self.recommender, self.health):
            threading.Thread(target=self._prepare, name="prepare", daemon=True).start()
            while not self._stop_requested:
                self._keep_database()
                if self._ready.is_set():
                    workers.keep()
                time.sleep(POLL_SECONDS)
            workers.terminate()
        workers.stop()
        self._stopping.set()
        log.info("stopping")
        self.scheduler.stop()
        self.database.close()

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_requested = True

    def _keep_database(self) -> None:
        """Start the embedded PostgreSQL again if it has ended; the pool reconnects by itself."""
        if self.embedded is not None:
            try:
                with translate_disk_full(self.settings.state_dir):
                    self.embedded.restart_if_ended()
            except (OperatorError, OSError) as error:
                self._give_up(str(error))

    def _prepare(self) -> None:
        """Wait for the database, migrate it, fill the catalogue, load the live generation and start the scheduler."""
        try:
            while not self._try_prepare():
                self._stopping.wait(RETRY_SECONDS)
        except OperatorError as error:
            self._give_up(str(error))
        except Exception as error:
            log.exception("the service could not start")
            self._give_up(f"{type(error).__name__}: {error}")

    def _try_prepare(self) -> bool:
        if self._stopping.is_set():
            return True
        try:
            self.database.migrate()
            self.health.report("database", "ready")
            self.health.report("catalogue", "starting", "the catalogue of movies is being filled from the dataset")
            self._fill_catalogue()
            refresh(self.recommender, self.health)
            self.health.report("catalogue", "ready")
            self.recommender.model.movies.warm_up()
            gc.freeze()  # else the collector halts every thread for .1 s now and then, for modules and movies that stay
            self.scheduler.start()
        except DatabaseRefusedError:
            raise  # waiting would not help
        except DatabaseUnavailableError as error:
            log.warning("waiting for the database: %s", error)
            self.health.report("database", "failed", str(error))
            self.health.report("catalogue", "starting", "the database is unavailable")
            return False
        self._ready.set()
        log.info("ready to recommend on http://%s", address(self.settings))
        return True

    def _fill_catalogue(self) -> None:
        with self.database.statement() as db:
            if movies.is_filled(db):
                return
        from jobs.ingest import init_movie_table  # here: a filled catalogue needs none of its libraries

        init_movie_table(self.database, self.settings)

    def _give_up(self, reason: str) -> None:
        log.critical("%s", reason)
        self.failure = reason
        self._stop_requested = True


def main() -> int:
    """Run the process. Return the exit status: 0 after an orderly stop, 1 on failure, 2 for bad settings."""
    try:
        settings = settings_module.load()
        refuse_open_network(settings)
    except SettingsError as error:
        print(f"matinee: {error}", file=sys.stderr)
        return 2
    log_to_stderr(settings.log_level, settings.log_format)
    log_uncaught()
    give_back_large_blocks()
    if SUBMITTED in os.environ:  # else it may outlive spark-submit
        die_with_parent(signal.SIGTERM)
    try:
        refuse_busy_port(settings)
        with ExitStack() as stack:
            on_stop_signals(_exit_early)
            embedded = None if settings.database_url else EmbeddedPostgres(settings.state_dir)
            url = _begin(settings, embedded, stack)
            server = Server(settings, url, embedded)
            server.serve()
            return 1 if server.failure else 0
    except OperatorError as error:
        log.critical("%s", error)
        return 1
    except SystemExit:  # raised by `_exit_early`
        return 0


def _begin(settings: Settings, embedded: EmbeddedPostgres | None, stack: ExitStack) -> str:
    """Make the state folder, start the embedded PostgreSQL if there is one, and return the URL of the database."""
    try:
        with translate_disk_full(settings.state_dir):
            make_private(settings.state_dir)
            url = stack.enter_context(embedded) if embedded else settings.database_url
            stack.enter_context(sharing(settings.state_dir / "metrics"))
            return url
    except OSError as error:
        raise OperatorError(
            f"Cannot use {settings.state_dir} as the state folder: {error}. This account must be able to "
            "create it and write to it; MATINEE_STATE_DIR names another folder."
        ) from error


def _exit_early(number: int, frame: FrameType | None) -> None:
    """Exit before the server has started; the exit stack stops the embedded PostgreSQL."""
    sys.exit(0)


if __name__ == "__main__":
    globals().pop("__file__")  # else each process that multiprocessing starts imports this module
    end_after(main)
