"""Start Spark's JVM, and write its output to the log."""

import logging
import os
import re
import threading
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

# lines of every start: by Java, by Spark before its log level applies, and by a library that works without BLAS
NOISE = re.compile(
    r"WARNING: Using incubator modules|Using Spark's default log4j profile|Setting (default|Spark) log level"
    r"|To adjust logging level|netlib-\w+: JNI_OnLoad|\S+ \S+ WARN "
)


def start_jvm(builder: SparkSession.Builder) -> None:
    """Start the JVM of this process, unless it already has one."""
    if SparkContext._gateway is not None:
        return
    conf = SparkConf()
    for name, value in builder._options.items():
        conf.set(name, str(value))
    # read the JVM's output from a pipe: if it does not start, the output is the only error message
    reading, writing = os.pipe()
    threading.Thread(target=_log_output, args=[reading], name="jvm output", daemon=True).start()
    try:
        gateway: Any = launch_gateway(conf, {"stderr": writing})  # type: ignore[no-untyped-call]
        SparkContext._ensure_initialized(gateway=gateway)
    finally:
        os.close(writing)


def _log_output(reading: int) -> None:
    with open(reading, errors="replace") as lines:
        for line in lines:
            if line.strip() and not NOISE.match(line):
                log.warning("%s", line.rstrip())
