"""The command that trains now, in the running service if there is one."""

import time
from typing import Any

import click
from sqlalchemy import Row

from commands.context import Context
from commands.framework import DONE, FAILED, NOT_PUBLISHED, CommandResult, command
from commands.service_client import ServiceClient
from jobs.job_run import retry
from storage import runs
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError
from system.progress import progress

POLL_SECONDS = 0.5
OUTAGE_SECONDS = 60.0  # an embedded database that is shared is gone for good when the service ends
STATUS = {
    "published": DONE,
    "done": NOT_PUBLISHED,
    "rejected": NOT_PUBLISHED,
    "failed": FAILED,
    "interrupted": FAILED,
}


@command(
    examples=[
        ("matinee retrain", "Have the service begin, and go on with other things."),
        ("matinee retrain --wait && ./tell-the-team", "Go on only once a new generation is served."),
    ],
    ends={
        DONE: "It has begun or, with --wait, its result is served.",
        FAILED: "It failed, or could not be begun; one line on standard error says why.",
        NOT_PUBLISHED: "The gate rejected the result, another generation is held, or another training is under way.",
    },
    reads=("MATINEE_HOST", "MATINEE_PORT", "MATINEE_ADMIN_KEY", "MATINEE_DATASET", "MATINEE_SPARK_MASTER"),
)
@click.option("--wait", is_flag=True, help="Until it has ended; without a service that is always so.")
def retrain(context: Context, wait: bool) -> CommandResult:
    """Train now, even if nothing has changed: in the running service or, if none answers, here.

    The result is served only if it is not worse than the live generation. Progress goes to standard error.
    """
    service = ServiceClient(context.settings)
    if service.health() is None:
        return _train_here(context)
    run_id = service.request_training()
    if run_id is None:
        return _busy()
    if not wait:
        return CommandResult(f"run {run_id} is queued; `matinee status` tells how far it is", {"run_id": run_id})
    with context.database() as database:
        return _ended(_wait_for_run(database, run_id))


def _train_here(context: Context) -> CommandResult:
    with context.trainer() as trainer:
        if trainer.retrain(ordered=True) == "busy":
            return _busy()
        with trainer.database.statement() as db:
            return _ended(runs.newest_with_progress(db, "train", TRAINING_LOCK))


def _wait_for_run(database: Database, run_id: int) -> Row[Any] | None:
    """Wait until the run has ended, and return it; see `_find_run`."""
    with progress(100, f"run {run_id}", unit="%") as advance:
        shown = 0
        while True:
            run = _find_run(database, run_id)
            percent = int(100 * run.progress) if run else 100
            advance(percent - shown)
            shown = percent
            if run is None or not run.in_progress:
                return run
            time.sleep(POLL_SECONDS)


def _find_run(database: Database, run_id: int) -> Row[Any] | None:
    """Return a run as it is now. Raises `DatabaseUnavailableError` after an outage of `OUTAGE_SECONDS`."""

    def look() -> Row[Any] | None:
        with database.statement() as db:
            return runs.find(db, run_id, TRAINING_LOCK)

    try:
        return retry(look, OUTAGE_SECONDS)
    except DatabaseUnavailableError as error:
        message = f"The end of run {run_id} cannot be seen: {error}. See that the service runs, then `matinee status`."
        raise DatabaseUnavailableError(message) from error


def _busy() -> CommandResult:
    return CommandResult("busy: another training is under way", {"outcome": "busy"}, NOT_PUBLISHED)


def _ended(run: Row[Any] | None) -> CommandResult:
    outcome = "failed" if run is None or run.outcome is None else str(run.outcome)
    error = None if run is None else run.error or (None if run.outcome else runs.INTERRUPTED)
    facts = {
        "run_id": run.id if run else None,
        "outcome": outcome,
        "error": error,
        "seconds": (run.finished_at - run.started_at).total_seconds() if run and run.finished_at else None,
    }
    return CommandResult(f"{outcome}: {error}" if error else outcome, facts, STATUS[outcome])
