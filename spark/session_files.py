"""Where a Spark session keeps its files: in the state folder, and what executors read and write in a place they share.

That place is the state folder too, unless MATINEE_SPARK_STORAGE names a folder that all machines mount, or a URL that
Hadoop knows (hdfs://, s3a:// and others), where files are brought through Hadoop's own interface.
"""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt
import psutil
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from settings import Settings
from spark.cluster import ClusterError
from spark.parquet_file import parquet_file

OURS = "matinee"
GLOB = re.compile(r"[\\{}\[\]*?]")


def spark_work_dir(settings: Settings) -> Path:
    """Where the sessions of all processes keep their work."""
    return settings.state_dir / "spark"


def session_folder(settings: Settings) -> Path:
    """Where the session of this process keeps its own, which is cleared away when the process is gone."""
    return spark_work_dir(settings) / str(os.getpid())


def shared_folder(settings: Settings) -> Path | None:
    """What executors share with this process, as a folder of this machine; None for a URL."""
    if not settings.spark_storage:
        return session_folder(settings)
    return None if "://" in settings.spark_storage else Path(settings.spark_storage, _own_name())


def shared_url(settings: Settings) -> str:
    """The same as a URL, so that no default of Hadoop's decides what a path means."""
    folder = shared_folder(settings)
    return f"{settings.spark_storage.rstrip('/')}/{_own_name()}" if folder is None else _url(folder)


@contextmanager
def parquet_for_executors(
    spark: SparkSession, settings: Settings, columns: Mapping[str, npt.NDArray[Any]]
) -> Iterator[str]:
    """The name by which executors read a Parquet file of these columns; it is there for the time of the block."""
    folder = shared_folder(settings)
    with parquet_file(folder or session_folder(settings), columns) as file:
        if folder:
            yield _unglobbed(_url(file))
        else:
            with _uploaded(spark, file, f"{shared_url(settings)}/{file.name}") as url:
                yield _unglobbed(url)


def prepare_storage(spark: SparkSession, settings: Settings) -> None:
    """Make this process's own place in MATINEE_SPARK_STORAGE, private, and clear away what others left behind.

    Others are processes of this machine that are gone; what a machine leaves that never comes back is nobody's.
    """
    if not settings.spark_storage:
        return  # the state folder's is made and cleared with the rest of the session's files
    try:
        beside = _unglobbed(os.path.dirname(shared_url(settings)))
        _, pattern = _hadoop(spark, f"{beside}/{OURS}-{socket.gethostname()}-*")
        files, own = _hadoop(spark, shared_url(settings))
        for left in files.globStatus(pattern) or ():
            pid = left.getPath().getName().rpartition("-")[2]
            if left.getPath().getName() == _own_name() or not (pid.isdecimal() and psutil.pid_exists(int(pid))):
                files.delete(left.getPath(), True)
        files.mkdirs(own)
        files.setPermission(own, _jvm(spark).org.apache.hadoop.fs.permission.FsPermission("700"))
        files.deleteOnExit(own)
    except Py4JJavaError as error:
        told = str(error.java_exception.toString()).partition("\n")[0]
        raise ClusterError(f"{settings.spark_storage} cannot be used: {told}; see MATINEE_SPARK_STORAGE") from error


@contextmanager
def _uploaded(spark: SparkSession, file: Path, url: str) -> Iterator[str]:
    files, there = _hadoop(spark, url)
    files.copyFromLocalFile(_hadoop(spark, _url(file))[1], there)
    try:
        yield url
    finally:
        files.delete(there, False)


def _url(path: Path) -> str:
    """As Hadoop has it, which takes every sign of a name for itself: its own URLs have no %20."""
    return f"file://{path}"


def _unglobbed(url: str) -> str:
    """The name of one file where Hadoop would take the signs of a pattern for one."""
    return GLOB.sub(r"\\\g<0>", url)


def _hadoop(spark: SparkSession, url: str) -> tuple[Any, Any]:
    """Hadoop's file system of a URL, and the URL as its path."""
    path = _jvm(spark).org.apache.hadoop.fs.Path(url)
    return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), path


def _jvm(spark: SparkSession) -> Any:
    return spark.sparkContext._jvm


def _own_name() -> str:
    return f"{OURS}-{socket.gethostname()}-{os.getpid()}"
