"""A further process that serves: `python -m serving.worker NUMBER`, which the first one starts.

The number is that of an open socket, which is its end of the line between the two.

It answers its share of what comes to the port, has the first one train, and ends with it.
"""

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
from app import create_app
from health import Component, Health
from jobs.phases import PHASE_SHARES
from jobs.refresh import refresh
from recommender import Recommender
from serving.asking import asked
from serving.ending import end_after
from serving.front import serve, stop_serving
from serving.trainer_at_hand import TrainerDiedError, TrainerStartError
from settings import Settings
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from system.child import from_parent
from system.line import FarError, Line
from system.logs import log_to_stderr, log_uncaught
from system.memory import give_back_large_blocks
from system.process import on_stop_signals
from system.vitals import ProcessProbe, Vitals
from web.errors import NotReadyError
from web.server_probe import ServerProbe

log = logging.getLogger("matinee")

REFRESH_SECONDS = 1.0
ANSWER_SECONDS = 1.0  # for which the first process is waited for, which may be stopped or have no processor
ORDER_SECONDS = 12.0  # for an order, on which the first process gives its answer within ten
NOT_BEGUN = {error.__name__ for error in (TrainerDiedError, TrainerStartError)}


class SharedHealth(Health):
    """The parts of this process, and the trainer as the first one knows it, or last knew it if that does not answer."""

    def __init__(self, first: Line) -> None:
        super().__init__()
        self._first = first
        self._trainer = super().__getitem__("trainer")
        self.report("database", "ready")
        self.report("catalogue", "ready")

    def __getitem__(self, name: str) -> Component:
        if name != "trainer":
            return super().__getitem__(name)
        with suppress(DatabaseUnavailableError):  # it does not answer, or this process is about to end as well
            self._trainer = asked(self._first, "trainer", ANSWER_SECONDS)
        return self._trainer


class TrainsElsewhere:
    """The training of the first process, for the application of this one."""

    phases: Mapping[str, float] = PHASE_SHARES

    def __init__(self, first: Line) -> None:
        self._first = first

    @property
    def next_at(self) -> datetime | None:
        """When the next training comes by itself; None if none does."""
        found: datetime | None = asked(self._first, "next_at", ANSWER_SECONDS)
        return found

    def order(self) -> int | None:
        """As the method of this name of `jobs.scheduler.Scheduler`."""
        try:
            run_id: int | None = asked(self._first, "order", ORDER_SECONDS)
        except FarError as error:
            if error.kind in NOT_BEGUN:
                raise NotReadyError(error.text) from error
            raise
        return run_id


class Worker:
    """Every part of a process that serves beside the first one."""

    def __init__(self, settings: Settings, database_url: str, wire: "Connection[Any, Any]") -> None:
        self.over = threading.Event()
        self.settings = settings
        self.database = Database(database_url, settings.threads)
        self.recommender = Recommender(self.database)
        self._line = Line(wire, _is_never_asked, self.over.set)
        self.health = SharedHealth(self._line)

    def serve(self) -> None:
        """Answer requests, from when the live generation is in memory until the first process ends or hangs up."""
        self._line.open()
        on_stop_signals(self._note_signal)
        while not self.over.is_set() and self._refreshed() == "starting":
            self.over.wait(REFRESH_SECONDS)
        if not self.over.is_set():
            app = create_app(self.recommender, self.health, self.settings, TrainsElsewhere(self._line))
            server, registry = serve(app, self.settings, first=False), app.extensions["metrics"].registry
            probe = ServerProbe(registry, server.workers, self.health, self.recommender)
            Vitals(ProcessProbe(registry, "server"), probe).start()
            while not self.over.wait(REFRESH_SECONDS):
                self._refreshed()
            stop_serving()
        self.database.close()

    def _refreshed(self) -> str:
        try:
            refresh(self.recommender, self.health)
        except Exception:
            log.exception("the look for a newer generation failed; what was served before goes on")
        return self.health["generation"].state

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self.over.set()


def _is_never_asked(question: str) -> None:
    raise LookupError(f"a process that serves has no answer to {question!r}")


def main() -> int:
    """Serve until the process that started this one hangs up or ends, or until a signal; returns the exit status."""
    (settings, database_url), wire = from_parent()
    log_to_stderr(settings.log_level, settings.log_format)
    log_uncaught()
    give_back_large_blocks()
    Worker(settings, database_url, wire).serve()
    return 0


if __name__ == "__main__":
    end_after(main)
