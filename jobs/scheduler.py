"""When jobs run: a retrain every so many minutes, and a look for a newer generation every second."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from apscheduler.schedulers.background import BackgroundScheduler

from health import Health
from jobs.phases import PHASE_SHARES
from jobs.refresh import refresh
from recommender import Recommender
from settings import Settings
from storage import runs
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from system.line import FarError

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0
SOON_SECONDS = 10.0
ORDER_SECONDS = 10.0  # until a process that trains has been started and the run is in its table, or the database away
RETRAIN = "retrain"


class Trains(Protocol):
    """What trains, here or in a process of its own."""

    @property
    def settings(self) -> Settings:
        """How often."""

    @property
    def database(self) -> Database:
        """Where runs are recorded."""

    @property
    def recommender(self) -> Recommender:
        """Serves in this process what has been published."""

    def warm_up(self) -> None:
        """Have ready what takes time to start."""

    def retrain(self, ordered: Callable[[int | None], object] | None = None) -> object:
        """Train, publish, and say how it went; see `jobs.training.Trainer`."""


class Scheduler:
    """The jobs of this process, in threads of their own."""

    def __init__(self, trainer: Trains, health: Health) -> None:
        self.trainer = trainer
        self.health = health
        self._minutes = trainer.settings.retrain_minutes
        self._training = threading.Lock()
        self._stopped = False
        self._background = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Begin; the first retrain comes when one is due since the last, at once if nothing has been published."""
        due = self._due()  # first: it needs the database, and whoever starts again must not find jobs from before
        self._background.add_job(self._refresh, "interval", seconds=REFRESH_SECONDS)
        if self._minutes:
            if due > datetime.now(UTC):
                self._background.add_job(self._warm_up)
            self._background.add_job(self._retrain, "interval", minutes=self._minutes, next_run_time=due, id=RETRAIN)
        else:
            self._report_rest()
        self._background.start()

    def stop(self) -> None:
        """Start no further job; one that is under way is left to end by itself."""
        self._stopped = True
        if self._background.running:
            self._background.shutdown(wait=False)

    @property
    def phases(self) -> Mapping[str, float]:
        """The phases of a training in order, each with its share of the whole."""
        return PHASE_SHARES

    @property
    def next_at(self) -> datetime | None:
        """When the next training comes by itself; None if none does."""
        job = self._background.get_job(RETRAIN) if self._background.running else None
        return job.next_run_time if job else None

    def order(self) -> int | None:
        """Begin a training now, though nothing may have changed: its run's id, or None if one is under way anywhere.

        Raises `DatabaseUnavailableError`; none begins later then, unless the message says that it may. Raises what
        `retrain` of the trainer raised if that ended before it had begun.
        """
        begun: Future[int | None] = Future()
        self._background.add_job(self._retrain, args=[begun])
        try:
            return begun.result(ORDER_SECONDS)
        except TimeoutError as error:
            late = "" if begun.cancel() else ", and one may yet be"
            raise DatabaseUnavailableError(f"no run was recorded within {ORDER_SECONDS:g} s{late}") from error

    def _due(self) -> datetime:
        with self.trainer.database.statement() as db:
            last = runs.newest(db, "train")
        now = datetime.now(UTC)
        if self.trainer.recommender.live is None or not last:
            return now
        started: datetime = last[0].started_at
        return max(now, started + timedelta(minutes=self._minutes))

    def _warm_up(self) -> None:
        self.health.report("trainer", "starting", "Spark is starting")
        self._reported(self.trainer.warm_up)
        if self._training.locked():  # it was ordered meanwhile, and has more to do than to start Spark
            self.health.report("trainer", "running")

    def _retrain(self, begun: Future[int | None] | None = None) -> None:
        if begun and not begun.set_running_or_notify_cancel():  # whoever has ordered it was told that it failed
            return
        if not self._training.acquire(blocking=False):
            if begun:
                begun.set_result(None)
            return
        try:
            self.health.report("trainer", "running")
            self._reported(self.trainer.retrain if begun is None else partial(self._retrain_ordered, begun))
        finally:
            self._training.release()
        self._refresh()

    def _retrain_ordered(self, begun: Future[int | None]) -> None:
        try:
            self.trainer.retrain(begun.set_result)
        except Exception as error:
            if not begun.done():
                begun.set_exception(error)
            raise

    def _reported(self, job: Callable[[], object]) -> None:
        try:
            job()
            self._report_rest()
        except DatabaseUnavailableError as error:
            log.error("the trainer gave up and soon tries again: the database is away: %s", error)
            self.health.report("trainer", "failed", f"the database is away: {error}")
            self._retrain_soon()
        except Exception as error:
            if self._stopped:
                log.info("the training that was under way ends with the process")
                return
            far = isinstance(error, FarError)  # whose traceback would tell of this process alone
            reason = (str(error) if far else f"{type(error).__name__}: {error}").partition("\n")[0]
            log.error("the trainer failed, and the next tick tries again: %s", reason, exc_info=not far)
            self.health.report("trainer", "failed", reason)

    def _report_rest(self) -> None:
        if self._minutes:
            self.health.report("trainer", "ready")
        else:
            self.health.report("trainer", "off", "MATINEE_RETRAIN_MINUTES is 0: it trains only when it is told to")

    def _retrain_soon(self) -> None:
        """Not only at the next tick, for this failure tells nothing against what was to be trained."""
        job = self._background.get_job(RETRAIN)
        if job is not None:
            job.modify(next_run_time=min(job.next_run_time, datetime.now(UTC) + timedelta(seconds=SOON_SECONDS)))

    def _refresh(self) -> None:
        refresh(self.trainer.recommender, self.health)
