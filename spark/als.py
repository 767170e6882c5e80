"""One fit of Spark's ALS: from columns in memory to columns in memory, by way of a file that the executors read."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import StatusTracker
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

from ranking.ratings import Floats, Ints
from settings import Settings
from spark.cluster import require_executors, watching
from spark.session_files import parquet_for_executors

STAGES_IMPLICIT, STAGES_EXPLICIT = 5, 3  # that one iteration runs, as counted
MAX_RATINGS_PER_BLOCK = 3_000_000  # ratings: while Spark builds a block, it holds several times its size

Columns = tuple[Ints, Ints, Floats]
"""User ids, movie ids and the values that are to be explained."""

Fitted = tuple[Floats, Ints, Floats]
"""The users' vectors, movie ids ascending, their factors."""


def fit(spark: SparkSession, settings: Settings, als: ALS, columns: Columns, report: Callable[[float], None]) -> Fitted:
    """Run ALS; call `report` with the share of it that is done, 0 to 1."""
    user, movie, value = columns
    cores = spark.sparkContext.defaultParallelism
    blocks = cores * max(1, -(-len(value) // (MAX_RATINGS_PER_BLOCK * cores)))  # a multiple, so that no core waits
    als = als.setUserCol("user").setItemCol("movie").setRatingCol("value").setNumBlocks(blocks)
    stages = als.getMaxIter() * (STAGES_IMPLICIT if als.getImplicitPrefs() else STAGES_EXPLICIT)
    with (
        parquet_for_executors(spark, settings, {"user": user, "movie": movie, "value": value}) as url,
        report_progress(spark, blocks * stages, report),
    ):
        fitted = als.fit(spark.read.parquet(url))
        _, vectors = _columns(fitted.userFactors.toArrow(), als.getRank())
        movies, factors = _columns(fitted.itemFactors.toArrow(), als.getRank())
    del fitted
    # Spark drops cached blocks and shuffle files when Java's garbage collector finds that nothing refers to them
    jvm: Any = spark.sparkContext._jvm
    jvm.java.lang.System.gc()
    return vectors, movies, factors


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


def in_catalogue_rows(factors: Floats, rated: Ints, movies: Ints) -> Floats:
    """Factors of the rated movies, put in the rows of the whole catalogue; zeros for the rest."""
    found = np.zeros((len(movies), factors.shape[1]), np.float32)
    found[np.searchsorted(movies, rated)] = factors
    return found


def _columns(table: pa.Table, rank: int) -> tuple[Ints, Floats]:
    """Spark's (id, features) rows as ids ascending [n] and float32 [n, rank]."""
    ids = table["id"].to_numpy()
    vectors = table["features"].combine_chunks().flatten().to_numpy().reshape(len(ids), rank)
    order = np.argsort(ids)
    return ids[order], vectors[order]
