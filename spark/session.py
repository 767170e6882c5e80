"""A Spark session on a machine that was not prepared for one, and its end."""

import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyspark
from pyspark import SparkContext, StatusTracker
from pyspark.sql import SparkSession

from settings import ROOT, Settings
from spark.cluster import (
    WAIT_SECONDS,
    ClusterError,
    check_executors,
    executors,
    is_local,
    require_executors,
    require_reachable_master,
)
from spark.java import java_home
from spark.session_files import prepare_storage, shared_folder, shared_url, spark_work_dir
from system.memory import Heap
from system.private_folder import make_process_folder
from system.process import SUBMITTED

log = logging.getLogger(__name__)

STOP_SECONDS = 4.0
WATCH_SECONDS = 0.5
OUT_OF_MEMORY = (3, 52)  # how a JVM ends that is told to, and how Spark's executors end it
LOOPBACK = "127.0.0.1"


def open_session(settings: Settings) -> SparkSession:
    """Start a JVM, unless spark-submit brought one, and a session with the project's own modules on its executors.

    Raises `ClusterError` where a cluster cannot work for us.
    """
    began = time.monotonic()
    require_reachable_master(settings.spark_master)
    os.environ["PYSPARK_PYTHON"] = settings.spark_python or sys.executable
    if SUBMITTED not in os.environ:
        os.environ["JAVA_HOME"] = str(java_home(settings.state_dir, os.environ))
    else:
        _stop_leftover_context()
    work = make_process_folder(spark_work_dir(settings))
    spark = _start_session(settings, work)
    try:
        _prepare(spark, settings, work)
    except BaseException:
        close_session(spark)  # else the next one to be opened would be this one
        raise
    words = (spark.version, spark.sparkContext.master, time.monotonic() - began, executors(spark))
    log.info("Spark %s on %s is ready after %.1f s, executors: %d", *words)
    return spark


def _stop_leftover_context() -> None:
    """Stop the context that a process of ours which is gone has left in spark-submit's JVM: it takes one at a time."""
    SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    companion = getattr(jvm, "org.apache.spark.SparkContext$")  # Scala's object, which the class does not show
    left = getattr(companion, "MODULE$").getActive()
    if left.isDefined():
        left.get().stop()


def _start_session(settings: Settings, work: Path) -> SparkSession:
    try:
        return _builder(settings, work).getOrCreate()
    except Exception as error:
        if settings.spark_master.startswith("local"):
            raise
        raise ClusterError(
            f"{settings.spark_master} does not take us ({java_error_message(error)}); has it Spark {pyspark.__version__}, "
            "and the spark.authenticate.secret that we have, if any?"
        ) from error


def _prepare(spark: SparkSession, settings: Settings, work: Path) -> None:
    context = spark.sparkContext
    context.addPyFile(_zip_modules(work))
    prepare_storage(spark, settings)
    context.setCheckpointDir(f"{shared_url(settings)}/checkpoints")
    if not is_local(spark):
        with require_executors(spark):
            check_executors(spark, shared_folder(settings))


def alive(spark: SparkSession) -> bool:
    """Whether the session still has its JVM, and has not been ended there by its cluster."""
    return _is_stopped(spark) is False


def can_run_jobs(spark: SparkSession) -> bool:
    """Whether the session is alive and somebody works for it."""
    try:
        return alive(spark) and executors(spark) > 0
    except Exception:  # noqa: BLE001 - as in `_is_stopped`
        return False


def _is_stopped(spark: SparkSession) -> bool | None:
    """Whether the session has been stopped; None without a JVM to know."""
    try:
        return bool(spark.sparkContext._jsc.sc().isStopped())
    except Exception:  # noqa: BLE001 - a JVM that is gone answers in many ways
        return None


def jvm_heap() -> Heap | None:
    """The memory of the JVM that this process talks to; None if that is gone."""
    gateway: Any = SparkContext._gateway
    process: subprocess.Popen[bytes] | None = getattr(gateway, "proc", None)
    try:
        java = gateway.jvm.java.lang.Runtime.getRuntime()
        used, most = java.totalMemory() - java.freeMemory(), java.maxMemory()
    except Exception:  # noqa: BLE001 - as in `alive`
        return None
    return Heap(used, most, process.pid if process else None)


