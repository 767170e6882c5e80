"""A trainer in a thread of the test, in place of the process that `jobs.trainer_pool` keeps."""

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor

from jobs.trainer_pool import TrainerEndedError
from jobs.trainer_process import TrainingResult
from jobs.training import Trainer


def job_of(trainer: Trainer) -> Callable[[int], TrainingResult]:
    """What the process does for each queued run, done by this trainer."""

    def train(run_id: int) -> TrainingResult:
        try:
            return trainer.retrain(run_id)
        except Exception:  # noqa: BLE001 - its run says what it was
            return "failed"

    return train


def refuse(experiment: str) -> TrainingResult:
    """Judge no experiment."""
    return "rejected"


class ThreadTrainer(ThreadPoolExecutor):  # type: ignore[misc] # APScheduler tells no types
    """Does `train` for each queued run; `ends` counts how often its process would have been ended."""

    def __init__(self, train: Callable[[int], TrainingResult], judge: Callable[[str], TrainingResult] = refuse) -> None:
        super().__init__(1)
        self.train, self.judge = train, judge
        self.results: SimpleQueue[TrainingResult | TrainerEndedError] = SimpleQueue()
        self.alive = False
        self.ends = 0

    def end(self) -> None:
        """There is no process to end."""
        self.ends += self.alive
        self.alive = False

    def _run_job_success(self, job_id: str, events: Any) -> None:
        super()._run_job_success(job_id, events)
        self.alive = True
        self.results.put(events[0].exception or events[0].retval)
