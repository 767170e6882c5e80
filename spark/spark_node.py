"""Run a node of a standalone Spark cluster with this environment's pyspark, on machines without another Spark.

    python -m spark.spark_node master [--host NAME] [--port 7077] ...
    python -m spark.spark_node worker spark://NAME:7077 [--cores 2] [--memory 4g] ...

Arguments and the variables SPARK_MASTER_* and SPARK_WORKER_* are Spark's own. Spark's process replaces this one, so
that it gets the signals.
"""

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from settings import OperatorError, load
from spark.java import java_home

CLASSES = {"master": "org.apache.spark.deploy.master.Master", "worker": "org.apache.spark.deploy.worker.Worker"}
USAGE = "usage: python -m spark.spark_node master|worker [Spark's arguments]"


def command(kind: str, arguments: list[str]) -> list[str]:
    """Return the command of a node of this kind; its host is this machine's name unless the arguments set it."""
    named = [] if {"--host", "-h", "--ip", "-i"} & set(arguments) else ["--host", socket.gethostname()]
    return [str(spark_home() / "bin" / "spark-class"), CLASSES[kind], *named, *arguments]


def spark_home() -> Path:
    """Return the folder of the Spark in pyspark."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pyspark is not installed in this environment")
    return Path(found.origin).parent


def environment(state_dir: Path) -> dict[str, str]:
    """Return the environment of a node."""
    work = state_dir / "spark" / "node"
    work.mkdir(parents=True, exist_ok=True)
    return {
        "SPARK_WORKER_DIR": str(work),
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",  # unused, and without authentication
        "PYSPARK_PYTHON": sys.executable,
        "OPENBLAS_NUM_THREADS": "1",
        **os.environ,
        "JAVA_HOME": str(java_home(state_dir, os.environ)),
        "SPARK_HOME": str(spark_home()),
    }


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in CLASSES:
        sys.exit(USAGE)
    words = command(sys.argv[1], sys.argv[2:])
    try:
        os.execve(words[0], words, environment(load().state_dir))  # noqa: S606 - Spark's own script
    except (OperatorError, OSError) as error:
        sys.exit(f"matinee: {error}")


if __name__ == "__main__":
    main()
