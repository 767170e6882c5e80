"""The process that trains: what runs in it, and the pool that starts it for a run, keeps it and ends it.

It has Spark, the ratings and all the arithmetic over them, so that no request waits for these, and it gives way to the
processes that serve where both want the same core. Nothing that is large is imported before it has been started.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
from settings import Settings
from storage.database import TRAINING_LOCK
from storage.errors import DatabaseUnavailableError
from system.logs import log_to_stderr, log_uncaught
from system.memory import give_back_large_blocks
from system.process import describe_exit, die_with_parent, end_group

if TYPE_CHECKING:
    from jobs.training import Trainer

log = logging.getLogger(__name__)

NICE = 10
CONNECTIONS = 2
STOP_SECONDS = 4.0
TrainingResult = Literal["published", "done", "rejected", "unchanged", "busy", "failed", "away"]
"""How a training went; "away": it failed because PostgreSQL cannot be reached."""

_kept: "list[Trainer]" = []  # the one of this process, kept from one training to the next with its Spark


def prepare(settings: Settings, database_url: str, parent: int) -> None:
    """Make this process one that trains and ends with its parent, in a process group of its own with all it starts."""
    os.setsid()  # Ctrl-C on a terminal is for the process that serves, which then ends this one
    die_with_parent(signal.SIGKILL, parent)
    os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    # Where Linux divides the cores among sessions first (sched_autogroup), that counts only within ours. A session has
    # a niceness too. Staying in the server's session would help less: PostgreSQL's processes have their own.
    with suppress(OSError):  # a system without such groups; or, unless root, a tenth of a second after another change
        Path("/proc/self/autogroup").write_text(str(NICE))
    log_to_stderr(settings.log_level, settings.log_format)
    logging.getLogger("live_model").setLevel(logging.WARNING)  # the processes that serve a generation say so
    log_uncaught()
    give_back_large_blocks()
    _kept.append(_make_trainer(settings, database_url))


def train(run_id: int) -> TrainingResult:
    """Do the training of a queued run; the kernel ends this process when it takes longer than it may."""
    try:
        with _within_time_limit() as trainer:
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

    try:
        with _within_time_limit() as trainer, trainer.database.try_lock(TRAINING_LOCK) as mine:
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
def _within_time_limit() -> "Iterator[Trainer]":
    """Yield the trainer; SIGALRM, which nothing handles, ends this process if the block takes too long."""
    (trainer,) = _kept
    signal.setitimer(signal.ITIMER_REAL, 60 * trainer.settings.training_minutes)
    try:
        yield trainer
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


class TrainerEndedError(RuntimeError):
    """The process that trains has ended in the middle of it, or could not be started; the message says why.

    `outcome` is that of its run: "interrupted" if an operator or the system wanted the process to end, else "failed".
    """

    def __init__(self, reason: str, outcome: str = "failed") -> None:
        super().__init__(reason)
        self.outcome = outcome


class _Remembering(SpawnContext):
    """Starts processes as multiprocessing does, and remembers the newest."""

    newest: BaseProcess | None = None

    def Process(self, *args: Any, **kwargs: Any) -> BaseProcess:  # type: ignore[override]
        self.newest = super().Process(*args, **kwargs)
        return self.newest


class TrainerPool:
    """One process, started for a job, kept for the next one, and replaced when it has died.

    The kernel ends it with the thread that began its first job.
    """

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._limit = settings.training_minutes
        self._given = settings, database_url, os.getpid()
        self._context = _Remembering()
        self._pool: ProcessPoolExecutor | None = None
        self._job: Future[TrainingResult] | None = None

    def train(self, run_id: int) -> None:
        """Begin the training of a queued run."""
        self._begin(train, run_id)

    def judge(self, experiment: str) -> None:
        """Begin to judge the settings of an experiment."""
        self._begin(judge, experiment)

    def result(self) -> TrainingResult | TrainerEndedError | None:
        """Return, once, how the job went, or why its process has ended; None while it goes on."""
        if self._job is None or not self._job.done():
            return None
        job, self._job = self._job, None
        error = job.exception()
        if error is None:
            return job.result()
        self._pool = None
        return error if isinstance(error, TrainerEndedError) else self._why_ended(error)

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._context.newest is not None and self._context.newest.is_alive()

    def end(self) -> None:
        """End the process, its JVM and all that they started; the next job starts another."""
        process, self._context.newest = self._context.newest, None
        if process is not None and process.pid is not None:
            end_group(process.pid, STOP_SECONDS)
            process.kill()  # one that has just been started has not made its group yet
        pool, self._pool, self._job = self._pool, None, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, job: Callable[[Any], TrainingResult], argument: object) -> None:
        if self._pool is None or not self.alive:
            self._pool = ProcessPoolExecutor(1, self._context, prepare, self._given)
        try:
            self._job = self._pool.submit(job, argument)
        except (OSError, BrokenExecutor) as error:  # no room for another process, as a rule
            self._pool.shutdown(wait=False, cancel_futures=True)  # else it would do the job with the next one
            self._job = Future()
            self._job.set_exception(TrainerEndedError(f"the process that trains could not be started: {error}"))

    def _why_ended(self, error: BaseException) -> TrainerEndedError:
        process = self._context.newest
        if process is None or process.pid is None:
            return TrainerEndedError(f"the process that trains has ended: {error}")
        process.join(STOP_SECONDS)
        end_group(process.pid, STOP_SECONDS)  # its JVM notices by itself, but not if it hangs
        if process.exitcode == -signal.SIGALRM:
            limit = f"the {self._limit:g} minutes of MATINEE_TRAINING_MINUTES"
            return TrainerEndedError(f"the training took longer than {limit}, and its process was ended")
        outcome = "interrupted" if process.exitcode == -signal.SIGTERM else "failed"
        return TrainerEndedError(f"the process that trains {describe_exit(process.exitcode or 0)}", outcome)
