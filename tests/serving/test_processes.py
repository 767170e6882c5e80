"""Several processes on one port and one that trains: they answer alike, and none outlives the first."""

import io
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from conftest import MOVIES
from handmade_model import publish, two_tastes
from processes import SMALL, TIMEOUT_SECONDS, ServiceProcess, all_gone, free_port, poll, processes_of, service
from sqlalchemy import text

from embedded.postgres import EmbeddedPostgres
from jobs.ingest import init_movie_table
from jobs.trainer_process import NICE
from recommender import Recommender
from serving import workers
from serving.workers import Workers
from settings import Settings
from storage.database import Database

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
GONE_SECONDS = 10
ORDER_SECONDS = 2.0
RETRAIN = "/api/v1/retrain"
FITS = ("ranker", "rater")
BROKEN = """
import runpy
from system.process_metrics import EachSecond
def start(self):
    raise LookupError("nobody foresaw this")
EachSecond.start = start
runpy.run_module("serving.worker", run_name="__main__")
"""
TOO_LONG = ["-c", "#" * 200_000]  # Linux starts nothing with an argument of more than 128 KiB


@pytest.fixture(scope="module")
def state_dir(scratch: Path, dataset: Path) -> Path:
    """One with movies and a generation that knows two tastes."""
    folder = scratch / "two-processes"
    settings = Settings(state_dir=folder, dataset=str(dataset))
    with EmbeddedPostgres(folder) as url:
        database = Database(url, threads=1)
        database.migrate()
        init_movie_table(database, settings)
        publish(Recommender(database), two_tastes(movies=[*range(1, MOVIES + 1)]))
        database.close()
    return folder


@contextmanager
def two(state_dir: Path, dataset: Path) -> Iterator[ServiceProcess]:
    state_dir.with_suffix(".log").unlink(missing_ok=True)
    own = {"MATINEE_DATASET": str(dataset), "MATINEE_PROCESSES": "2", "MATINEE_RETRAIN_MINUTES": "0"}
    with service(state_dir, model=SMALL | own) as running:
        running.wait_until_ready()
        wait_for_listeners(running, 2)
        yield running


def wait_for_listeners(running: ServiceProcess, count: int) -> None:
    """Wait until so many processes in all have begun to listen."""
    poll(lambda: running.log_text().count("listening on") == count, what=f"{count} processes that listen")


def worker_of(running: ServiceProcess) -> int | None:
    """The process that serves beside the first one."""
    found = [shown for shown in processes_of(running.state_dir) if "serving.worker" in shown]
    return int(found[0].split()[0]) if found else None


@contextmanager
def one_client_each(running: ServiceProcess) -> Iterator[list[httpx.Client]]:
    """A connection to each of the two; which it is shows in when it first spoke with the database."""
    with ExitStack() as stack:
        found: dict[str, httpx.Client] = {}

        def look() -> bool:
            client = stack.enter_context(httpx.Client(base_url=running.http.base_url, timeout=20))
            found.setdefault(client.get("/health/live").json()["parts"]["database"]["since"], client)
            return len(found) == 2

        poll(look, 20, "a connection to each process")
        yield list(found.values())


def views(client: httpx.Client, user: int) -> list[int]:
    return [dict(pairs)["movie_id"] for pairs in client.get(f"/users/{user}/views").json()]


def movies(client: httpx.Client, user: int) -> list[int]:
    return [dict(pairs)["movie_id"] for pairs in client.get(f"/users/{user}/recommendations").json()]


def test_what_one_process_has_confirmed_the_other_knows_in_its_next_answer(state_dir: Path, dataset: Path) -> None:
    with two(state_dir, dataset) as running, one_client_each(running) as (left, right):
        user = left.post("/users/create").json()["user_id"]
        for movie in range(1, 21):
            left, right = right, left
            before = movies(right, user)
            assert left.post(f"/users/{user}/views/{movie}", json={"rating": 4.5}).status_code == 201
            assert views(right, user)[0] == movie
            assert movie not in movies(right, user)
            assert movies(left, user) == movies(right, user)
            assert movie not in before or movies(left, user) != before
        for client in (left, right):
            assert client.get("/health/ready").status_code == 200
            assert client.get("/health/live").json()["parts"]["generation"]["id"] == 1
        assert running.stop() < 2 * GONE_SECONDS
        assert all_gone(running.state_dir)


def trainer_of(running: ServiceProcess) -> int | None:
    """The process that trains: the child of the first one that multiprocessing has started to work."""
    children = psutil.Process(running.process.pid).children()
    trainers = [child for child in children if any("spawn_main" in argument for argument in child.cmdline())]
    assert all(child.nice() >= NICE for child in trainers)
    return trainers[0].pid if trainers else None


