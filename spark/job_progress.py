"""Progress of Spark jobs, for work that consists of many of them."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pyspark import StatusTracker
from pyspark.sql import SparkSession

from spark.cluster import require_executors

WATCH_SECONDS = 0.5


@contextmanager
def report_progress(spark: SparkSession, tasks: int, report: Callable[[float], None]) -> Iterator[None]:
    """Report the share, 0 to 1, of about `tasks` Spark tasks that this thread starts in the block."""
    group = uuid.uuid4().hex
    spark.sparkContext.setJobGroup(group, "matinee")
    over = threading.Event()

    def watch() -> None:
        tracker = spark.sparkContext.statusTracker()
        settled: dict[int, int] = {}
        with suppress(Exception):  # the JVM may end at any time; the thread that waits for its work gets the error
            while not over.wait(WATCH_SECONDS):
                running = 0
                for job in tracker.getJobIdsForGroup(group):
                    if job not in settled:
                        done, finished = _tasks_done(tracker, job)
                        settled |= {job: done} if finished else {}
                        running += 0 if finished else done
                report(min(1.0, (sum(settled.values()) + running) / tasks))

    watcher = threading.Thread(target=watch, name="spark-progress", daemon=True)
    report(0.0)
    watcher.start()
    try:
        with require_executors(spark):
            yield
    finally:
        over.set()
        watcher.join()
    report(1.0)


def _tasks_done(tracker: StatusTracker, job: int) -> tuple[int, bool]:
    """Return the tasks that a job has finished, and whether the job has ended."""
    known = tracker.getJobInfo(job)
    if known is None:
        return 0, False
    stages = [tracker.getStageInfo(stage) for stage in known.stageIds]
    return sum(stage.numCompletedTasks for stage in stages if stage), known.status != "RUNNING"
