"""The training process: its jobs, and the pool that starts, keeps and ends it.

Spark, the ratings and the arithmetic over them are in this process, so that no request waits for them; it has a low
priority, so that serving processes come first. Large modules are imported only in it.
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
"""The outcome of a job; "away": it failed because PostgreSQL cannot be reached."""

_trainers: "list[Trainer]" = []  # the trainer of this process, which keeps its Spark session between training runs


def prepare(settings: Settings, database_url: str, parent: int) -> None:
    """Set up the training process: it ends with its parent, and leads a process group of all that it starts."""
    os.setsid()  # Ctrl-C on a terminal reaches only the first process, which then ends this one
    die_with_parent(signal.SIGKILL, parent)
    os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    # Where Linux divides the cores among sessions first (sched_autogroup), that counts only within ours. A session has
    # a niceness too. Staying in the server's session would help less: PostgreSQL's processes have their own.
    with suppress(OSError):  # a system without such groups; or, unless root, a tenth of a second after another change
        Path("/proc/self/autogroup").write_text(str(NICE))
    log_to_stderr(settings.log_level, settings.log_format)
    logging.getLogger("live_model").setLevel(logging.WARNING)  # the serving processes log generations
    log_uncaught()
    give_back_large_blocks()
    _trainers.append(_make_trainer(settings, database_url))


def train(run_id: int) -> TrainingResult:
    """Run a queued training run; the kernel ends this process at the time limit."""
    try:
        with _within_time_limit() as trainer:
            return trainer.retrain(run_id)
    except DatabaseUnavailableError as error:
        log.error("the training run failed: the database is unavailable: %s", error)
        return "away"
    except Exception:
        log.exception("the training run failed; the live generation keeps serving")
        return "failed"


def judge(experiment: str) -> TrainingResult:
    """Evaluate the settings of an experiment on the held-out users, unless another process trains or evaluates."""
    from jobs import experiments

    try:
        with _within_time_limit() as trainer, trainer.database.try_lock(TRAINING_LOCK) as locked:
            if not locked:
                return "busy"
            experiments.judge(trainer.database, trainer.settings, experiment)
            return "done"
    except DatabaseUnavailableError as error:
        log.error("experiment %s is evaluated later: the database is unavailable: %s", experiment, error)
        return "away"
    except Exception as error:
        log.debug("experiment %s is refused", experiment, exc_info=error)
        return "rejected"


@contextmanager
def _within_time_limit() -> "Iterator[Trainer]":
    """Yield the trainer; SIGALRM, which has no handler, ends this process if the block exceeds the time limit."""
    (trainer,) = _trainers
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
    """The training process died during a job, or could not be started; the message says why.

    `outcome` is for its run: "interrupted" if an operator or the system ended the process, else "failed".
    """

    def __init__(self, reason: str, outcome: str = "failed") -> None:
        super().__init__(reason)
        self.outcome = outcome


class _TrackingContext(SpawnContext):
    """Starts processes like its base class, and keeps a reference to the newest."""

    newest: BaseProcess | None = None

    def Process(self, *args: Any, **kwargs: Any) -> BaseProcess:  # type: ignore[override]
        self.newest = super().Process(*args, **kwargs)
        return self.newest


class TrainerPool:
    """A pool of one process, which starts with the first job, stays for the next ones, and is replaced when it dies.

    The kernel ends the process with the thread that began its first job.
    """

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._limit = settings.training_minutes
        self._initargs = settings, database_url, os.getpid()
        self._context = _TrackingContext()
        self._pool: ProcessPoolExecutor | None = None
        self._job: Future[TrainingResult] | None = None

    def train(self, run_id: int) -> None:
        """Begin a queued training run."""
        self._begin(train, run_id)

    def judge(self, experiment: str) -> None:
        """Begin the evaluation of an experiment's settings."""
        self._begin(judge, experiment)

    def result(self) -> TrainingResult | TrainerEndedError | None:
        """Return the outcome of the job, or why its process died, exactly once; None while it runs or without a job."""
        if self._job is None or not self._job.done():
            return None
        job, self._job = self._job, None
        error = job.exception()
        if error is None:
            return job.result()
        self._pool = None
        return error if isinstance(error, TrainerEndedError) else self._ended_error(error)

    @property
    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._context.newest is not None and self._context.newest.is_alive()

    def end(self) -> None:
        """End the process, its JVM and all their children; the next job starts another process."""
        process, self._context.newest = self._context.newest, None
        if process is not None and process.pid is not None:
            end_group(process.pid, STOP_SECONDS)
            process.kill()  # a new process may not lead its group yet
        pool, self._pool, self._job = self._pool, None, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, job: Callable[[Any], TrainingResult], argument: object) -> None:
        if self._pool is None or not self.alive:
            self._pool = ProcessPoolExecutor(1, self._context, prepare, self._initargs)
        try:
            self._job = self._pool.submit(job, argument)
        except (OSError, BrokenExecutor) as error:  # usually no memory for another process
            self._pool.shutdown(wait=False, cancel_futures=True)  # else it would run the job later
            self._job = Future()
            self._job.set_exception(TrainerEndedError(f"the training process could not be started: {error}"))

    def _ended_error(self, error: BaseException) -> TrainerEndedError:
        process = self._context.newest
        if process is None or process.pid is None:
            return TrainerEndedError(f"the training process has ended: {error}")
        process.join(STOP_SECONDS)
        end_group(process.pid, STOP_SECONDS)  # its JVM ends by itself, but not if it hangs
        if process.exitcode == -signal.SIGALRM:
            limit = f"the {self._limit:g} minutes of MATINEE_TRAINING_MINUTES"
            return TrainerEndedError(f"the training run took longer than {limit}, and its process was ended")
        outcome = "interrupted" if process.exitcode == -signal.SIGTERM else "failed"
        return TrainerEndedError(f"the training process {describe_exit(process.exitcode or 0)}", outcome)
