"""Fit Spark's ALS to columns in memory, which executors read from a Parquet file, and return columns."""

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
from spark.cluster import polling, require_executors
from spark.session_files import parquet_for_executors

STAGES_IMPLICIT, STAGES_EXPLICIT = 5, 3  # stages in an iteration, by observation
MAX_RATINGS_PER_BLOCK = 3_000_000  # because Spark uses several times the size of a block while it builds it

Columns = tuple[Ints, Ints, Floats]
"""User ids, movie ids and the values to fit."""

Fitted = tuple[Floats, Ints, Floats]
"""The users' vectors, the movie ids (ascending), and the movies' factors."""


def fit(spark: SparkSession, settings: Settings, als: ALS, columns: Columns, report: Callable[[float], None]) -> Fitted:
    """Run ALS; call `report` with the completed share, 0 to 1."""
    user, movie, value = columns
    cores = spark.sparkContext.defaultParallelism
    blocks = cores * max(1, -(-len(value) // (MAX_RATINGS_PER_BLOCK * cores)))  # a multiple of cores: none is idle
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
    # Spark deletes cached blocks and shuffle files only when Java's garbage collector frees their references
    jvm: Any = spark.sparkContext._jvm
    jvm.java.lang.System.gc()
    return vectors, movies, factors


@contextmanager
def report_progress(spark: SparkSession, tasks: int, report: Callable[[float], None]) -> Iterator[None]:
    """Report the completed share, 0 to 1, of about `tasks` Spark tasks that this thread starts in the block."""
    group = uuid.uuid4().hex
    spark.sparkContext.setJobGroup(group, "matinee")
    tracker = spark.sparkContext.statusTracker()
    ended: dict[int, int] = {}

    def poll() -> None:
        running = 0
        for job in tracker.getJobIdsForGroup(group):
            if job not in ended:
                done, finished = _tasks_done(tracker, job)
                ended.update({job: done} if finished else {})
                running += 0 if finished else done
        report(min(1.0, (sum(ended.values()) + running) / tasks))

    report(0.0)
    with polling(poll), require_executors(spark):
        yield
    report(1.0)


def _tasks_done(tracker: StatusTracker, job: int) -> tuple[int, bool]:
    """Return the number of finished tasks of a job, and whether the job has ended."""
    known = tracker.getJobInfo(job)
    if known is None:
        return 0, False
    stages = [tracker.getStageInfo(stage) for stage in known.stageIds]
    return sum(stage.numCompletedTasks for stage in stages if stage), known.status != "RUNNING"


def in_catalogue_rows(factors: Floats, rated: Ints, movies: Ints) -> Floats:
    """Return the factors of the rated movies in the rows of the whole catalogue; zeros for the other movies."""
    found = np.zeros((len(movies), factors.shape[1]), np.float32)
    found[np.searchsorted(movies, rated)] = factors
    return found


def _columns(table: pa.Table, rank: int) -> tuple[Ints, Floats]:
    """Return Spark's (id, features) rows as ascending ids [n] and features, float32 [n, rank]."""
    ids = table["id"].to_numpy()
    vectors = table["features"].combine_chunks().flatten().to_numpy().reshape(len(ids), rank)
    order = np.argsort(ids)
    return ids[order], vectors[order]
