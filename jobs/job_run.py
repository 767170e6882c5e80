"""Record a job in `runs`: start, progress (also in the log and on the terminal) and outcome."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import tenacity

from storage import runs
from storage.database import Database
from storage.errors import DatabaseRefusedError, DatabaseUnavailableError
from system.progress import progress

log = logging.getLogger(__name__)

OUTAGE_SECONDS = 60.0  # how long results wait for the database before they are discarded
RECORD_SECONDS = 600.0  # how long the reason of a failure waits
RETRY_SECONDS = 1.0
T = TypeVar("T")


@dataclass
class JobRun:
    """A run under way.

    Attributes:
        shares: the phases in order, each with its share of the whole; the shares sum to 1.
        seconds: the duration of each finished phase.
        notes: further details for the run's record.
    """

    id: int
    database: Database
    shares: dict[str, float]
    advance_bar: Callable[[int], object]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    _phase: str = ""
    _began: float = 0.0
    _percent: int = 0

    def advance(self, phase: str, done: float = 0.0) -> None:
        """Report that the share `done` of a phase, 0 to 1, is complete."""
        now = time.monotonic()
        if phase != self._phase:
            if self._phase:
                self.seconds[self._phase] = round(now - self._began, 3)
            self._phase, self._began = phase, now
        names = list(self.shares)
        whole = sum(self.shares[name] for name in names[: names.index(phase)]) + self.shares[phase] * done
        percent = int(100 * whole)
        self.advance_bar(percent - self._percent)
        self._percent = percent
        with suppress(DatabaseUnavailableError), self.database.statement() as db:  # the job survives a database outage
            runs.advance(db, self.id, phase, min(whole, 1.0))


@contextmanager
def record_run(database: Database, kind: str, shares: dict[str, float], begun: int | None = None) -> Iterator[JobRun]:
    """Open a run, or continue the run `begun`; an exception in the block ends it as failed, with the reason.

    A block that succeeds ends the run itself, in the transaction that makes its results visible.
    """
    run_id = begun
    if run_id is None:
        with database.statement() as db:
            run_id = runs.begin(db, kind)
    with progress(100, f"run {run_id} ({kind})", unit="%") as advance_bar:
        run = JobRun(run_id, database, shares, advance_bar)
        try:
            yield run
        except Exception as error:
            # the process has nothing else to do without the database, so it waits for it
            _end(run, "failed", error, RECORD_SECONDS)
            raise
        except BaseException as error:  # Ctrl-C
            _end(run, "interrupted", error, 0)
            raise


def retry(work: Callable[[], T], seconds: float) -> T:
    """Return the result of `work`; while the database is unavailable, retry each second for up to `seconds`.

    A database that refuses the connection is not retried, because waiting would not help.
    """

    def warn_once(state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome:
            log.warning("waiting up to %.0f s for the database: %s", seconds, state.outcome.exception())

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(DatabaseUnavailableError)
        & tenacity.retry_if_not_exception_type(DatabaseRefusedError),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(RETRY_SECONDS),
        before_sleep=warn_once,
        reraise=True,
    )(work)


def _end(run: JobRun, outcome: str, error: BaseException, seconds: float) -> None:
    def end() -> None:
        with run.database.statement() as db:
            runs.end(db, run.id, outcome, {"seconds": run.seconds}, _reason(error))

    with suppress(DatabaseUnavailableError):  # the next run closes this one
        retry(end, seconds)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().partition("\n")[0][:1000]
