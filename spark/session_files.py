"""The files of a Spark session: private ones in the state folder, and files for executors in a shared folder.

The shared folder is the state folder, unless MATINEE_SPARK_STORAGE names a folder that all machines mount, or a URL
that Hadoop supports (hdfs://, s3a:// and others), to which Hadoop copies the files.
"""

import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy.typing as npt
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from settings import ROOT, Settings
from spark.cluster import EngineError

OURS = "matinee"
ROWS_A_GROUP = 1_000_000  # a task reads whole row groups, so this bounds its memory
GLOB = re.compile(r"[\\{}\[\]*?]")


def spark_work_dir(settings: Settings) -> Path:
    """Return the folder of all processes' sessions."""
    return settings.state_dir / "spark"


def session_folder(settings: Settings) -> Path:
    """Return the folder of this process's session; it is removed after the process has ended."""
    return spark_work_dir(settings) / str(os.getpid())


def shared_folder(settings: Settings) -> Path | None:
    """Return the folder shared with executors; None for a URL."""
    if not settings.spark_storage:
        return session_folder(settings)
    return None if "://" in settings.spark_storage else Path(settings.spark_storage, _own_name())


def shared_url(settings: Settings) -> str:
    """Return the shared folder as a URL with a scheme, so that it does not depend on Hadoop's default file system."""
    folder = shared_folder(settings)
    return f"{settings.spark_storage.rstrip('/')}/{_own_name()}" if folder is None else _url(folder)


@contextmanager
def parquet_for_executors(
    spark: SparkSession, settings: Settings, columns: Mapping[str, npt.NDArray[Any]]
) -> Iterator[str]:
    """Yield the URL of a Parquet file of these columns for executors; the file exists during the block.

    The executors' tasks read the file. A DataFrame from local columns would pass all ratings through the driver's JVM,
    where 32 million need several GB of heap.
    """
    shared = shared_folder(settings)
    folder = shared or session_folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder, prefix="fit-", suffix=".parquet") as file:
        pq.write_table(pa.table(dict(columns)), file.name, row_group_size=ROWS_A_GROUP)
        path = Path(file.name)
        if shared:
            yield _unglobbed(_url(path))
        else:
            with _uploaded(spark, path, f"{shared_url(settings)}/{path.name}") as url:
                yield _unglobbed(url)


def zip_modules(work: Path) -> str:
    """Return a zip of the modules that run on executors: `ranking`, `settings` and their imports."""
    modules = work / "modules"
    shutil.copytree(ROOT / "ranking", modules / "ranking", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "settings.py", modules)
    (modules / "system").mkdir()
    for name in ("__init__.py", "setting_values.py"):  # what settings.py imports
        shutil.copy(ROOT / "system" / name, modules / "system")
    return shutil.make_archive(str(work / "matinee"), "zip", modules)


def prepare_storage(spark: SparkSession, settings: Settings) -> None:
    """Create this process's folder in MATINEE_SPARK_STORAGE, and remove folders of this machine's ended processes.

    Folders of other machines stay.
    """
    if not settings.spark_storage:
        return  # the state folder is managed with the session's other files
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
        message = str(error.java_exception.toString()).partition("\n")[0]
        raise EngineError(f"MATINEE_SPARK_STORAGE cannot be used: {message}") from error


@contextmanager
def _uploaded(spark: SparkSession, file: Path, url: str) -> Iterator[str]:
    files, there = _hadoop(spark, url)
    files.copyFromLocalFile(_hadoop(spark, _url(file))[1], there)
    try:
        yield url
    finally:
        files.delete(there, False)


def _url(path: Path) -> str:
    """Return a path as a URL for Hadoop, which does not decode %20 and the like."""
    return f"file://{path}"


def _unglobbed(url: str) -> str:
    """Return the URL of a file with Hadoop's glob characters escaped."""
    return GLOB.sub(r"\\\g<0>", url)


def _hadoop(spark: SparkSession, url: str) -> tuple[Any, Any]:
    """Return Hadoop's file system for a URL, and its path for the URL."""
    path = _jvm(spark).org.apache.hadoop.fs.Path(url)
    return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), path


def _jvm(spark: SparkSession) -> Any:
    return spark.sparkContext._jvm


def _own_name() -> str:
    return f"{OURS}-{socket.gethostname()}-{os.getpid()}"
