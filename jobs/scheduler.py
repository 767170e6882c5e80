"""Schedule training: check for changed data every few minutes, and for queued runs every second."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler

from health import Health
from jobs.changes import DatasetWatch, training_is_due
from jobs.experiments import update_results
from jobs.refresh import refresh, report_trainer
from jobs.trainer_process import TrainerEndedError, TrainerPool
from recommender import Recommender
from settings import Settings
from storage import experiments, runs
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

EXPERIMENT_SECONDS = 60  # between two updates of the results of experiments
EXPERIMENT_PAUSE = 20  # times the duration of an update, which takes PostgreSQL 18 s for ten million movies shown
TICK_SECONDS = 1.0
SOON = timedelta(seconds=10)  # until the next check after a database outage
CLOCK_STEP_SECONDS = 1.0  # if the wall clock differs more from the monotonic clock, it was set
LOCK_FREED_SECONDS = 10.0  # how long to wait for PostgreSQL to free the lock of a dead process, usually milliseconds
CHECK = "check"
STOPPED = "the service was stopped in the middle of it"


class Scheduler:
    """The jobs of the first process: a thread starts and ends training each second; APScheduler checks for changes."""

    def __init__(self, settings: Settings, recommender: Recommender, health: Health, pool: TrainerPool) -> None:
        self.database: Database = recommender.database
        self._settings, self._recommender, self._health, self._pool = settings, recommender, health, pool
        self._dataset = DatasetWatch(self.database, settings, health)
        self._run: int | None = None  # the run that the pool trains
        self._judged: str | None = None  # the experiment that the pool evaluates
        self._experiments_due = time.monotonic()
        self._idle_since = time.monotonic()
        self._clocks = time.time() - time.monotonic()
        self._announced: datetime | None = None
        self._stopped = threading.Event()
        self._ticking = threading.Thread(target=self._tick_each_second, name="tick", daemon=True)
        self._background = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Start. The first check is one interval after the last training run, or at once without a live generation."""
        with self.database.statement() as db:
            runs.announce(db, None)
        if self._settings.retrain_minutes:
            minutes, due = self._settings.retrain_minutes, self._first_check()
            self._background.add_job(self._check, "interval", minutes=minutes, next_run_time=due, id=CHECK)
        self._background.add_job(self._update_experiments, "interval", seconds=EXPERIMENT_SECONDS)
        self._background.start()
        self._ticking.start()

    def stop(self) -> None:
        """End the trainer, and record a training run under way as interrupted."""
        self._stopped.set()
        if self._ticking.is_alive():
            self._ticking.join()
        if self._run is not None:
            self._close_run("interrupted", STOPPED)
        if self._background.running:
            self._background.shutdown(wait=False)

    def _first_check(self) -> datetime:
        with self.database.statement() as db:
            last = runs.newest(db, "train")
        now = datetime.now(UTC)
        if self._recommender.model.live is None or not last:
            return now
        wait = timedelta(minutes=self._settings.retrain_minutes)
        started: datetime = last[0].started_at
        return min(max(now, started + wait), now + wait)  # a run may lie in the future if the clock was set

    def _check(self) -> None:
        """Queue a training run if data or settings have changed, or if the live generation cannot be read."""
        try:
            unreadable = self._health["generation"].state == "failed"
            if unreadable or training_is_due(self.database, self._settings):
                with self.database.transaction() as db:
                    runs.queue(db, "train", TRAINING_LOCK)
        except DatabaseUnavailableError as error:
            log.error("the check for changes is repeated soon: the database is unavailable: %s", error)
            self._check_soon()
        except Exception:
            log.exception("the check for changes failed; the next one tries again")

    def _update_experiments(self) -> None:
        began = time.monotonic()
        if began < self._experiments_due:
            return
        try:
            update_results(self.database)
            self._experiments_due = began + (1 + EXPERIMENT_PAUSE) * (time.monotonic() - began)
        except DatabaseUnavailableError as error:
            log.debug("the results of experiments could not be updated: %s", error)

    def _check_soon(self) -> None:
        job = self._background.get_job(CHECK)
        if job is not None:
            job.modify(next_run_time=min(job.next_run_time, datetime.now(UTC) + SOON))

    def _tick_each_second(self) -> None:
        """Call `tick` until stopped, by the monotonic clock, because the wall clock may be set."""
        while not self._stopped.wait(TICK_SECONDS):
            try:
                self.tick()
            except DatabaseUnavailableError as error:
                log.debug("this second's jobs were skipped: %s", error)
            except Exception:
                log.exception("this second's jobs failed; the previous generation keeps serving")
        self._pool.end()

    def tick(self) -> None:
        """Run the jobs of each second."""
        refresh(self._recommender, self._health)
        self._follow_clock()
        self._finish_job()
        self._start_queued()
        report_trainer(self.database, self._health, self._settings.retrain_minutes)
        self._dataset.check()
        self._announce()
        self._end_idle_trainer()

    def _follow_clock(self) -> None:
        """Move the next check when the wall clock was set, because APScheduler uses the wall clock."""
        clocks = time.time() - time.monotonic()
        step, job = clocks - self._clocks, self._background.get_job(CHECK)
        if abs(step) > CLOCK_STEP_SECONDS:
            self._clocks = clocks
            if job is not None:
                log.warning("the clock was set by %+.0f s; the next check is moved by as much", step)
                job.modify(next_run_time=job.next_run_time + timedelta(seconds=step))

    def _start_queued(self) -> None:
        """Give the pool the queued training run, or else the evaluation of a new experiment, of any process."""
        if self._run is not None or self._judged is not None:
            return
        with self.database.statement() as db:
            self._run = runs.queued(db, "train", TRAINING_LOCK)
            self._judged = experiments.to_judge(db, TRAINING_LOCK) if self._run is None else None
        if self._run is not None:
            self._pool.train(self._run)
        elif self._judged is not None:
            self._pool.judge(self._judged)

    def _finish_job(self) -> None:
        """Record how the pool's training run or evaluation has ended, if it has."""
        result = self._pool.result()
        if result is None:
            return
        judged, self._judged = self._judged, None
        if isinstance(result, TrainerEndedError):
            log.error("%s; the next training run starts a new process", result)
            if judged is None:
                self._close_run(result.outcome, f"{TrainerEndedError.__name__}: {result}")
            else:  # another attempt would end in the same way
                with self.database.transaction() as db:
                    experiments.end(db, judged, f"it could not be evaluated: {result}")
        elif result == "away":
            self._check_soon()
        elif result == "busy":  # another service trains, which may take long
            self._pool.end()
        self._run, self._idle_since = None, time.monotonic()

    def _close_run(self, outcome: str, reason: str) -> None:
        """Record the outcome of a training run whose process has died, unless another process has taken it up."""
        until = time.monotonic() + LOCK_FREED_SECONDS
        while time.monotonic() < until:
            try:
                with self.database.statement() as db:
                    if self._run is None or runs.close_abandoned(db, self._run, TRAINING_LOCK, outcome, reason):
                        return
            except DatabaseUnavailableError as error:  # the next training run closes it
                log.warning("the outcome of run %s could not be recorded: %s", self._run, error)
                return
            time.sleep(TICK_SECONDS / 10)

    def _announce(self) -> None:
        """Store the time of the next check for all processes."""
        job: Any = self._background.get_job(CHECK)
        if job is not None and job.next_run_time != self._announced:
            with self.database.statement() as db:
                runs.announce(db, job.next_run_time)
            self._announced = job.next_run_time

    def _end_idle_trainer(self) -> None:
        idle = time.monotonic() - self._idle_since
        if (self._run or self._judged) is None and self._pool.alive and idle >= 60 * self._settings.spark_idle_minutes:
            log.info("the training process ends because it is idle; the next training run starts another")
            self._pool.end()
