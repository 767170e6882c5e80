"""When jobs run: a retrain every so many minutes, and a look for a newer generation every second."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from health import Health
from jobs.retrain import Trainer
from recommender import Recommender
from scoring.factors import FactorsError
from storage import runs
from storage.errors import DatabaseUnavailableError, UnknownGenerationError

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0


class Scheduler:
    """The jobs of this process, in threads of their own."""

    def __init__(self, trainer: Trainer, health: Health) -> None:
        self.trainer = trainer
        self.health = health
        self._minutes = trainer.settings.retrain_minutes
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
            self._background.add_job(self._retrain, "interval", minutes=self._minutes, next_run_time=due)
        else:
            self.health.report("trainer", "off", "MATINEE_RETRAIN_MINUTES is 0")
        self._background.start()

    def stop(self) -> None:
        """Start no further job; one that is under way is left to end by itself."""
        self._stopped = True
        if self._background.running:
            self._background.shutdown(wait=False)

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
        self._reported(self.trainer.engine.start)

    def _retrain(self) -> None:
        self.health.report("trainer", "running")
        self._reported(self.trainer.retrain)
        self._refresh()

    def _reported(self, job: Callable[[], object]) -> None:
        try:
            job()
            self.health.report("trainer", "ready")
        except DatabaseUnavailableError as error:
            log.error("the trainer gave up, and the next tick tries again: the database is away: %s", error)
            self.health.report("trainer", "failed", f"the database is away: {error}")
        except Exception as error:
            if self._stopped:
                log.info("the training that was under way ends with the process")
                return
            log.exception("the trainer failed; the live generation goes on serving, and the next tick tries again")
            self.health.report("trainer", "failed", f"{type(error).__name__}: {error}".partition("\n")[0])

    def _refresh(self) -> None:
        refresh(self.trainer.recommender, self.health)


def refresh(recommender: Recommender, health: Health) -> None:
    """Serve the live generation and report on it; if it cannot be read, what was served before goes on."""
    try:
        recommender.refresh()
        health.report("database", "ready")
    except DatabaseUnavailableError as error:
        health.report("database", "failed", str(error))
    except (FactorsError, UnknownGenerationError) as error:
        if health["generation"].state != "failed":
            log.error("the live generation cannot be served: %s", error)
        health.report("generation", "failed", str(error))
    else:
        if recommender.live is None:
            health.report("generation", "missing", "no training has been published yet: popular films are served")
        else:
            health.report("generation", "ready")
