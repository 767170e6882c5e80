"""Compute the lists of many users on Spark's executors, in batches."""

import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice

from pyspark import Broadcast, SparkContext
from pyspark.sql import SparkSession

from ranking.batch_lists import ListColumns, concatenate_lists, rank_locally
from ranking.factors import Factors
from ranking.rating_histories import Histories

# limits of a task, whose histories and lists pass through the JVM as one message
MAX_RATINGS_PER_TASK, MAX_USERS_PER_TASK = 1_000_000, 12_500
CONCURRENT_JOBS = 2  # while one job ends and its lists are stored, the other keeps the cores busy


def compute_lists(spark: SparkSession, factors: Factors, histories: Histories, n: int) -> Iterator[ListColumns]:
    """Yield the lists of all users of `histories`, in batches, in order.

    Computes only as many batches ahead as keep Spark busy. All jobs end when the caller stops or gets an error.
    """
    context = spark.sparkContext
    cores = context.defaultParallelism
    pieces = iter(histories.pieces(_tasks(histories, cores)))
    jobs = iter(lambda: list(islice(pieces, cores)), [])

    def compute(pieces: list[Histories]) -> ListColumns:
        context.setJobGroup(group, "lists")
        # the JVM passes arrays on unchanged; rows of a DataFrame would cost it half of the time of the lists
        tasks = context.parallelize(pieces, len(pieces))
        return concatenate_lists(tasks.map(lambda piece: rank_locally(shared.value, piece, n)).collect())

    with _shared(context, factors) as shared, _threads(context) as (pool, group):
        pending = deque(pool.submit(compute, job) for job in islice(jobs, CONCURRENT_JOBS))
        while pending:
            done = pending.popleft().result()
            pending.extend(pool.submit(compute, job) for job in islice(jobs, 1))
            yield done


def _tasks(histories: Histories, cores: int) -> int:
    """Return the number of tasks: the least that the limits allow, and the same number for each core."""
    wanted = max(-(-len(histories) // MAX_USERS_PER_TASK), -(-len(histories.movies) // MAX_RATINGS_PER_TASK), 1)
    return -(-wanted // cores) * cores


@contextmanager
def _shared(context: SparkContext, factors: Factors) -> Iterator[Broadcast[Factors]]:
    """Yield the factors as a broadcast variable that exists during the block."""
    shared = context.broadcast(factors)
    try:
        yield shared
    finally:
        with suppress(Exception):  # the JVM may have ended
            shared.destroy()


@contextmanager
def _threads(context: SparkContext) -> Iterator[tuple[ThreadPoolExecutor, str]]:
    """Yield a thread pool and the job group for its jobs, which end with the block."""
    group = uuid.uuid4().hex
    with ThreadPoolExecutor(CONCURRENT_JOBS, "spark-lists") as pool:
        try:
            yield pool, group
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            with suppress(Exception):  # the JVM may have ended
                context.cancelJobGroup(group)
