"""The commands that train: now, in the running service if there is one, or from factors that were trained elsewhere."""

import time
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Row

from commands.context import FILE, TRAINING_SETTINGS, Context
from commands.framework import DONE, FAILED, NOT_PUBLISHED, CommandResult, command, log_change
from commands.service_health import service_health
from jobs.job_run import retry
from ranking.factors import Factors
from settings import OperatorError
from storage import runs
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError
from system.progress import progress

POLL_SECONDS = 0.5
QUEUED_SECONDS = 300.0  # a service that is not judging an experiment takes up a run within seconds
OUTAGE_SECONDS = 60.0  # an embedded database that is shared is gone for good when the service ends
STATUS = {"published": DONE, "unchanged": DONE, "failed": FAILED, "interrupted": FAILED}  # else NOT_PUBLISHED
ENDS = {NOT_PUBLISHED: "The gate rejected the result, another generation is held, or another training is under way."}
BUSY = CommandResult("busy: another training is under way", {"outcome": "busy"}, NOT_PUBLISHED)


@command(
    examples=[("matinee train", "Train and publish."), ("matinee --params tuned.env train", "With tuned settings.")],
    ends=ENDS,
    reads=TRAINING_SETTINGS,
)
def train(context: Context) -> CommandResult:
    """Train once on everything stored and publish the result, without the service.

    It prints published, rejected (worse than what is served), done (accepted and stored, while another is held),
    unchanged (nothing new to learn from) or busy. A running service finds the new generation by itself.
    """
    with context.trainer() as trainer:
        return _trained(trainer.retrain())


@command(
    examples=[("matinee load factors.npz", "Publish what engine.py has trained on another machine.")],
    ends=ENDS,
    reads=TRAINING_SETTINGS,
)
@click.argument("file", type=FILE)
def load(context: Context, file: Path) -> CommandResult:
    """Bring in FILE, factors that engine.py has trained, through the same gate as any training."""
    factors = Factors.from_bytes(file.read_bytes())
    with context.trainer() as trainer:
        return _trained(trainer.load(factors))


@command(
    examples=[
        ("matinee retrain", "Have the service begin, and go on with other things."),
        ("matinee retrain --wait && ./tell-the-team", "Go on only once a new generation is served."),
    ],
    ends=ENDS
    | {
        DONE: "It has begun or, with --wait, its result is served.",
        FAILED: "It failed, or could not be begun; one line on standard error says why.",
    },
    reads=("MATINEE_HOST", "MATINEE_PORT", *TRAINING_SETTINGS),
)
@click.option("--wait", is_flag=True, help="Until it has ended; without a service that is always so.")
def retrain(context: Context, wait: bool) -> CommandResult:
    """Train now, even if nothing has changed: in the running service or, if none answers, here.

    The result is served only if it is not worse than the live generation. Progress goes to standard error.
    """
    if service_health(context.settings) is None:
        with context.trainer() as trainer:
            if trainer.retrain(ordered=True) == "busy":
                return BUSY
            with trainer.database.statement() as db:
                return _ended(runs.newest_with_progress(db, "train", TRAINING_LOCK))
    with context.database() as database:
        with database.transaction() as db:
            run_id = runs.queue(db, "train", TRAINING_LOCK)
        if run_id is None:
            return BUSY
        log_change(f"run {run_id} is queued")
        if wait:
            return _ended(_wait_for_run(database, run_id))
    return CommandResult(f"run {run_id} is queued; `matinee status` shows its progress", {"run_id": run_id})


def _trained(outcome: str) -> CommandResult:
    return CommandResult(outcome, {"outcome": outcome}, STATUS.get(outcome, NOT_PUBLISHED))


def _wait_for_run(database: Database, run_id: int) -> Row[Any] | None:
    """Wait until the run has ended, and return it; see `_find_run`."""
    with progress(100, f"run {run_id}", unit="%") as advance:
        shown, give_up = 0, time.monotonic() + QUEUED_SECONDS
        while (run := _find_run(database, run_id)) is not None and run.in_progress:
            percent = int(100 * run.progress)
            advance(percent - shown)
            shown = percent
            if run.phase == "queued" and time.monotonic() > give_up:
                raise OperatorError(
                    f"no service takes up run {run_id}: is the database of this command that of the service?"
                )
            time.sleep(POLL_SECONDS)
        advance(100 - shown)
    return run


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


def _ended(run: Row[Any] | None) -> CommandResult:
    outcome = "failed" if run is None or run.outcome is None else str(run.outcome)
    error = None if run is None else run.error or (None if run.outcome else runs.INTERRUPTED)
    facts = {
        "run_id": run.id if run else None,
        "outcome": outcome,
        "error": error,
        "seconds": (run.finished_at - run.started_at).total_seconds() if run and run.finished_at else None,
    }
    return CommandResult(f"{outcome}: {error}" if error else outcome, facts, STATUS.get(outcome, NOT_PUBLISHED))
