"""Several processes on one port and one that trains: they answer alike, and none outlives the first."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from multiprocessing import Pipe
from pathlib import Path

import httpx
import pytest
from conftest import MOVIES
from handmade_model import publish, two_tastes
from processes import SMALL, ServiceProcess, free_port, poll, processes_of, service
from sqlalchemy import text

from embedded.postgres import EmbeddedPostgres
from health import Component
from jobs.ingest import init_movie_table
from recommender import Recommender
from serving import trainer_at_hand, workers
from serving.asking import MOST_UNANSWERED
from serving.trainer_at_hand import TrainerAtHand, TrainerStartError
from serving.worker import SharedHealth, TrainsElsewhere
from serving.workers import Workers
from settings import Settings
from storage import runs
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from system.child import Child
from system.line import Line
from web.errors import NotReadyError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
GONE_SECONDS = 10
RETRAIN = "/api/v1/retrain"
BROKEN = """
import runpy
from system.vitals import Vitals
def start(self):
    raise LookupError("nobody foresaw this")
Vitals.start = start
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
    poll(lambda: running.told().count("listening on") == count, what=f"{count} processes that listen")


def child_of(running: ServiceProcess, module: str) -> int | None:
    """The process that runs a module for the service."""
    found = [shown for shown in processes_of(running.state_dir) if f"serving.{module}" in shown]
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
        user = running.new_user(movie_2=5.0)
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


def rename_table(state_dir: Path, name: str, other: str) -> None:
    with EmbeddedPostgres(state_dir) as url:
        database = Database(url, threads=1)
        with database.statement() as db:
            db.execute(text(f"ALTER TABLE {name} RENAME TO {other}"))
        database.close()


def test_an_error_that_nobody_foresaw_leaves_all_processes_serving(state_dir: Path, dataset: Path) -> None:
    with two(state_dir, dataset) as running:
        worker = child_of(running, "worker")
        rename_table(state_dir, "live_generation", "mislaid")
        try:
            poll(lambda: "the look for a newer generation failed" in running.told(), 20, "the error")
        finally:
            rename_table(state_dir, "mislaid", "live_generation")
        with one_client_each(running) as clients:
            for client in clients:
                assert client.get("/health/ready").status_code == 200
        assert child_of(running, "worker") == worker


def test_an_error_that_nobody_foresaw_ends_a_process_rather_than_leave_a_port_that_answers_nobody(
    recommender: Recommender, scratch: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(state_dir=scratch / "broken", port=free_port(), processes=2)
    url = recommender.database.url.render_as_string(hide_password=False)
    broken = Child(["-c", BROKEN], (settings, url), lambda question: Component("off"), lambda: None)
    try:
        assert broken.process.wait(30) == 1
    finally:
        broken.end(0)
    told = capfd.readouterr().err
    assert told.index("listening on") < told.index("LookupError: nobody foresaw this")


def test_the_others_tell_their_health_while_the_first_process_stands_still(state_dir: Path, dataset: Path) -> None:
    with two(state_dir, dataset) as running, one_client_each(running) as clients, ThreadPoolExecutor(2) as pool:
        known = running.part("trainer")
        running.process.send_signal(signal.SIGSTOP)
        try:
            asked = [pool.submit(client.get, "/health/live") for client in clients]
            answer = next(as_completed(asked, timeout=15)).result()
        finally:
            running.process.send_signal(signal.SIGCONT)
        assert answer.json()["parts"]["trainer"] == known


def test_news_of_the_trainer_come_again_once_the_first_process_goes_on() -> None:
    near, far = Pipe()
    first = Line(far, lambda question: Component("running"), lambda: None)
    here = Line(near, lambda question: None, lambda: None)
    here.open()
    health = SharedHealth(here)
    assert health["trainer"].state == "starting"
    first.open()
    poll(lambda: health["trainer"].state == "running", 20, "the news")
    here.close()


def test_what_was_last_known_of_the_trainer_is_told_while_the_first_process_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    near, far = Pipe()
    release, told = threading.Event(), iter([Component("running"), Component("failed", "its memory ran out")])

    def answer(question: str) -> Component | None:
        known = next(told, None)
        if known is None:
            release.wait(20)
        return known

    first, here = Line(far, answer, lambda: None), Line(near, lambda question: None, lambda: None)
    for end in (first, here):
        end.open()
    health = SharedHealth(here)
    assert health["trainer"].state == "running"
    known = health["trainer"]
    monkeypatch.setattr("serving.worker.ANSWER_SECONDS", 0.05)
    assert (health["trainer"], known.reason) == (known, "its memory ran out")
    here.close()
    release.set()


def test_no_more_is_asked_of_a_first_process_that_has_left_many_questions_unanswered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    near, _far = Pipe()
    here = Line(near, lambda question: None, lambda: None)
    here.open()
    monkeypatch.setattr("serving.worker.ANSWER_SECONDS", 0.001)
    elsewhere = TrainsElsewhere(here)
    for _ in range(MOST_UNANSWERED):
        with pytest.raises(DatabaseUnavailableError, match="has not answered in"):
            _ = elsewhere.next_at
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError, match="has left 50 questions unanswered"):
            _ = elsewhere.next_at
    assert here.unanswered == MOST_UNANSWERED
    here.close()


