"""Start, check and close Spark sessions."""

import logging
import os
import pwd
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyspark
from pyspark import SparkContext
from pyspark.sql import SparkSession

from settings import Settings
from spark.cluster import (
    WAIT_SECONDS,
    EngineError,
    check_executors,
    executors,
    is_local,
    require_executors,
    require_reachable_master,
)
from spark.java import java_home, open_files_problem
from spark.jvm import start_jvm
from spark.session_files import prepare_storage, shared_folder, shared_url, spark_work_dir, zip_modules
from system.memory import Heap
from system.private_folder import make_process_folder
from system.process import SUBMITTED

log = logging.getLogger(__name__)

STOP_SECONDS = 4.0
OUT_OF_MEMORY = (3, 52)  # exit status of ExitOnOutOfMemoryError, and of Spark's executors
LOOPBACK = "127.0.0.1"
SPARK_VARIABLE = re.compile(r"(PY)?SPARK_")
# settings that an operator may change for a cluster or a network
KEPT_VARIABLES = {"PYSPARK_PYTHON", "SPARK_CONF_DIR", "SPARK_LOCAL_HOSTNAME", "SPARK_LOCAL_IP", "SPARK_PUBLIC_DNS"}


def open_session(settings: Settings) -> SparkSession:
    """Start a JVM, unless spark-submit has done so, and return a session whose executors have Matinee's modules.

    Raises `EngineError` if Spark does not start or its executors are unsuitable.
    """
    began = time.monotonic()
    if problem := open_files_problem():
        raise EngineError(problem)
    require_reachable_master(settings.spark_master)
    local = settings.spark_master.startswith("local")
    # use the packages of this environment; on a cluster `check_executors` compares them
    os.environ["PYSPARK_PYTHON"] = sys.executable if local else settings.spark_python or sys.executable
    if SUBMITTED not in os.environ:
        _drop_spark_variables()
        os.environ["JAVA_HOME"] = str(java_home(settings.state_dir, os.environ))
    else:
        _stop_leftover_context()
    work = make_process_folder(spark_work_dir(settings))
    spark = _start_session(settings, work)
    try:
        _prepare(spark, settings, work)
    except BaseException:
        close_session(spark)  # else the next call would return this one
        raise
    words = (spark.version, spark.sparkContext.master, time.monotonic() - began, executors(spark))
    log.info("Spark %s on %s is ready after %.1f s, executors: %d", *words)
    return spark


def _drop_spark_variables() -> None:
    """Remove variables for another Spark, such as PYSPARK_SUBMIT_ARGS, from the environment."""
    for name in [name for name in os.environ if SPARK_VARIABLE.match(name) and name not in KEPT_VARIABLES]:
        del os.environ[name]


def _stop_leftover_context() -> None:
    """Stop the context that an earlier process left in spark-submit's JVM, which allows one at a time."""
    SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    companion = getattr(jvm, "org.apache.spark.SparkContext$")  # Scala's companion object
    left = getattr(companion, "MODULE$").getActive()
    if left.isDefined():
        left.get().stop()


def _start_session(settings: Settings, work: Path) -> SparkSession:
    (work / "tmp").mkdir()
    try:
        builder = _builder(settings, work)
        if SUBMITTED not in os.environ:
            start_jvm(builder)
            _log_in_without_account()
        return builder.getOrCreate()
    except Exception as error:
        message = f"Spark does not start on {settings.spark_master} ({java_error_message(error)})"
        if conf := os.environ.get("SPARK_CONF_DIR"):
            message += f"; SPARK_CONF_DIR={conf} is set: unset it, or correct the files there"
        if not settings.spark_master.startswith("local"):
            message += (
                f"; does the cluster run Spark {pyspark.__version__}, with the same spark.authenticate.secret, if any?"
            )
        raise EngineError(message) from error


def _log_in_without_account() -> None:
    """Set a user name for Hadoop, which does not start without one, if the user id has none, as in OpenShift."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        jvm: Any = SparkContext._jvm
        users = jvm.org.apache.hadoop.security.UserGroupInformation
        users.setLoginUser(users.createRemoteUser("matinee"))


def _prepare(spark: SparkSession, settings: Settings, work: Path) -> None:
    context = spark.sparkContext
    context.addPyFile(zip_modules(work))
    prepare_storage(spark, settings)
    context.setCheckpointDir(f"{shared_url(settings)}/checkpoints")
    if not is_local(spark):
        with require_executors(spark):
            check_executors(spark, shared_folder(settings))


def alive(spark: SparkSession) -> bool:
    """Return whether the session's JVM runs and its cluster has not ended the session."""
    return _is_stopped(spark) is False


def can_run_jobs(spark: SparkSession) -> bool:
    """Return whether the session is alive and has executors."""
    try:
        return alive(spark) and executors(spark) > 0
    except Exception:  # noqa: BLE001 - as in `_is_stopped`
        return False


def _is_stopped(spark: SparkSession) -> bool | None:
    """Return whether the session has been stopped; None without a JVM."""
    try:
        return bool(spark.sparkContext._jsc.sc().isStopped())
    except Exception:  # noqa: BLE001 - a JVM that is gone answers in many ways
        return None


def jvm_heap() -> Heap | None:
    """Return the heap of the JVM of this process; None without one."""
    gateway: Any = SparkContext._gateway
    process: subprocess.Popen[bytes] | None = getattr(gateway, "proc", None)
    try:
        java = gateway.jvm.java.lang.Runtime.getRuntime()
        used, most = java.totalMemory() - java.freeMemory(), java.maxMemory()
    except Exception:  # noqa: BLE001 - as in `alive`
        return None
    return Heap(used, most, process.pid if process else None)


def exit_reason(heap: str) -> str:
    """Return why the JVM of this process has ended, as a message for an operator."""
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
    return "Spark's JVM ended during the training" + ("" if status is None else f" with status {status}")


def java_error_message(error: Exception) -> str:
    """Return the message of a Java error, without the call before it and the stack trace after it."""
    text = str(error)
    return (text.partition("\n: ")[2] or text).partition("\n")[0]


def close_session(spark: SparkSession) -> None:
    """Stop the session and end its JVM, so that a new one can be opened."""
    process: subprocess.Popen[bytes] | None = getattr(SparkContext._gateway, "proc", None)
    try:
        if _is_stopped(spark) is not None:
            spark.stop()
    except Exception as error:  # noqa: BLE001 - the JVM may go while it is asked to
        log.warning("Spark did not stop in order: %s", error)
    if process is not None:
        _end(process)
        # pyspark never forgets its first JVM: without this, the next session would use a dead one
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = None


def _builder(settings: Settings, work: Path) -> SparkSession.Builder:
    builder = (
        SparkSession.builder.appName("matinee")
        .config("spark.driver.memory", settings.spark_driver_memory)
        # exit when out of memory, because otherwise threads end one by one and others wait for them forever
        # own folders for home and temporary files: the account may have none, or one mounted noexec
        .config(
            "spark.driver.defaultJavaOptions",
            f'-XX:+ExitOnOutOfMemoryError "-Djava.io.tmpdir={work / "tmp"}" "-Duser.home={work}"',
        )
        .config("spark.jars.ivy", str(work / "ivy"))
        .config("spark.local.dir", str(work / "local"))
        .config("spark.sql.warehouse.dir", str(work / "warehouse"))
        .config("spark.log.level", "ERROR")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.executorEnv.OPENBLAS_NUM_THREADS", "1")
        .config(WAIT_SECONDS, settings.spark_wait_seconds)
        # each fit leaves its last checkpoint, and a session runs many fits
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


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
