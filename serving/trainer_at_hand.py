"""The trainer of a process that serves: in a process of its own, started when there is something for it to do."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from recommender import Recommender
from serving.asking import answered
from settings import Settings
from storage import runs
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError
from system.child import Child
from system.line import LineCutError
from web.errors import NotReadyError

log = logging.getLogger(__name__)

COMMAND = ["-m", "serving.trainer"]
STOP_SECONDS = 5.0
FREED_SECONDS = 10.0  # until PostgreSQL has noticed that a process has died, which takes it some milliseconds
RETRY_SECONDS = 0.1


class TrainerDiedError(NotReadyError):
    """The process that trained has ended in the middle of it."""


class TrainerStartError(NotReadyError):
    """The process that trains could not be started."""


class TrainerAtHand:
    """Retrains as `jobs.training.Trainer` does, and no request waits for its work."""

    def __init__(self, settings: Settings, database: Database, recommender: Recommender) -> None:
        self.settings = settings
        self.database = database
        self.recommender = recommender
        self._starting = threading.Lock()
        self._child: Child | None = None
        self._stopped = False
        self._begun: Callable[[int | None], object] | None = None

    def warm_up(self) -> None:
        """Have Spark running, so that the next retrain need not wait for it."""
        self._ask("warm up")

    def retrain(self, ordered: Callable[[int | None], object] | None = None) -> object:
        """As the method of this name of `jobs.training.Trainer`; for one caller at a time.

        Raises `FarError` for what went wrong there, `DatabaseUnavailableError`, `TrainerDiedError` and
        `TrainerStartError`.
        """
        self._begun = ordered
        try:
            return self._retrain()
        except TrainerStartError as error:
            self._record(error)
            raise

    def stop(self) -> None:
        """End the process and its Spark for good; a training that is under way fails."""
        with self._starting:
            self._stopped = True
        if self._child is not None:
            self._child.end(STOP_SECONDS)

    def _retrain(self) -> object:
        try:
            return self._ask("retrain", self._begun is not None)
        except TrainerDiedError:
            if self._begun is None:
                raise
        return self._ask("retrain", True)  # it was gone before it could take the order, and nobody had noticed yet

    def _ask(self, question: str, *details: bool) -> object:
        child = self._running()
        try:
            return answered(child.line, question, *details)
        except LineCutError as error:
            reason = f"the process that trains {child.why_ended()}"
            if not self._stopped:
                self._close_run(f"{TrainerDiedError.__name__}: {reason}")
            raise TrainerDiedError(f"{reason}; the next training starts another") from error

    def _running(self) -> Child:
        with self._starting:
            if self._stopped:
                raise TrainerDiedError("the service is being stopped")
            if self._child is None or self._child.process.poll() is not None:
                self._child = self._start()
            return self._child

    def _start(self) -> Child:
        given = self.settings, self.database.url.render_as_string(hide_password=False)
        try:
            return Child(COMMAND, given, self._answer, self._note_end)
        except (OSError, RuntimeError) as error:
            raise TrainerStartError(
                f"the process that trains could not be started: {error}; the next training tries again"
            ) from error

    def _answer(self, question: str, *details: Any) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            begun(*details)

    def _note_end(self) -> None:
        if not self._stopped:
            log.warning("the process that trains has ended; the next training starts another")

    def _record(self, error: TrainerStartError) -> None:
        """Leave a run that says why it failed, as the process would have done, and name it to whoever ordered it."""
        with suppress(DatabaseUnavailableError), self.database.try_lock(TRAINING_LOCK) as mine:
            run_id = None
            if mine:
                with self.database.statement() as db:
                    run_id = runs.begin(db, "train")
                    runs.end(db, run_id, "failed", {}, f"{TrainerStartError.__name__}: {error}")
            self._answer("begun", run_id)

    def _close_run(self, reason: str) -> None:
        """Say in the record of the run why it failed, unless another process trains by now and has closed it."""
        until = time.monotonic() + FREED_SECONDS
        with suppress(DatabaseUnavailableError):  # the next run closes this one
            while time.monotonic() < until:
                with self.database.try_lock(TRAINING_LOCK) as mine:
                    if mine:
                        with self.database.statement() as db:
                            runs.fail_open_run(db, "train", reason)
                        return
                time.sleep(RETRY_SECONDS)
