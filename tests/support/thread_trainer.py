"""A trainer in a thread of the test, in place of the process that `jobs.trainer_process` keeps."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

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


class ThreadTrainer:
    """Does `train` for each queued run; `ends` counts how often its process would have been ended."""

    def __init__(self, train: Callable[[int], TrainingResult], judge: Callable[[str], TrainingResult] = refuse) -> None:
        self._train, self._judge = train, judge
        self._threads = ThreadPoolExecutor(1)
        self._job: Future[TrainingResult] | None = None
        self.alive = False
        self.ends = 0

    def train(self, run_id: int) -> None:
        self._job = self._threads.submit(self._train, run_id)

    def judge(self, experiment: str) -> None:
        self._job = self._threads.submit(self._judge, experiment)

    def result(self) -> Any:
        if self._job is None or not self._job.done():
            return None
        job, self._job = self._job, None
        self.alive = True
        return job.exception() or job.result()

    def end(self) -> None:
        """There is no process to end."""
        self.ends += self.alive
        self.alive = False
