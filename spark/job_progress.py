"""Progress of Spark jobs, for work that consists of many of them."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark import StatusTracker
from pyspark.sql import SparkSession

from spark.cluster import require_executors, watching


@contextmanager
def report_progress(spark: SparkSession, tasks: int, report: Callable[[float], None]) -> Iterator[None]:
    """Report the share, 0 to 1, of about `tasks` Spark tasks that this thread starts in the block."""
    group = uuid.uuid4().hex
    spark.sparkContext.setJobGroup(group, "matinee")
    tracker = spark.sparkContext.statusTracker()
    settled: dict[int, int] = {}

    def look() -> None:
        running = 0
        for job in tracker.getJobIdsForGroup(group):
            if job not in settled:
                done, finished = _tasks_done(tracker, job)
                settled.update({job: done} if finished else {})
                running += 0 if finished else done
        report(min(1.0, (sum(settled.values()) + running) / tasks))

    report(0.0)
    with watching(look), require_executors(spark):
        yield
    report(1.0)


def _tasks_done(tracker: StatusTracker, job: int) -> tuple[int, bool]:
    """Return the tasks that a job has finished, and whether the job has ended."""
    known = tracker.getJobInfo(job)
    if known is None:
        return 0, False
    stages = [tracker.getStageInfo(stage) for stage in known.stageIds]
    return sum(stage.numCompletedTasks for stage in stages if stage), known.status != "RUNNING"
