"""Refresh a serving process each second: load a newer generation, and report on the trainer."""

import logging

from health import Health
from ranking.factors import FactorsError
from recommender import Recommender
from storage import runs
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError, UnknownGenerationError

log = logging.getLogger(__name__)

OFF = "MATINEE_RETRAIN_MINUTES is 0: training runs start only on request"


def refresh(recommender: Recommender, health: Health) -> None:
    """Serve the live generation and report on it; if it cannot be read, keep serving the previous one."""
    try:
        recommender.model.refresh()
        health.report("database", "ready")
        refresh_experiment(recommender)
    except DatabaseUnavailableError as error:
        health.report("database", "failed", str(error))
    except (FactorsError, UnknownGenerationError) as error:
        if health["generation"].state != "failed":
            log.error("the live generation cannot be served: %s", error)
        health.report("database", "ready")
        served = f"generation {recommender.model.live.id} is" if recommender.model.live else "popular movies are"
        health.report("generation", "failed", f"{error}; {served} served")
    else:
        if recommender.model.live is None:
            health.report("generation", "missing", "no generation has been published yet: popular movies are served")
        else:
            health.report("generation", "ready")


def refresh_experiment(recommender: Recommender) -> None:
    """Serve the running experiment; if an arm cannot be read, serve the live generation to all users."""
    try:
        recommender.model.refresh_experiment()
    except (FactorsError, UnknownGenerationError) as error:
        log.error("the experiment cannot be served, and all users get the live generation: %s", error)


def report_trainer(database: Database, health: Health, retrain_minutes: float) -> None:
    """Report on the trainer of any service by the newest run. Raises `DatabaseUnavailableError`."""
    with database.statement() as db:
        run = runs.newest_with_progress(db, "train", TRAINING_LOCK)
    if run is not None and run.in_progress:
        health.report("trainer", "running", since=run.started_at)
    elif run is not None and run.outcome in (None, "failed"):
        health.report("trainer", "failed", run.error or runs.INTERRUPTED, run.finished_at or run.started_at)
    elif retrain_minutes:
        health.report("trainer", "ready", since=run and run.finished_at)
    else:
        health.report("trainer", "off", OFF, run and run.finished_at)
