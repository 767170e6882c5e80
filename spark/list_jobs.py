"""The lists of many users, made where Spark's executors are and handed over piece by piece."""

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

# the histories and lists of a task go through the JVM as one message
MAX_RATINGS_PER_TASK, MAX_USERS_PER_TASK = 1_000_000, 12_500
CONCURRENT_JOBS = 2  # while one of them ends, and its lists are taken, the other keeps the cores busy


def compute_lists(spark: SparkSession, factors: Factors, histories: Histories, n: int) -> Iterator[ListColumns]:
    """Yield the lists of all users of `histories`, in batches, in their order.

    Only as many batches are computed ahead as keep Spark busy. When the caller stops, or gets an error, all jobs end.
    """
    context = spark.sparkContext
    cores = context.defaultParallelism
    pieces = iter(histories.pieces(_tasks(histories, cores)))
    jobs = iter(lambda: list(islice(pieces, cores)), [])

    def make(pieces: list[Histories]) -> ListColumns:
        context.setJobGroup(group, "lists")
        # arrays pass through the JVM as they are; the rows of a table keep it busy for half as long as the lists take
        tasks = context.parallelize(pieces, len(pieces))
        return concatenate_lists(tasks.map(lambda piece: rank_locally(shared.value, piece, n)).collect())

    with _shared(context, factors) as shared, _threads(context) as (pool, group):
        going = deque(pool.submit(make, job) for job in islice(jobs, CONCURRENT_JOBS))
        while going:
            done = going.popleft().result()
            going.extend(pool.submit(make, job) for job in islice(jobs, 1))
            yield done


def _tasks(histories: Histories, cores: int) -> int:
    """Return the number of tasks: as few as their limits allow, and the same number for each core."""
    wanted = max(-(-len(histories) // MAX_USERS_PER_TASK), -(-len(histories.movies) // MAX_RATINGS_PER_TASK), 1)
    return -(-wanted // cores) * cores


@contextmanager
def _shared(context: SparkContext, factors: Factors) -> Iterator[Broadcast[Factors]]:
    """Yield factors that the executors have during the block."""
    shared = context.broadcast(factors)
    try:
        yield shared
    finally:
        with suppress(Exception):  # the JVM may be gone
            shared.destroy()


@contextmanager
def _threads(context: SparkContext) -> Iterator[tuple[ThreadPoolExecutor, str]]:
    """Yield threads, and the job group of what they run; its jobs end with the block."""
    group = uuid.uuid4().hex
    with ThreadPoolExecutor(CONCURRENT_JOBS, "spark-lists") as pool:
        try:
            yield pool, group
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            with suppress(Exception):  # as above
                context.cancelJobGroup(group)