def free_jvm_memory(spark: SparkSession) -> None:
    """Have the JVM drop what a fit has left behind, and return the memory, which other work of this process needs.

    Spark forgets cached blocks and files of a shuffle when Java's collector finds that nothing refers to them.
    """
    jvm: Any = spark.sparkContext._jvm
    jvm.java.lang.System.gc()


def exit_reason(heap: str) -> str:
    """Why the JVM that this process started has ended, in an operator's words."""
    process: subprocess.Popen[bytes] | None = getattr(SparkContext._gateway, "proc", None)
    try:
        status = process.wait(STOP_SECONDS) if process is not None else None
    except subprocess.TimeoutExpired:
        status = None
    if status in OUT_OF_MEMORY:
        return f"Spark's JVM ran out of memory with a heap of {heap}; set MATINEE_SPARK_DRIVER_MEMORY to more"
    if status is not None and status in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return "Spark's JVM was killed, as the system does when its memory runs out"
    if status is None and process is not None:
        return "the cluster ended Spark's session"
    return "Spark's JVM ended in the middle of it" + ("" if status is None else f" with status {status}")


def java_error_message(error: Exception) -> str:
    """What went wrong, without the line before it that names a call and the stack after it."""
    text = str(error)
    return (text.partition("\n: ")[2] or text).partition("\n")[0]


def close_session(spark: SparkSession) -> None:
    """Stop the session and end its JVM, dead or alive, so that a new one can be opened."""
    process: subprocess.Popen[bytes] | None = getattr(SparkContext._gateway, "proc", None)
    try:
        if _is_stopped(spark) is not None:
            spark.stop()
    except Exception as error:  # noqa: BLE001 - the JVM may go while it is asked to
        log.warning("Spark did not stop in order: %s", error)
    if process is not None:
        _end(process)
        # pyspark holds on to the first JVM for ever; without this the next session would talk to a dead one
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = None


@contextmanager
def report_progress(spark: SparkSession, tasks: int, report: Callable[[float], None]) -> Iterator[None]:
    """Report how much of about `tasks` Spark tasks, started by this thread in the block, is done: 0 to 1."""
    group = uuid.uuid4().hex
    spark.sparkContext.setJobGroup(group, "matinee")
    over = threading.Event()

    def watch() -> None:
        tracker = spark.sparkContext.statusTracker()
        settled: dict[int, int] = {}
        with suppress(Exception):  # the JVM may go at any time; who waits for its work will hear of it
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
    """Tasks that a job has finished, and whether it is at its end."""
    known = tracker.getJobInfo(job)
    if known is None:
        return 0, False
    stages = [tracker.getStageInfo(stage) for stage in known.stageIds]
    return sum(stage.numCompletedTasks for stage in stages if stage), known.status != "RUNNING"


def _builder(settings: Settings, work: Path) -> SparkSession.Builder:
    builder = (
        SparkSession.builder.appName("matinee")
        .config("spark.driver.memory", settings.spark_driver_memory)
        # a JVM without memory limps on: its threads end one by one, and what waits for them waits for ever
        .config("spark.driver.defaultJavaOptions", "-XX:+ExitOnOutOfMemoryError")
        .config("spark.local.dir", str(work / "local"))
        .config("spark.sql.warehouse.dir", str(work / "warehouse"))
        .config("spark.log.level", "ERROR")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.executorEnv.OPENBLAS_NUM_THREADS", "1")
        .config(WAIT_SECONDS, settings.spark_wait_seconds)
        # a fit leaves its last checkpoint behind, and a session lives for many fits
        .config("spark.cleaner.referenceTracking.cleanCheckpoints", "true")
    )
    if SUBMITTED not in os.environ:
        builder = builder.master(settings.spark_master)
        if settings.spark_master.startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
            builder = builder.config("spark.driver.host", LOOPBACK).config("spark.driver.bindAddress", LOOPBACK)
    for name, _, value in (word.partition("=") for word in shlex.split(settings.spark_conf)):
        builder = builder.config(name, value)
    return builder


def _zip_modules(work: Path) -> str:
    """A zip of what runs on executors; they import it as `ranking` and `settings`."""
    modules = work / "modules"
    shutil.copytree(ROOT / "ranking", modules / "ranking", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "settings.py", modules)
    (modules / "system").mkdir()
    for name in ("__init__.py", "setting_values.py"):  # what settings.py imports
        shutil.copy(ROOT / "system" / name, modules / "system")
    return shutil.make_archive(str(work / "matinee"), "zip", modules)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
