"""Spark's JVM killed, out of memory or without room on its disk during a fit: serving does not notice."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from disposable_postgres import small_disk

from settings import ROOT
from storage.database import Database

# A process of its own, since there is one JVM to a process, and this one's is not long-lived.
TRAINER = """
import json, os, signal, sys, threading, time
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}, {tests!r} + "/support"]
import system.blas_threads
from conftest import SMALL_MODEL
from pyspark import SparkContext
from engine import Engine
from jobs.ingest import init_movie_table
from jobs.training import Trainer
from recommender import Recommender
from settings import Settings
from storage import generations, runs, user_ratings, users
from storage.database import Database
from disposable_postgres import fill_up

def killed():
    os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)

def out_of_memory():
    gateway = SparkContext._gateway
    gateway.new_array(gateway.jvm.byte, 2**31 - 8)

def full_disk():
    fill_up(settings.state_dir)

class Struck(Engine):
    strike, where = None, "fit"

    def _fit(self, *args):
        self._strike_if("fit")
        return super()._fit(*args)

    def iter_lists(self, *args):
        self._strike_if("lists")
        return super().iter_lists(*args)

    def _strike_if(self, where):
        if self.strike is not None and self.where == where:
            threading.Thread(target=self._strike_in_a_job, args=(self.strike,), daemon=True).start()

    def _strike_in_a_job(self, strike):
        self.strike = None
        tracker = self.start().sparkContext.statusTracker()
        while not tracker.getActiveJobsIds():
            time.sleep(0.01)
        try:
            strike()
        except Exception as error:
            print("the strike itself:", error, file=sys.stderr)

settings = Settings(
    state_dir=Path({state!r}), dataset={dataset!r}, spark_driver_memory="512m", spark_master="local[2]",
    model=SMALL_MODEL,
)
database = Database({url!r}, threads=2)
engine = Struck(settings)
trainer = Trainer(settings, database, engine, Recommender(database))
init_movie_table(database, settings)
with database.statement() as db:
    user = users.create(db)
    user_ratings.put(db, user, 2, 5.0)
over, lists = threading.Event(), []

def serve():
    while not over.wait(0.05):
        lists.append(len(trainer.recommender.recommend(user).items))

served = threading.Thread(target=serve)
served.start()
for fault in {faults!r}:
    name, _, where = fault.partition(" in ")
    engine.strike, engine.where = globals()[name], where or "fit"
    try:
        told = trainer.retrain()
    except Exception as error:
        told = f"{{type(error).__name__}}: {{error}}"
    (settings.state_dir / "ballast").unlink(missing_ok=True)
    with database.statement() as db:
        run = runs.newest(db, "train")[0]
    print(json.dumps([fault, told, run.outcome, run.error]), flush=True)
print(json.dumps(["nothing", trainer.retrain(), None, None]), flush=True)
over.set()
served.join()
print(json.dumps(["lists", sorted(set(lists)), len(lists) > 10, None]), flush=True)
engine.stop()
database.close()
os._exit(0)
"""


@dataclass(frozen=True)
class ReportedFault:
    """How a training with a fault ended, and its record."""

    raised: str
    outcome: str
    error: str


def train_through(faults: list[str], database: Database, dataset: Path, state_dir: Path) -> dict[str, ReportedFault]:
    """A trainer's fate in each of these faults, and in a training afterwards, in one process that serves meanwhile."""
    script = TRAINER.format(
        root=str(ROOT), tests=str(ROOT / "tests"), state=str(state_dir), dataset=str(dataset), faults=faults,
        url=database.url,
    )  # fmt: skip
    environ = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=900, env=environ)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert rows.pop() == ["lists", [10], True, None], done.stderr
    assert rows.pop() == ["nothing", "published", None, None], done.stderr
    return {row[0]: ReportedFault(*row[1:]) for row in rows}


AGAIN = "; the next training run starts another"
REASONS = {
    "killed": "EngineError: Spark's JVM was killed, as the system does when its memory runs out" + AGAIN,
    "out_of_memory": "EngineError: Spark's JVM ran out of memory with a heap of 512m; "
    "set MATINEE_SPARK_DRIVER_MEMORY to more" + AGAIN,
}


@pytest.mark.parametrize("fault", ["killed", pytest.param("out_of_memory", marks=pytest.mark.faults)])
def test_a_jvm_that_is_killed_or_out_of_memory_fails_the_run_by_name_and_nothing_else(
    fault: str, database: Database, dataset: Path, tmp_path: Path
) -> None:
    told = train_through([fault], database, dataset, tmp_path)
    assert told == {fault: ReportedFault(REASONS[fault], "failed", REASONS[fault])}


@pytest.mark.faults
def test_a_full_disk_under_spark_is_named_in_the_run(
    database: Database, dataset: Path, scratch: Path, record_property: Callable[[str, object], None]
) -> None:
    with small_disk(scratch / "disk-of-spark", "8m") as disk:
        told = train_through(["full_disk"], database, dataset, disk)
        reason = f"FullDiskError: The disk of {disk / 'spark'} is full. Make room there, or set MATINEE_STATE_DIR"
    assert told["full_disk"].error.startswith(reason)
    assert told["full_disk"].raised.startswith(reason)
    record_property("faults", 1)
    record_property("found", "named in the run; the next training, with room, published")
