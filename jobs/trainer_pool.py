"""The process that trains, as an executor of APScheduler: started for a run, kept for the next, ended when idle."""

import logging
import os
import signal
from collections.abc import Callable
from concurrent import futures
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any

from apscheduler.executors.pool import ProcessPoolExecutor

from jobs import trainer_process
from jobs.trainer_process import TrainingResult
from settings import Settings
from system.process import describe_exit, end_group

log = logging.getLogger(__name__)

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


class TrainerPool(ProcessPoolExecutor):  # type: ignore[misc] # APScheduler tells no types
    """One process; APScheduler replaces it when it has died.

    Attributes:
        train: a job: does the training of a queued run.
        judge: another: judges the settings of an experiment, by its name.
        results: how each job went, or why its process has ended.
    """

    train: Callable[[int], TrainingResult] = staticmethod(trainer_process.train)
    judge: Callable[[str], TrainingResult] = staticmethod(trainer_process.judge)

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._limit = settings.training_minutes
        self._closed = False
        self._context = _Remembering()
        self.results: SimpleQueue[TrainingResult | TrainerEndedError] = SimpleQueue()
        given = (settings, database_url, os.getpid())
        self._pool: futures.Executor
        super().__init__(1, {"mp_context": self._context, "initializer": trainer_process.prepare, "initargs": given})

    def start(self, scheduler: Any, alias: str) -> None:
        """Begin to take jobs of a scheduler; what APScheduler would log of an end of the process, `results` says."""
        super().start(scheduler, alias)
        self._logger.setLevel(logging.CRITICAL)

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
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._closed = True

    def _do_submit_job(self, job: Any, run_times: Any) -> None:
        if self._closed:
            self._pool, self._closed = futures.ProcessPoolExecutor(1, **self.pool_kwargs), False
        try:
            super()._do_submit_job(job, run_times)
        except OSError as error:  # no room for another process, as a rule
            self._pool.shutdown(wait=False, cancel_futures=True)  # else it would do the job with the next one
            self._closed = True
            self.results.put(TrainerEndedError(f"the process that trains could not be started: {error}"))
            raise

    def _run_job_success(self, job_id: str, events: Any) -> None:
        super()._run_job_success(job_id, events)
        self.results.put(events[0].retval)

    def _run_job_error(self, job_id: str, exc: BaseException, traceback: Any = None) -> None:
        super()._run_job_error(job_id, exc, traceback)
        self.results.put(self._why_ended(exc))

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
