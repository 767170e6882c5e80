"""Several processes on one port and one that trains: they answer alike, and none outlives the first."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from conftest import FILMS
from planted import publish, two_tastes
from processes import SMALL, Service, poll, processes_of, service

from jobs.ingest import init_movie_table
from recommender import Recommender
from runtime.postgres import EmbeddedPostgres
from settings import Settings
from storage.database import Database

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
GONE_SECONDS = 10
RETRAIN = "/api/v1/retrain"


@pytest.fixture(scope="module")
def state_dir(scratch: Path, dataset: Path) -> Path:
    """One with films and a generation that knows two tastes."""
    folder = scratch / "two-processes"
    settings = Settings(state_dir=folder, dataset=str(dataset))
    with EmbeddedPostgres(folder) as url:
        database = Database(url, threads=1)
        database.migrate()
        init_movie_table(database, settings)
        publish(Recommender(database), two_tastes(films=[*range(1, FILMS + 1)]))
        database.close()
    return folder


@contextmanager
def two(state_dir: Path, dataset: Path) -> Iterator[Service]:
    state_dir.with_suffix(".log").unlink(missing_ok=True)
    own = {"MATINEE_DATASET": str(dataset), "MATINEE_PROCESSES": "2", "MATINEE_RETRAIN_MINUTES": "0"}
    with service(state_dir, model=SMALL | own) as running:
        running.wait_until_ready()
        wait_for_listeners(running, 2)
        yield running


def wait_for_listeners(running: Service, count: int) -> None:
    """Wait until so many processes in all have begun to listen."""
    poll(lambda: running.told().count("listening on") == count, what=f"{count} processes that listen")


def child_of(running: Service, module: str) -> int | None:
    """The process that runs a module for the service."""
    found = [shown for shown in processes_of(running.state_dir) if f"serving.{module}" in shown]
    return int(found[0].split()[0]) if found else None


@contextmanager
def one_client_each(running: Service) -> Iterator[list[httpx.Client]]:
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


def films(client: httpx.Client, user: int) -> list[int]:
    return [dict(pairs)["movie_id"] for pairs in client.get(f"/users/{user}/recommendations").json()]


def test_what_one_process_has_confirmed_the_other_knows_in_its_next_answer(state_dir: Path, dataset: Path) -> None:
    with two(state_dir, dataset) as running, one_client_each(running) as (left, right):
        user = left.post("/users/create").json()["user_id"]
        for film in range(1, 21):
            left, right = right, left
            before = films(right, user)
            assert left.post(f"/users/{user}/views/{film}", json={"rating": 4.5}).status_code == 201
            assert views(right, user)[0] == film
            assert film not in films(right, user)
            assert films(left, user) == films(right, user)
            assert film not in before or films(left, user) != before
        for client in (left, right):
            assert client.get("/health/ready").status_code == 200
            assert client.get("/health/live").json()["parts"]["generation"]["id"] == 1
        assert running.stop() < 2 * GONE_SECONDS
        assert processes_of(running.state_dir) == []


def test_a_training_is_ordered_through_either_and_the_death_of_its_process_is_told_by_both(
    state_dir: Path, dataset: Path
) -> None:
    with two(state_dir, dataset) as running, one_client_each(running) as clients:
        for client in clients:
            ordered = client.post(RETRAIN)
            assert ordered.status_code == 202, ordered.text
            for each in clients:
                told = each.get(RETRAIN).json()
                assert (told["state"], told["run_id"]) == ("running", ordered.json()["run_id"])
                assert each.get("/health/live").json()["parts"]["trainer"]["state"] == "running"
                assert each.post(RETRAIN).status_code == 409
            trainer = child_of(running, "trainer")
            assert trainer
            os.kill(trainer, signal.SIGKILL)
            poll(lambda: clients[0].get(RETRAIN).json()["outcome"], 20, "the news of its death")
            poll(lambda: running.part("trainer")["state"] == "failed", 20, "the news of its death")
            told, same = (each.get(RETRAIN).json() for each in clients)
            assert told == same
            assert (told["state"], told["outcome"]) == ("failed", "failed")
            assert told["error"].startswith("TrainerDiedError: the process that trains was killed")
            parts = [each.get("/health/live").json()["parts"]["trainer"] for each in clients]
            assert parts[0] == parts[1]
            assert "the next training starts another" in parts[0]["reason"]


def test_a_process_that_is_killed_is_replaced_and_with_the_first_all_end(state_dir: Path, dataset: Path) -> None:
    with two(state_dir, dataset) as running:
        user = running.new_user(film_2=5.0)
        killed = child_of(running, "worker")
        assert killed
        os.kill(killed, signal.SIGKILL)
        poll(lambda: (now := child_of(running, "worker")) and now != killed, 20, "another process")
        wait_for_listeners(running, 3)
        assert f"process {killed}, which serves, was killed" in running.told()
        with one_client_each(running) as clients:
            for client in clients:
                assert views(client, user) == [2]
        assert running.kill() < GONE_SECONDS
        port = running.http.base_url.port
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
