"""The process that trains: `python -m serving.trainer NUMBER`, which the process that serves first starts and asks.

The number is that of an open socket, which is its end of the line between the two. The process has Spark, the
ratings and all the arithmetic over them, so that no request waits for these; and it gives way to whoever serves where
both want the same core. It ends with the process that started it.
"""

import logging
import os
import signal
import threading
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
from settings import Settings
from storage.errors import DatabaseUnavailableError
from system.child import from_parent
from system.line import Line
from system.logs import log_to_stderr, log_uncaught
from system.memory import give_back_large_blocks
from system.process import STOP_SIGNALS
from system.shared_counts import own_counts
from system.vitals import JvmProbe, ProcessProbe, Vitals

if TYPE_CHECKING:
    from jobs.training import Outcome, Trainer

log = logging.getLogger(__name__)

NICE = 10  # how far the work steps back, though not the start before it: whoever orders a training waits for that
CONNECTIONS = 2
STOP_SECONDS = 3.0


class Training:
    """Answers the process that serves."""

    def __init__(self, settings: Settings, database_url: str, wire: "Connection[Any, Any]") -> None:
        self.over = threading.Event()
        self._settings = settings
        self._database_url = database_url
        self._line = Line(wire, self._answer, self.over.set)
        self._making = threading.Lock()
        self._made: Trainer | None = None
        self._line.open()

    def _answer(self, question: str, *details: bool) -> "Outcome | None":
        """Warm up, or retrain: then the outcome is the answer, and who ordered it is told its run's id meanwhile."""
        try:
            trainer = self._trainer()
            _step_back()
            if question == "warm up":
                trainer.warm_up()
                return None
            (ordered,) = details
            return trainer.retrain(partial(self._line.ask, "begun") if ordered else None)
        except Exception as error:
            if not self.over.is_set() and not isinstance(error, DatabaseUnavailableError):
                log.exception("the training failed; the live generation goes on serving")
            raise

    def stop(self) -> None:
        """End Spark; a training that is under way fails."""
        if self._made is not None:
            self._made.engine.stop()

    def _trainer(self) -> "Trainer":
        """Made when it is first needed: by then somebody listens for the end of the process that started this one."""
        from engine import Engine
        from jobs.training import Trainer
        from recommender import Recommender
        from storage.database import Database

        with self._making:
            if self._made is None:
                database = Database(self._database_url, CONNECTIONS)
                engine = Engine(self._settings)
                self._made = Trainer(self._settings, database, engine, Recommender(database))
                registry = own_counts()
                Vitals(ProcessProbe(registry, "trainer"), JvmProbe(registry, engine.heap)).start()
            return self._made


def _step_back() -> None:
    """Have this thread, which to Linux is a process of its own, and what it starts give way to others."""
    os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def main() -> None:
    """Answer until the process that started this one hangs up or ends."""
    for number in STOP_SIGNALS:  # which a terminal or a service manager sends to all; the process that serves says when
        signal.signal(number, lambda *_: None)  # not ignored: what is started from here would ignore it as well
    (settings, database_url), wire = from_parent()
    log_to_stderr(settings.log_level, settings.log_format)
    log_uncaught()
    give_back_large_blocks()
    training = Training(settings, database_url, wire)
    training.over.wait()
    threading.Timer(STOP_SECONDS, os._exit, [1]).start()  # Spark may be in the middle of a start
    training.stop()
    os._exit(0)  # not by leaving, which would wait for a training that is under way


if __name__ == "__main__":
    main()
