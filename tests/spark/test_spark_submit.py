"""The service under spark-submit: it serves, trains, and ends with the process that was launched."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from processes import ServiceProcess, poll, processes_of, service

from jobs.trainer_process import NICE
from spark.java import java_home

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@contextmanager
def submitted(state_dir: Path, dataset: Path, **environ: str) -> Iterator[ServiceProcess]:
    """As start_server.sh does it where SPARK_HOME is set."""
    found = find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    spark_home = Path(found.origin).parent
    command = [str(spark_home / "bin/spark-submit"), "--master", "local[2]", "--driver-memory", "512m", "server.py"]
    with service(
        state_dir,
        command,
        SPARK_HOME=str(spark_home),
        JAVA_HOME=str(java_home(state_dir, os.environ)),
        PYSPARK_PYTHON=sys.executable,
        PYSPARK_DRIVER_PYTHON=sys.executable,
        MATINEE_DATASET=str(dataset),
        **environ,
    ) as running:
        yield running


def test_it_serves_and_trains_and_stops_in_order(scratch: Path, dataset: Path) -> None:
    with submitted(scratch / "submitted", dataset) as running:
        running.wait_until_ready()
        user = running.new_user(movie_2=5.0, movie_4=5.0, movie_6=4.5, movie_1=1.0)
        assert len(running.recommended(user)) == 10
        poll(lambda: running.part("generation")["state"] == "ready", what="a generation")
        assert {movie % 2 for movie in running.recommended(user)} == {0}
        train_again_after_a_kill(running)
        running.process.send_signal(signal.SIGTERM)
        poll(lambda: not processes_of(running.state_dir), 20, "the end of all processes")


def train_again_after_a_kill(running: ServiceProcess) -> None:
    """Kill the process that trains and have another do a training, in the same JVM."""
    running.wait_for_trainer()
    trainers = [int(shown.split()[0]) for shown in processes_of(running.state_dir) if "spawn_main" in shown]
    (trainer,) = [pid for pid in trainers if os.getpriority(os.PRIO_PROCESS, pid) == NICE]
    os.kill(trainer, signal.SIGKILL)
    ordered = running.http.post("/api/v1/retrain", timeout=30)
    assert ordered.status_code == 202, ordered.text
    poll(lambda: running.get("/api/v1/retrain")["outcome"], what="the end of a training")
    told = running.get("/api/v1/retrain")
    assert (told["run_id"], told["error"]) == (ordered.json()["run_id"], None)


def test_after_a_kill_of_what_was_launched_nothing_is_left(scratch: Path, dataset: Path) -> None:
    with submitted(scratch / "killed", dataset, MATINEE_RETRAIN_MINUTES="0") as running:
        running.wait_until_ready()
        assert any("server.py" in shown for shown in processes_of(running.state_dir))
        running.process.kill()
        poll(lambda: not processes_of(running.state_dir), 10, "the end of all processes")
