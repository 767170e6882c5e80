"""When to train: check every few minutes whether there is anything to learn, and look once a second for queued runs."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler

from health import Health
from jobs.changes import DatasetWatch, anything_to_learn
from jobs.experiments import look_at_results
from jobs.refresh import refresh, report_trainer
from jobs.trainer_process import TrainerEndedError, TrainerPool
from recommender import Recommender
from settings import Settings
from storage import experiments, runs
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

EXPERIMENT_SECONDS = 60  # between two looks at the running experiment
REST_AFTER_LOOK = 20  # times as long as a look took: of ten million shown movies it keeps PostgreSQL busy for 18 s
LOOK_SECONDS = 1.0
SOON = timedelta(seconds=10)  # until the next check after one that found no database
CLOCK_STEP_SECONDS = 1.0  # a wall clock that moves further against the monotonic one was set
LOCK_FREED_SECONDS = 10.0  # until PostgreSQL has noticed that a process has died, which takes it some milliseconds
CHECK = "check"
STOPPED = "the service was stopped in the middle of it"


class Scheduler:
    """The jobs of the first process: a thread looks each second and has the trainer work; APScheduler checks."""

    def __init__(self, settings: Settings, recommender: Recommender, health: Health, pool: TrainerPool) -> None:
        self.database: Database = recommender.database
        self._settings, self._recommender, self._health, self._pool = settings, recommender, health, pool
        self._dataset = DatasetWatch(self.database, settings, health)
        self._run: int | None = None  # whose training was given to the pool
        self._judged: str | None = None  # the experiment whose judging was
        self._experiments_due = time.monotonic()
        self._idle_since = time.monotonic()
        self._clocks = time.time() - time.monotonic()
        self._announced: datetime | None = None
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look_each_second, name="look", daemon=True)
        self._background = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Begin; the first check comes when one is due since the last training, at once before the first generation."""
        with self.database.statement() as db:
            runs.announce(db, None)
        if self._settings.retrain_minutes:
            minutes, due = self._settings.retrain_minutes, self._first_check()
            self._background.add_job(self._check, "interval", minutes=minutes, next_run_time=due, id=CHECK)
        self._background.add_job(self._look_at_experiments, "interval", seconds=EXPERIMENT_SECONDS)
        self._background.start()
        self._looking.start()

    def stop(self) -> None:
        """End the trainer, and record a training that was under way as interrupted."""
        self._over.set()
        if self._looking.is_alive():
            self._looking.join()
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
        return min(max(now, started + wait), now + wait)  # a run of the future is of a clock that was set

    def _check(self) -> None:
        """Queue a training if there is anything to learn, or if what was learned cannot be read."""
        try:
            unreadable = self._health["generation"].state == "failed"
            if unreadable or anything_to_learn(self.database, self._settings):
                with self.database.transaction() as db:
                    runs.queue(db, "train", TRAINING_LOCK)
        except DatabaseUnavailableError as error:
            log.error("the check for anything to learn is repeated soon: the database is unavailable: %s", error)
            self._check_soon()
        except Exception:
            log.exception("the check whether there is anything to learn failed; the next one tries again")

    def _look_at_experiments(self) -> None:
        began = time.monotonic()
        if began < self._experiments_due:
            return
        try:
            look_at_results(self.database)
            self._experiments_due = began + (1 + REST_AFTER_LOOK) * (time.monotonic() - began)
        except DatabaseUnavailableError as error:
            log.debug("experiments could not be looked at: %s", error)

    def _check_soon(self) -> None:
        job = self._background.get_job(CHECK)
        if job is not None:
            job.modify(next_run_time=min(job.next_run_time, datetime.now(UTC) + SOON))

    def _look_each_second(self) -> None:
        """Look until stopped, by the monotonic clock: the wall clock may be set."""
        while not self._over.wait(LOOK_SECONDS):
            try:
                self.look()
            except DatabaseUnavailableError as error:
                log.debug("nothing could be looked at: %s", error)
            except Exception:
                log.exception("the look of this second failed; what was served before goes on")
        self._pool.end()

    def look(self) -> None:
        """Do all that is to be done once a second."""
        refresh(self._recommender, self._health)
        self._follow_clock()
        self._settle()
        self._start_queued()
        report_trainer(self.database, self._health, self._settings.retrain_minutes)
        self._dataset.look()
        self._announce()
        self._end_idle_trainer()

    def _follow_clock(self) -> None:
        """Move the next check along when the wall clock was set, for APScheduler goes by that."""
        clocks = time.time() - time.monotonic()
        step, job = clocks - self._clocks, self._background.get_job(CHECK)
        if abs(step) > CLOCK_STEP_SECONDS:
            self._clocks = clocks
            if job is not None:
                log.warning("the clock was set by %+.0f s; the next training is moved along", step)
                job.modify(next_run_time=job.next_run_time + timedelta(seconds=step))

    def _start_queued(self) -> None:
        """Have the queued training done, or else the experiment judged, by whichever process it was asked for."""
        if self._run is not None or self._judged is not None:
            return
        with self.database.statement() as db:
            self._run = runs.queued(db, "train", TRAINING_LOCK)
            self._judged = experiments.to_judge(db, TRAINING_LOCK) if self._run is None else None
        if self._run is not None:
            self._pool.train(self._run)
        elif self._judged is not None:
            self._pool.judge(self._judged)

    def _settle(self) -> None:
        """Take note of how the training or judging has ended that this process has started, if it has."""
        result = self._pool.result()
        if result is None:
            return
        judged, self._judged = self._judged, None
        if isinstance(result, TrainerEndedError):
            log.error("%s; the next training starts a new process", result)
            if judged is None:
                self._close_run(result.outcome, f"{TrainerEndedError.__name__}: {result}")
            else:  # another attempt would end in the same way
                with self.database.transaction() as db:
                    experiments.end(db, judged, f"it could not be judged: {result}")
        elif result == "away":
            self._check_soon()
        elif result == "busy":  # in a process of another service, whose training may take long
            self._pool.end()
        self._run, self._idle_since = None, time.monotonic()

    def _close_run(self, outcome: str, reason: str) -> None:
        """Record how the training has ended whose process is gone, unless another process has taken it up."""
        until = time.monotonic() + LOCK_FREED_SECONDS
        while time.monotonic() < until:
            try:
                with self.database.statement() as db:
                    if self._run is None or runs.close_abandoned(db, self._run, TRAINING_LOCK, outcome, reason):
                        return
            except DatabaseUnavailableError as error:  # the next training closes it
                log.warning("how run %s has ended could not be recorded: %s", self._run, error)
                return
            time.sleep(LOOK_SECONDS / 10)

    def _announce(self) -> None:
        """Tell all processes when the next check comes."""
        job: Any = self._background.get_job(CHECK)
        if job is not None and job.next_run_time != self._announced:
            with self.database.statement() as db:
                runs.announce(db, job.next_run_time)
            self._announced = job.next_run_time

    def _end_idle_trainer(self) -> None:
        idle = time.monotonic() - self._idle_since
        if (self._run or self._judged) is None and self._pool.alive and idle >= 60 * self._settings.spark_idle_minutes:
            log.info("the process that trains has nothing to do and ends; the next training starts another")
            self._pool.end()
