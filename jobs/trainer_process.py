"""What runs in the process that trains, which `jobs.trainer_pool` starts and ends.

It has Spark, the ratings and all the arithmetic over them, so that no request waits for these, and it gives way to the
processes that serve where both want the same core. Nothing that is large is imported before it has been started.
"""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
from settings import Settings
from storage.database import TRAINING_LOCK
from storage.errors import DatabaseUnavailableError
from system.logs import log_to_stderr, log_uncaught
from system.memory import give_back_large_blocks
from system.process import die_with_parent

if TYPE_CHECKING:
    from jobs.training import Trainer

log = logging.getLogger(__name__)

NICE = 10
CONNECTIONS = 2
TrainingResult = Literal["published", "done", "rejected", "unchanged", "busy", "failed", "away"]
"""How a training went; "away": it failed because PostgreSQL cannot be reached."""

_kept: "list[Trainer]" = []  # the one of this process, kept from one training to the next with its Spark


def prepare(settings: Settings, database_url: str, parent: int) -> None:
    """Make this process one that trains and ends with its parent, in a process group of its own with all it starts."""
    os.setsid()  # Ctrl-C on a terminal is for the process that serves, which then ends this one
    die_with_parent(signal.SIGKILL, parent)
    os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    log_to_stderr(settings.log_level, settings.log_format)
    logging.getLogger("live_model").setLevel(logging.WARNING)  # the processes that serve a generation say so
    log_uncaught()
    give_back_large_blocks()
    _kept.append(_make_trainer(settings, database_url))


def train(run_id: int) -> TrainingResult:
    """Do the training of a queued run; the kernel ends this process when it takes longer than it may."""
    (trainer,) = _kept
    try:
        with _time_limit(trainer.settings):
            return trainer.retrain(run_id)
    except DatabaseUnavailableError as error:
        log.error("the training failed: the database is unavailable: %s", error)
        return "away"
    except Exception:
        log.exception("the training failed; the live generation goes on serving")
        return "failed"


def judge(experiment: str) -> TrainingResult:
    """Judge the settings of an experiment on the held-out users, unless another process trains or judges."""
    from jobs import experiments

    (trainer,) = _kept
    try:
        with _time_limit(trainer.settings), trainer.database.try_lock(TRAINING_LOCK) as mine:
            if not mine:
                return "busy"
            experiments.judge(trainer.database, trainer.settings, experiment)
            return "done"
    except DatabaseUnavailableError as error:
        log.error("experiment %s is judged later: the database is unavailable: %s", experiment, error)
        return "away"
    except Exception as error:
        log.debug("experiment %s is refused", experiment, exc_info=error)
        return "rejected"


@contextmanager
def _time_limit(settings: Settings) -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, 60 * settings.training_minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _make_trainer(settings: Settings, database_url: str) -> "Trainer":
    from engine import Engine
    from jobs.training import Trainer
    from recommender import Recommender
    from storage.database import Database
    from system.process_metrics import EachSecond, JvmProbe, ProcessProbe
    from system.shared_counts import own_counts

    database, engine = Database(database_url, CONNECTIONS), Engine(settings)
    registry = own_counts()
    EachSecond(ProcessProbe(registry, "trainer"), JvmProbe(registry, engine.heap)).start()
    return Trainer(settings, database, engine, Recommender(database))
