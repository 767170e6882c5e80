"""What Spark's JVM prints is in the log, in lines of ours, and what every start prints is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

from settings import ROOT

SCRIPT = """
import settings
from spark.session import close_session, open_session
from system.logs import log_to_stderr

log_to_stderr("INFO", "json")
spark = open_session(settings.load())
spark._jvm.java.lang.System.err.println("an error of Java")
close_session(spark)
"""


def run(tmp_path: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    environ = {"PATH": os.environ["PATH"], "MATINEE_STATE_DIR": str(tmp_path / "state"), **settings}
    return subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environ, capture_output=True, text=True)


def test_what_the_jvm_prints_is_a_log_line_and_its_usual_chatter_is_left_out(tmp_path: Path) -> None:
    done = run(tmp_path)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines if line["level"] != "INFO"] == ["an error of Java"]
    assert done.returncode == 0