def in_phase(client: httpx.Client, *phases: str) -> dict[str, Any] | None:
    told: dict[str, Any] = client.get(RETRAIN).json()
    return told if told["phase"] in phases else None


def test_a_training_is_ordered_through_either_process_and_outlives_the_death_of_a_trainer(
    state_dir: Path, dataset: Path
) -> None:
    with two(state_dir, dataset) as running, one_client_each(running) as (left, right):
        run = order(left, right)
        poll(lambda: in_phase(right, *FITS), what="a fit")
        trainer = trainer_of(running)
        assert trainer
        os.kill(trainer, signal.SIGKILL)
        poll(lambda: left.get(RETRAIN).json()["outcome"], 20, "the news of its death")
        told, same = (each.get(RETRAIN).json() for each in (left, right))
        assert told == same
        assert (told["run_id"], told["state"], told["outcome"]) == (run, "failed", "failed")
        assert told["error"].startswith("TrainerEndedError: the training process was killed")
        for each in (left, right):
            look = partial(part, each, "trainer")
            poll(lambda look=look: look()["reason"] == told["error"], 20, "the reason of its death")
            assert look()["state"] == "failed"
        again = order(right, left)
        poll(lambda: left.get(RETRAIN).json()["outcome"], 3 * TIMEOUT_SECONDS, "the end of the next training")
        told = left.get(RETRAIN).json()
        assert (told["run_id"], told["outcome"]) == (again, "published")  # though nothing had changed


def order(client: httpx.Client, other: httpx.Client) -> int:
    """Order a training; the process that takes the order and the other one know of it at once. Return its id."""
    began = time.monotonic()
    ordered = client.post(RETRAIN)
    assert ordered.status_code == 202, ordered.text
    assert time.monotonic() - began < ORDER_SECONDS
    run: int = ordered.json()["run_id"]
    for each in (client, other):
        told = each.get(RETRAIN).json()
        assert (told["state"], told["run_id"]) == ("running", run)
        poll(lambda each=each: part(each, "trainer")["state"] == "running", what="the news")
        assert each.post(RETRAIN).status_code == 409
    return run


def test_a_training_that_takes_too_long_is_ended_with_its_jvm_and_says_why(state_dir: Path, dataset: Path) -> None:
    own = {"MATINEE_DATASET": str(dataset), "MATINEE_RETRAIN_MINUTES": "0", "MATINEE_TRAINING_MINUTES": "0.05"}
    with service(state_dir, model=SMALL | own | {"MATINEE_RANKER_ITERATIONS": "100"}) as running:
        running.wait_until_ready()
        run = running.http.post(RETRAIN).json()["run_id"]
        poll(lambda: running.get(RETRAIN)["outcome"], what="the end of the training")
        told = running.get(RETRAIN)
        assert (told["run_id"], told["outcome"]) == (run, "failed")
        assert "took longer than the 0.05 minutes of MATINEE_TRAINING_MINUTES" in told["error"]
        assert trainer_of(running) is None
        assert not [shown for shown in processes_of(state_dir) if "java" in shown]


