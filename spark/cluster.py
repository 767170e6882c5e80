"""Check a Spark cluster: its master, the Python and packages of its executors, and how long to wait for executors."""

import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile

from pyspark.sql import SparkSession

from settings import OperatorError

STANDALONE = "spark://"
REACH_SECONDS = 5.0
WAIT_SECONDS = "spark.matinee.waitSeconds"  # a setting in the session: how long to wait without executors
POLL_SECONDS = 0.5
SETTLE_SECONDS = 1.0  # executors that start together register one after the other
PACKAGES = ("numpy", "scipy", "pyarrow")
# what Spark and Python report, within a long text, about an incompatible Python on an executor
INCOMPATIBLE_PYTHON = re.compile(
    r"\[PYTHON_VERSION_MISMATCH\][^\n]*|Cannot run program \"[^\n]*|ModuleNotFoundError: [^\n]*"
)


class EngineError(OperatorError):
    """Spark cannot start or train; the message says why and what to do about it."""


def require_reachable_master(master: str) -> None:
    """Raise `EngineError` unless a standalone master listens; Spark itself would retry for a minute."""
    if not master.startswith(STANDALONE):
        return
    refusals = []
    for address in master.removeprefix(STANDALONE).split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
        except (OSError, ValueError) as error:
            refusals.append(f"{address}: {getattr(error, 'strerror', None) or error}")
        else:
            return
    raise EngineError(f"no Spark master answers ({'; '.join(refusals)}); start it, or correct MATINEE_SPARK_MASTER")


def is_local(spark: SparkSession) -> bool:
    """Return whether the driver is the only executor."""
    return str(spark.sparkContext.master).startswith("local")


def executors(spark: SparkSession) -> int:
    """Return the number of executors of a session now; 1 for a local one, whose driver is the executor."""
    known = int(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size())
    return known if is_local(spark) else known - 1


@contextmanager
def polling(poll: Callable[[], None]) -> Iterator[None]:
    """Call `poll` every half second, in a thread, while the block waits for Spark."""
    ended = threading.Event()

    def run() -> None:
        with suppress(Exception):  # if the JVM ends, the thread in the block gets the error
            while not ended.wait(POLL_SECONDS):
                poll()

    thread = threading.Thread(target=run, name="spark-poll", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def require_executors(spark: SparkSession) -> Iterator[None]:
    """Cancel the jobs of the block and raise `EngineError` if there is no executor for too long.

    Spark itself waits forever, and a restarted master forgets its applications without notice.
    """
    seconds, last_seen, given_up = float(str(spark.conf.get(WAIT_SECONDS))), time.monotonic(), False

    def poll() -> None:
        nonlocal last_seen, given_up
        if executors(spark):
            last_seen = time.monotonic()
        elif time.monotonic() - last_seen > seconds:
            given_up = True
            spark.sparkContext.cancelAllJobs()

    try:
        with polling(poll):
            yield
    except Exception as error:
        if given_up:
            raise _no_executors_error(spark, seconds) from error
        raise


def check_executors(spark: SparkSession, folder: Path | None) -> None:
    """Raise `EngineError` unless the executors have this Python and its packages and can write to `folder`."""
    context, find_problems = spark.sparkContext, _problem_finder(folder)
    try:
        context.parallelize([0], 1).map(find_problems).collect()  # waits for the first executor
        _wait_for_others(spark)
        tasks = 2 * context.defaultParallelism
        _reject_unfit_executors(context.parallelize(range(tasks), tasks).map(find_problems).collect())
    except EngineError:
        raise
    except Exception as error:
        if match := INCOMPATIBLE_PYTHON.search(str(error)):
            raise EngineError(f"executors cannot run Matinee's code: {match[0]}; {_advice()}") from error
        raise


def _problem_finder(folder: Path | None) -> Callable[[int], tuple[str, list[str]]]:
    """Return the function that reports an executor's host and problems; there it has only `ranking` and `settings`."""
    versions = {name: version(name) for name in PACKAGES}

    def problems(_: int) -> tuple[str, list[str]]:
        faults = []
        for name, ours in versions.items():
            try:
                theirs = version(name)
            except PackageNotFoundError:
                theirs = "missing"
            if theirs != ours:
                faults.append(f"{name} is {theirs} there and {ours} here; PYSPARK_PYTHON names the Python to run")
        try:
            if folder is not None:
                TemporaryFile(dir=folder).close()
        except OSError as error:
            advice = "set MATINEE_SPARK_STORAGE to a folder that all machines mount for the same user, or to a URL"
            faults.append(f"it cannot write to {folder} ({error.strerror}); {advice}")
        return socket.gethostname(), faults

    return problems


def _wait_for_others(spark: SparkSession) -> None:
    before = 0
    while (now := executors(spark)) > before:
        before = now
        time.sleep(SETTLE_SECONDS)


def _reject_unfit_executors(answers: Iterable[tuple[str, list[str]]]) -> None:
    refusals = sorted({f"{host}: {problem}" for host, problems in answers for problem in problems})
    if refusals:
        raise EngineError(f"executors cannot work with this service: {'. '.join(refusals)}")


def _advice() -> str:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"set PYSPARK_PYTHON to a Python {python} that every worker has, with the packages of requirements.txt"


def _no_executors_error(spark: SparkSession, seconds: float) -> EngineError:
    return EngineError(
        f"{spark.sparkContext.master} gave no executor for {seconds:g} s; is a worker up that has a free core and as "
        "much free memory as spark.executor.memory asks for? MATINEE_SPARK_WAIT_SECONDS is how long to wait"
    )
