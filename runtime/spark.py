"""A Spark session on a machine that was not prepared for one, and its end."""

import logging
import os
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

from pyspark import SparkContext, StatusTracker
from pyspark.sql import SparkSession

from runtime.java import java_home
from runtime.private_folder import make_private
from runtime.process import lives
from settings import ROOT, Settings

log = logging.getLogger(__name__)

STOP_SECONDS = 4.0
WATCH_SECONDS = 0.5
OUT_OF_MEMORY = (3, 52)  # how a JVM ends that is told to, and how Spark's executors end it
LOOPBACK = "127.0.0.1"
SUBMITTED = "PYSPARK_GATEWAY_PORT"  # set by spark-submit, whose JVM is then ours to use but not to end


def open_session(settings: Settings) -> SparkSession:
    """Start a JVM, unless spark-submit brought one, and a session with the project's own modules on its executors."""
    began = time.monotonic()
    os.environ["PYSPARK_PYTHON"] = os.environ.get("PYSPARK_PYTHON", sys.executable)
    if SUBMITTED not in os.environ:
        os.environ["JAVA_HOME"] = str(java_home(settings.state_dir, os.environ))
    work = _own_folder(shelf(settings))
    spark = _builder(settings, work).getOrCreate()
    context = spark.sparkContext
    context.setCheckpointDir(str(work / "checkpoints"))
    context.addPyFile(_own_modules(work))
    log.info("Spark %s on %s is ready after %.1f s", spark.version, context.master, time.monotonic() - began)
    return spark


def shelf(settings: Settings) -> Path:
    """Where the sessions of all processes keep their work."""
    return settings.state_dir / "spark"


def alive(spark: SparkSession) -> bool:
    """Whether the session still has its JVM."""
    try:
        return not spark.sparkContext._jsc.sc().isStopped()
    except Exception:  # noqa: BLE001 - a JVM that is gone answers in many ways, all of which mean no
        return False


def why_ended(heap: str) -> str:
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
    return "Spark's JVM ended in the middle of it" + ("" if status is None else f" with status {status}")


def told_by_java(error: Exception) -> str:
    """What went wrong, without the line before it that names a call and the stack after it."""
    text = str(error)
    return (text.partition("\n: ")[2] or text).partition("\n")[0]


def close_session(spark: SparkSession) -> None:
    """Stop the session and end its JVM, dead or alive, so that a new one can be opened."""
    process: subprocess.Popen[bytes] | None = getattr(SparkContext._gateway, "proc", None)
    try:
        if alive(spark):
            spark.stop()
    except Exception as error:  # noqa: BLE001 - the JVM may go while it is asked to
        log.warning("Spark did not stop in order: %s", error)
    if process is not None:
        _end(process)
        # pyspark holds on to the first JVM for ever; without this the next session would talk to a dead one
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = None


@contextmanager
def watched(spark: SparkSession, tasks: int, report: Callable[[float], None]) -> Iterator[None]:
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
    )
    if SUBMITTED not in os.environ:
        builder = builder.master(settings.spark_master)
        if settings.spark_master.startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
            builder = builder.config("spark.driver.host", LOOPBACK).config("spark.driver.bindAddress", LOOPBACK)
    return builder


def _own_folder(folders: Path) -> Path:
    """An empty folder for this process; those of processes that are gone are cleared away."""
    own = folders / str(os.getpid())
    for folder in folders.glob("[0-9]*"):
        if folder == own or not lives(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
    make_private(folders.parent)
    own.mkdir(mode=0o700, parents=True)
    return own


def _own_modules(work: Path) -> str:
    """A zip of what runs on executors; they import it as `scoring` and `settings`."""
    modules = work / "modules"
    shutil.copytree(ROOT / "scoring", modules / "scoring", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "settings.py", modules)
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