def part(client: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/health/live").json()["parts"][name]
    return found


def test_a_process_that_is_killed_is_replaced_and_with_the_first_all_end(state_dir: Path, dataset: Path) -> None:
    with two(state_dir, dataset) as running:
        user = running.new_user(movie_2=5.0)
        killed = worker_of(running)
        assert killed
        os.kill(killed, signal.SIGKILL)
        poll(lambda: (now := worker_of(running)) and now != killed, 20, "another process")
        wait_for_listeners(running, 3)
        assert f"process {killed}, which serves, was killed" in running.log_text()
        with one_client_each(running) as clients:
            for client in clients:
                assert views(client, user) == [2]
        assert running.kill() < GONE_SECONDS
        port = running.http.base_url.port
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def rename_table(state_dir: Path, name: str, other: str) -> None:
    with EmbeddedPostgres(state_dir) as url:
        database = Database(url, threads=1)
        with database.statement() as db:
            db.execute(text(f"ALTER TABLE {name} RENAME TO {other}"))
        database.close()


def test_an_error_that_nobody_foresaw_leaves_all_processes_serving(state_dir: Path, dataset: Path) -> None:
    with two(state_dir, dataset) as running:
        worker = worker_of(running)
        rename_table(state_dir, "live_generation", "mislaid")
        try:
            poll(lambda: "the look for a newer generation failed" in running.log_text(), 20, "the error")
        finally:
            rename_table(state_dir, "mislaid", "live_generation")
        with one_client_each(running) as clients:
            for client in clients:
                assert client.get("/health/ready").status_code == 200
        assert worker_of(running) == worker


def test_an_error_that_nobody_foresaw_ends_a_process_rather_than_leave_a_port_that_answers_nobody(
    recommender: Recommender, scratch: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(state_dir=scratch / "broken", port=free_port(), processes=2)
    url = recommender.database.url
    monkeypatch.setattr(workers, "COMMAND", ["-c", BROKEN])
    broken = Workers(settings, url)
    broken.keep()
    (process,) = broken._running
    try:
        assert process.wait(60) == 1
    finally:
        broken.stop()
    told = capfd.readouterr().err
    assert told.index("listening on") < told.index("LookupError: nobody foresaw this")


def test_a_process_that_could_not_be_started_is_started_later(
    recommender: Recommender, scratch: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(state_dir=scratch / "later", port=free_port(), processes=2)
    url = recommender.database.url
    several = Workers(settings, url)

    def answered() -> bool:
        several.keep()
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{settings.port}/health/ready").status_code == 200
        return False

    with monkeypatch.context() as broken:
        broken.setattr(workers, "COMMAND", TOO_LONG)
        several.keep()
        assert "could not be started; the next attempt follows soon: [Errno 7]" in caplog.text
    try:
        poll(answered, 30, "an answer")
    finally:
        several.terminate()
        several.stop()


def test_processes_that_end_at_once_are_started_again_ever_later_and_soon_after_one_has_lived(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, starts, statuses = [100.0], [], [1]

    class Mayfly:
        """Ends as soon as it is told to, which is at once to begin with."""

        pid, returncode = 1, 1

        def __init__(self, *_: object, **__: object) -> None:
            starts.append(now[0])
            self.stdin = io.BytesIO()

        def poll(self) -> int | None:
            return statuses[-1] if statuses else None

    monkeypatch.setattr(workers.subprocess, "Popen", Mayfly)
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    several = Workers(Settings(state_dir=scratch, processes=2), "")

    def keep_for(seconds: int) -> list[float]:
        starts.clear()
        for _ in range(4 * seconds):
            several.keep()
            now[0] += 0.25
        return [later - earlier for earlier, later in pairwise(starts)]

    assert keep_for(100) == [2, 4, 8, 16, 30, 30]
    lasting = statuses.pop()
    assert keep_for(60) == []  # one is started, and lives
    statuses.append(lasting)
    assert keep_for(7) == [2, 4]


def test_an_experiment_is_the_same_in_both_processes_and_after_a_restart(state_dir: Path, dataset: Path) -> None:
    shown: dict[str, list[int]] = {}  # what clients were shown, by the id of the list

    def lists(clients: list[httpx.Client], users: list[int]) -> list[list[list[int]]]:
        """The list of every user, for each client."""
        found = []
        for client in clients:
            answers = [client.get(f"/api/v1/users/{user}/recommendations") for user in users]
            listed = [[item["movie"]["movie_id"] for item in answer.json()["items"]] for answer in answers]
            shown.update(zip([answer.headers["X-List-ID"] for answer in answers], listed, strict=True))
            found.append(listed)
        return found

    def ledger(running: ServiceProcess) -> dict[str, Any]:
        with EmbeddedPostgres(running.state_dir) as url:  # that of the service
            database = Database(url, threads=1)
            with database.statement() as db:
                rows = db.execute(text("SELECT * FROM impressions WHERE experiment = 'ab'")).all()
            database.close()
        return {str(row.list_id): row for row in rows}

    with two(state_dir, dataset) as running, one_client_each(running) as clients:
        users = [clients[0].post("/users/create").json()["user_id"] for _ in range(16)]
        for user in users:
            clients[0].post(f"/users/{user}/views/{2 - user % 2}", json={"rating": 5})
        wanted = {"name": "ab", "arms": ["today", "popularity_weight=0"], "share": 100}
        assert clients[1].post("/api/v1/experiments", json=wanted).status_code == 202

        def experiment() -> Any:
            return clients[0].get("/api/v1/experiments/ab").json()

        poll(lambda: experiment()["state"] != "judging", TIMEOUT_SECONDS, "the judgement of the trainer's process")
        assert experiment()["state"] == "running", experiment()["reason"]
        time.sleep(ORDER_SECONDS)  # within which every process follows
        first, second = lists(clients, users)
        assert first == second
        poll(lambda: set(shown) <= set(ledger(running)), what="the impressions")
    with two(state_dir, dataset) as running, one_client_each(running) as clients:
        assert lists(clients, users) == [first, first]
        poll(lambda: set(shown) <= set(ledger(running)), what="the impressions")
        rows = ledger(running)
        assert clients[0].delete("/api/v1/experiments/ab").status_code == 204
    assert {list_id: rows[list_id].movie_ids for list_id in shown} == shown
    arms = {(row.user_id, row.arm) for row in rows.values()}
    assert len(arms) == len(users), "each user stays in one arm"
    assert {arm for _, arm in arms} == set(wanted["arms"])
