"""A further process that serves: `python -m serving.worker`, which the first one starts, keeps and ends.

It answers its share of what comes to the port. What it has to know of the first process is in PostgreSQL; settings and
the URL of the database come over standard input, for they hold secrets.
"""

import gc
import logging
import pickle
import signal
import sys
from queue import Empty, SimpleQueue

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
from health import Health
from jobs.changes import DatasetWatch
from jobs.refresh import refresh, report_trainer
from recommender import Recommender
from serving.front import answering
from settings import Settings
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from system.logs import log_to_stderr, log_uncaught
from system.memory import give_back_large_blocks
from system.process import die_with_parent, end_after, on_stop_signals

log = logging.getLogger("matinee")

LOOK_SECONDS = 1.0


class Worker:
    """The parts of a worker process."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        # no Event: its `set` deadlocks when another signal interrupts it, and a parent that is killed sends many
        self._signals: SimpleQueue[int] = SimpleQueue()
        self.settings = settings
        self.database = Database(database_url, settings.threads)
        self.recommender = Recommender(self.database)
        self.health = Health()
        self._dataset = DatasetWatch(self.database, settings, self.health)
        self.health.report("catalogue", "ready")  # else the first process would not have started this one

    def serve(self) -> None:
        """Answer requests, from when the live generation is in memory until a signal comes."""
        on_stop_signals(lambda number, frame: self._signals.put(number))
        while not self._told_to_stop() and self._look() == "starting":
            self._told_to_stop(LOOK_SECONDS)
        if not self._told_to_stop():
            gc.freeze()  # as in server.py
            with answering(self.settings, self.recommender, self.health, first=False):
                while not self._told_to_stop(LOOK_SECONDS):
                    self._look()
        self.database.close()

    def _look(self) -> str:
        """Look for a newer generation and for how the trainer does; return the state of the generation."""
        try:
            refresh(self.recommender, self.health)
            report_trainer(self.database, self.health, self.settings.retrain_minutes)
            self._dataset.check()
        except DatabaseUnavailableError as error:
            log.debug("how the trainer does could not be read: %s", error)
        except Exception:
            log.exception("the look for a newer generation failed; what was served before goes on")
        return self.health["generation"].state

    def _told_to_stop(self, seconds: float = 0.0) -> bool:
        """Wait for a signal for at most so many seconds; return whether one has ever come."""
        try:
            self._signals.put(self._signals.get(timeout=seconds))
        except Empty:
            return False
        return True


def main() -> int:
    """Serve until a signal, which the end of the first process is as well; return the exit status."""
    settings, database_url, parent = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own parent
    die_with_parent(signal.SIGTERM, parent)
    log_to_stderr(settings.log_level, settings.log_format)
    log_uncaught()
    give_back_large_blocks()
    Worker(settings, database_url).serve()
    return 0


if __name__ == "__main__":
    end_after(main)
