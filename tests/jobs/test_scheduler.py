"""When the first process trains: what it checks and looks at, by which clock, and what it does with the trainer."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import libfaketime
import pytest
from handmade_model import fill_catalogue, publish, two_tastes
from processes import poll
from sqlalchemy import text
from thread_trainer import ThreadTrainer

from health import Health
from jobs import scheduler, trainer_process
from jobs.scheduler import Scheduler
from jobs.trainer_process import TrainerEndedError, TrainerPool, TrainingResult
from ranking.experiment import Experiment
from recommender import Recommender
from settings import ROOT, Settings
from storage import experiments, runs
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError

NEVER = Settings(retrain_minutes=0.0)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "TICK_SECONDS", 0.05)


@contextmanager
def working(recommender: Recommender, pool: Any, settings: Settings = NEVER) -> Iterator[Health]:
    health = Health()
    jobs = Scheduler(settings, recommender, health, pool)
    jobs.start()
    try:
        yield health
    finally:
        jobs.stop()


def order(database: Database) -> int | None:
    with database.transaction() as db:
        return runs.queue(db, "train", TRAINING_LOCK)


def announced(database: Database) -> datetime | None:
    with database.statement() as db:
        return runs.announced(db)


def last_run(database: Database) -> Any:
    with database.statement() as db:
        return runs.newest(db, "train")[0]


def outcomes(database: Database) -> list[str | None]:
    with database.statement() as db:
        return [run.outcome for run in runs.newest(db, "train", 10)]


def taking_up(database: Database, outcome: TrainingResult = "published") -> Callable[[int], TrainingResult]:
    """A training that is done at once."""

    def train(run_id: int) -> TrainingResult:
        with database.statement() as db:
            assert runs.take_up(db, run_id)
            runs.end(db, run_id, outcome, {})
        return outcome

    return train


def test_a_check_that_finds_no_database_is_soon_made_again(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: object) -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise DatabaseUnavailableError("it is away")
        return True

    calls: list[int] = []
    monkeypatch.setattr(scheduler, "SOON", scheduler.SOON / 100)
    monkeypatch.setattr(scheduler, "training_is_due", look)
    with working(recommender, ThreadTrainer(taking_up(recommender.database)), Settings(retrain_minutes=60.0)):
        poll(lambda: len(calls) == 2, 20, "another check")
        poll(lambda: outcomes(recommender.database) == ["published"], 20, "its training")


@pytest.mark.parametrize(("minutes", "ends"), [(0.0, 1), (60.0, 0)])
def test_an_idle_trainer_is_ended_when_the_settings_say(recommender: Recommender, minutes: float, ends: int) -> None:
    pool = ThreadTrainer(taking_up(recommender.database))
    with working(recommender, pool, replace(NEVER, spark_idle_minutes=minutes)):
        for done in (1, 2):
            poll(lambda: order(recommender.database), 20, "a place for an order")
            poll(lambda done=done: outcomes(recommender.database) == done * ["published"], 20, "its training")
            poll(lambda done=done: pool.ends == done * ends, 20, "the end of the trainer")
        poll(lambda: pool.alive == (not ends), 20, "a trainer that is kept, or none")


def test_a_trainer_that_cannot_be_started_is_a_failed_training_that_says_why(
    recommender: Recommender, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(trainer_process._TrackingContext, "Process", refuse)
    database = recommender.database
    with working(recommender, TrainerPool(settings, database.url)) as health:
        for _ in range(2):  # it is tried again with each training
            run = poll(lambda: order(database), 20, "a place for an order")
            poll(lambda: last_run(database).outcome, 20, "the end of the run")
            ended = last_run(database)
            assert (ended.id, ended.outcome) == (run, "failed")
            assert "the training process could not be started: [Errno 11]" in ended.error
            poll(lambda: health["trainer"].state == "failed", 20, "the news")


def test_an_experiment_is_judged_by_the_trainer_once(recommender: Recommender) -> None:
    def judge(name: str) -> TrainingResult:
        asked.append(name)
        if len(asked) == 1:
            raise TrainerEndedError("the training process was killed")
        with database.transaction() as db:
            experiments.run(db, name, ["not worse"])
        return "done"

    def state(name: str) -> str:
        with database.statement() as db:
            return experiments.state(experiments.find(db, name))

    database, asked = recommender.database, list[str]()
    with working(recommender, ThreadTrainer(taking_up(database), judge)):
        for name, becomes in (("killed", "ended"), ("next", "running")):
            with database.transaction() as db:
                experiments.start(db, Experiment(name, ("today", "noise=0.2"), 20, False, "salt"))
            poll(lambda name=name, becomes=becomes: state(name) == becomes, 20, "the judgement")
    assert asked == ["killed", "next"]


def test_a_stop_in_a_training_is_recorded_as_an_interruption(recommender: Recommender) -> None:
    begun, over = threading.Event(), threading.Event()

    def train(run_id: int) -> TrainingResult:
        with database.statement() as db:
            runs.take_up(db, run_id)
        begun.set()
        over.wait(20)
        return "failed"

    database = recommender.database
    with working(recommender, ThreadTrainer(train)):
        run = order(database)
        assert begun.wait(20)
    over.set()
    ended = last_run(database)
    assert (ended.id, ended.outcome, ended.error) == (run, "interrupted", scheduler.STOPPED)


STEPPED = """
import os, sys, time
from pathlib import Path
from thread_trainer import ThreadTrainer
from health import Health
from jobs import scheduler
from recommender import Recommender
from settings import Settings
from storage.database import Database

clock, url = Path(sys.argv[1]), sys.argv[2]
recommender, looks, checks = Recommender(Database(url, 2)), [], []
scheduler.training_is_due = lambda *_: checks.append(1)
scheduler.refresh = lambda *_: looks.append(1)
scheduler.TICK_SECONDS = 0.2
jobs = scheduler.Scheduler(Settings(retrain_minutes=0.02), recommender, Health(), ThreadTrainer(lambda run: "busy"))
jobs.start()
time.sleep(2)
before = len(looks), len(checks), time.time()
clock.write_text("-3600")
time.sleep(4)
jobs.stop()
print(round((time.time() - before[2]) / 3600), len(looks) - before[0] > 4, len(checks) - before[1] >= 2, end="")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a library that is preloaded")
def test_a_clock_that_is_set_back_an_hour_stops_neither_the_looks_nor_the_checks(
    recommender: Recommender, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    (installed,) = Path(libfaketime.__file__).parent.rglob("libfaketime.so.1")
    library = shutil.copy(installed, tmp_path)  # LD_PRELOAD takes no path with a space
    environ = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
    }  # fmt: skip
    url = recommender.database.url
    done = subprocess.run(
        [sys.executable, "-c", STEPPED, str(clock), url], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env=os.environ | environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "-1 True True"), done.stderr


def test_what_was_recorded_by_a_clock_ahead_does_not_delay_the_next_training(database: Database) -> None:
    fill_catalogue(database)
    with database.statement() as db:
        run = runs.begin(db, "train")
        runs.end(db, run, "published", {})
        db.execute(text("UPDATE runs SET started_at = started_at + interval '1 year'"))
    recommender = Recommender(database)
    publish(recommender, two_tastes())
    with working(recommender, ThreadTrainer(lambda _: "busy"), Settings(retrain_minutes=60.0)):
        next_at = poll(lambda: announced(database), 20, "the news")
    assert next_at < datetime.now(UTC) + timedelta(minutes=60)