def test_a_process_whose_first_one_has_hung_up_says_that_the_service_is_being_stopped() -> None:
    near, _far = Pipe()
    cut = threading.Event()
    here = Line(near, lambda question: None, cut.set)
    here.open()
    here.close()
    assert cut.wait(20)
    elsewhere = TrainsElsewhere(here)
    with pytest.raises(DatabaseUnavailableError, match="is being stopped"):
        _ = elsewhere.next_at
    with pytest.raises(DatabaseUnavailableError, match="is being stopped"):
        elsewhere.order()


def test_a_training_that_could_not_be_begun_is_not_an_error_of_ours_in_any_process() -> None:
    def fail(question: str) -> None:
        raise TrainerStartError("the process that trains could not be started")

    near, far = Pipe()
    first, here = Line(far, fail, lambda: None), Line(near, lambda question: None, lambda: None)
    for end in (first, here):
        end.open()
    with pytest.raises(NotReadyError, match="the process that trains could not be started"):
        TrainsElsewhere(here).order()
    assert issubclass(TrainerStartError, NotReadyError)
    here.close()


def test_a_question_that_the_first_process_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    near, _far = Pipe()
    here = Line(near, lambda question: None, lambda: None)
    here.open()
    for name in ("ANSWER_SECONDS", "ORDER_SECONDS"):
        monkeypatch.setattr(f"serving.worker.{name}", 0.05)
    elsewhere = TrainsElsewhere(here)
    with pytest.raises(DatabaseUnavailableError, match=r"has not answered in 0\.05 s"):
        _ = elsewhere.next_at
    with pytest.raises(DatabaseUnavailableError, match=r"has not answered in 0\.05 s"):
        elsewhere.order()
    here.close()


def test_a_process_that_could_not_be_started_is_started_later(
    recommender: Recommender, scratch: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(state_dir=scratch / "later", port=free_port(), processes=2)
    url = recommender.database.url.render_as_string(hide_password=False)
    several = Workers(settings, url, lambda question: Component("off"))

    def answered() -> bool:
        several.keep()
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{settings.port}/health/ready").status_code == 200
        return False

    with monkeypatch.context() as broken:
        broken.setattr(workers, "COMMAND", TOO_LONG)
        several.keep()
        assert "could not be started, and soon it is tried again: [Errno 7]" in caplog.text
    try:
        poll(answered, 30, "an answer")
    finally:
        several.hang_up()
        several.stop()


def own_children() -> set[str]:
    """The ids of the processes that this one has started, those included whose end nobody has noticed."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if (process / "stat").read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.add(process.name)
    return found


def test_a_child_that_could_not_be_told_what_it_is_to_know_leaves_nothing() -> None:
    files, children = os.listdir("/proc/self/fd"), own_children()
    with pytest.raises(AttributeError, match="pickle"):
        Child(workers.COMMAND, lambda: None, lambda question: None, lambda: None)
    assert set(os.listdir("/proc/self/fd")) <= set(files)
    assert own_children() <= children


def test_a_trainer_that_cannot_be_started_is_a_failed_training_that_says_why(
    settings: Settings, recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_at_hand, "COMMAND", TOO_LONG)
    told: list[int | None] = []
    with pytest.raises(TrainerStartError, match=r"could not be started: .*; the next training tries again"):
        TrainerAtHand(settings, recommender.database, recommender).retrain(told.append)
    with recommender.database.statement() as db:
        (run,) = runs.newest(db, "train")
    assert (run.id, run.outcome) == (told[0], "failed")
    assert run.error.startswith("TrainerStartError: the process that trains could not be started: [Errno 7]")


def test_processes_that_end_at_once_are_started_again_ever_later_and_soon_after_one_has_lived(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, starts, statuses = [100.0], [], [1]

    class Mayfly:
        """Ends as soon as it is told to, which is at once to begin with."""

        def __init__(self, *_: object) -> None:
            starts.append(now[0])
            self.process = self
            self.pid = 1

        def poll(self) -> int | None:
            return statuses[-1] if statuses else None

        def why_ended(self) -> str:
            return "ended with status 1"

    monkeypatch.setattr(workers, "Child", Mayfly)
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    several = Workers(Settings(state_dir=scratch, processes=2), "", lambda question: None)

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
