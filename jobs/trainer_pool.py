"""The process that trains: started for a run, kept for the next, ended when idle."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from jobs import trainer_process
from jobs.trainer_process import TrainingResult
from settings import Settings
from system.process import describe_exit, end_group

STOP_SECONDS = 4.0


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
        self._begin(trainer_process.train, run_id)

    def judge(self, experiment: str) -> None:
        """Begin to judge the settings of an experiment."""
        self._begin(trainer_process.judge, experiment)

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
            self._pool = ProcessPoolExecutor(1, self._context, trainer_process.prepare, self._given)
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
