"""The frame around a job: its row in `runs`, its progress there, in the log and on the terminal, and its outcome."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from runtime.progress import progress
from storage import runs
from storage.database import Database
from storage.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)


@dataclass
class Run:
    """A run that is under way.

    Attributes:
        shares: each phase with its share of the whole, in order; they add up to 1.
        seconds: how long each finished phase took.
        notes: what else the run's record is to say.
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
        """Say that `done` of a phase, 0 to 1, is behind us."""
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
        with suppress(DatabaseUnavailableError), self.database.statement() as db:  # the job outlives the database
            runs.advance(db, self.id, phase, min(whole, 1.0))

    def discard(self) -> None:
        """Leave no record: there was nothing to do."""
        with self.database.statement() as db:
            runs.discard(db, self.id)


@contextmanager
def running(database: Database, kind: str, shares: dict[str, float]) -> Iterator[Run]:
    """Open a run for the time of the block; an exception ends it as failed, with the reason, and goes on.

    The block itself ends it well, in the transaction in which its results become visible.
    """
    with database.statement() as db:
        run_id = runs.begin(db, kind)
    with progress(100, f"run {run_id} ({kind})", unit="%") as advance_bar:
        run = Run(run_id, database, shares, advance_bar)
        try:
            yield run
        except BaseException as error:
            with suppress(DatabaseUnavailableError), database.statement() as db:
                runs.end(db, run_id, "failed", {"seconds": run.seconds}, _reason(error))
            raise


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().partition("\n")[0][:1000]
