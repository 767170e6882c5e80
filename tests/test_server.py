"""The whole service as real processes: how it starts, what it keeps, and that nothing of it is left behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from processes import TIMEOUT_SECONDS, ServiceProcess, all_gone, free_port, poll, processes_of, service
from sqlalchemy import make_url, text

from embedded.postgres import EmbeddedPostgres
from serving.front import listen
from settings import ROOT
from storage.database import Database

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
# what is promised is half of it: 2 s from a restart to an answer, 10 to stop, 5 after a kill until nothing is left
READY_SECONDS, STOP_SECONDS, GONE_SECONDS = 4, 20, 10
NEVER = {"MATINEE_RETRAIN_MINUTES": "0"}
CURL_LINES = [
    "curl http://localhost:5430/users/create",
    'curl --data-binary @view.json http://localhost:5430/users/1/views/25905 -H "Content-Type: application/json"',
    "curl --data-binary @view.json http://localhost:5430/users/1/views/25905",
    "curl -d rating=4.5 http://localhost:5430/users/1/views/25904",
    "curl http://localhost:5430/users/1/views",
    "curl http://localhost:5430/users/1/recommendations",
]


@pytest.fixture(scope="module")
def movies(dataset: Path, scratch: Path) -> dict[str, str]:
    """The setting that names a dataset: the checkerboard, and the movies that the documentation speaks of."""
    folder = scratch / "documented"
    shutil.copytree(dataset, folder)
    with (folder / "movies.csv").open("a") as file:
        for movie in (25904, 25905, 86237):
            file.write(f"{movie},Ministry of Fear (1944),Drama|Film-Noir|Thriller\n")
    return {"MATINEE_DATASET": str(folder)}


@dataclass(frozen=True)
class Trained:
    """What a first run left: its state directory, a user with their views and list, and how it ended."""

    state_dir: Path
    user: int
    viewed: list[int]
    recommended: list[int]
    stop_seconds: float
    all_gone: bool


@pytest.fixture(scope="module")
def trained(scratch: Path, movies: dict[str, str]) -> Trained:
    """The state directory of a service that started from nothing, trained once and was stopped."""
    state_dir = scratch / "trained"
    with service(state_dir, **movies) as first:
        first.wait_until_ready()
        user = first.new_user(movie_2=5.0, movie_4=5.0, movie_6=4.5, movie_1=1.0)
        assert len(first.recommended(user)) == 10  # popular movies
        poll(lambda: first.part("generation")["state"] == "ready", what="a generation")
        first.wait_for_trainer()
        viewed, recommended = first.viewed(user), first.recommended(user)
        seconds = first.stop()
        return Trained(state_dir, user, viewed, recommended, seconds, all_gone(state_dir))


@pytest.fixture
def state_dir(trained: Trained, scratch: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of it for one test."""
    copy = scratch / re.sub(r"\W+", "-", request.node.name)
    subprocess.run(["cp", "-a", trained.state_dir, copy], check=True)
    return copy


def trainings(state_dir: Path) -> int:
    """How many runs of the trainer the embedded database of a running service has on record."""
    with EmbeddedPostgres(state_dir) as url:
        database = Database(url, threads=1)
        with database.statement() as db:
            count: int = db.execute(text("SELECT count(*) FROM runs WHERE kind = 'train'")).scalar_one()
        database.close()
    return count


def java_of(running: ServiceProcess) -> list[int]:
    return [int(shown.split()[0]) for shown in processes_of(running.state_dir) if "bin/java" in shown]


def test_a_first_start_trains_and_stops_in_order(trained: Trained) -> None:
    assert {movie % 2 for movie in trained.recommended} == {0}  # it has learned the checkerboard
    assert trained.stop_seconds < STOP_SECONDS
    assert trained.all_gone


def test_a_restart_answers_at_once_with_all_it_knew_and_trains_nothing(
    state_dir: Path, trained: Trained, movies: dict[str, str]
) -> None:
    with service(state_dir, **movies) as again:
        assert again.wait_until_ready() < READY_SECONDS
        assert again.part("generation")["id"] == 1
        assert again.recommended(trained.user) == trained.recommended
        assert again.viewed(trained.user) == trained.viewed
        assert again.new_user() == trained.user + 1
        again.wait_for_trainer()
        assert trainings(state_dir) == 1
        assert java_of(again) == []  # there is nothing to learn, so Spark is not started
        assert again.stop(signal.SIGINT) < STOP_SECONDS
        assert all_gone(state_dir)


def test_the_documented_lines_work_as_they_are_printed(trained: Trained, state_dir: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    printed = re.findall(r"^curl .*localhost:5430/users/.*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert printed
    with service(state_dir, **NEVER) as running:
        running.wait_until_ready()
        for line in CURL_LINES + printed:
            here = line.replace("localhost:5430", running.http.base_url.netloc.decode())
            done = subprocess.run(
                ["bash", "-c", here.replace("curl ", "curl -sS --fail ", 1)], cwd=ROOT, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{line}: {done.stderr}"
        assert set(running.viewed(1)[:2]) == {25904, 25905}


def test_the_end_of_its_terminal_stops_it_in_order(scratch: Path, movies: dict[str, str], empty_url: str) -> None:
    folder = scratch / "hung-up"  # SIGTERM and SIGINT are sent above
    with service(folder, DATABASE_URL=empty_url, **movies, **NEVER) as running:
        running.wait_until_ready()
        assert running.stop(signal.SIGHUP) < STOP_SECONDS
        assert all_gone(folder)


@pytest.mark.parametrize("moment", ["while Spark starts", "while it trains"])
def test_a_stop_in_a_training_leaves_nothing_and_is_recorded_as_an_interruption(
    moment: str, scratch: Path, movies: dict[str, str], empty_url: str
) -> None:
    folder = scratch / f"stopped-{moment.replace(' ', '-')}"
    with service(folder, DATABASE_URL=empty_url, MATINEE_RANKER_ITERATIONS="100", **movies) as running:
        running.wait_until_ready()
        running.wait_for_trainer("running")
        if moment == "while it trains":
            poll(lambda: "Spark 4" in running.log_text() and "is ready after" in running.log_text(), what="Spark")
        assert running.stop() < STOP_SECONDS
        poll(lambda: not processes_of(folder), GONE_SECONDS, "the end of all processes")
        assert "Traceback" not in running.log_text()
    (run,) = runs_of(empty_url)
    assert (run.outcome, run.error) == ("interrupted", "the service was stopped in the middle of it")


def test_a_signal_while_the_embedded_database_is_made_leaves_nothing_running(scratch: Path) -> None:
    folder = scratch / "impatient"
    with service(folder, **NEVER) as running:
        poll(lambda: (folder / "postgres/data.half").exists(), what="a database that is being made")
        assert running.stop() < STOP_SECONDS
        assert "Traceback" not in running.log_text()
        poll(lambda: not processes_of(folder), GONE_SECONDS, "the end of all processes")


def test_an_embedded_database_outlives_the_process_that_started_it(
    state_dir: Path, trained: Trained, movies: dict[str, str]
) -> None:
    with service(state_dir, **movies, **NEVER) as owner:
        owner.wait_until_ready()
        with service(state_dir, **movies, **NEVER) as sharer:
            sharer.wait_until_ready()
            assert "which another process runs" in sharer.log_text()
            owner.stop()
            address = f"/users/{trained.user}/recommendations"  # readiness may be a second old
            poll(lambda: sharer.http.get(address).status_code == 200, 10, "the database of its own")
            assert sharer.recommended(trained.user) == trained.recommended
            assert sharer.viewed(trained.user) == trained.viewed
            sharer.stop()
            assert all_gone(state_dir)


def test_after_a_kill_nothing_is_left_and_nothing_is_lost(state_dir: Path, movies: dict[str, str]) -> None:
    with service(state_dir, **movies) as killed:
        killed.wait_until_ready()
        user = killed.new_user()
        killed.http.post("/api/v1/retrain")
        java = poll(lambda: java_of(killed), what="Spark's JVM")
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in java} == {10}  # it gives way to who serves
        groups = [path.read_text() for pid in java if (path := Path(f"/proc/{pid}/autogroup")).exists()]
        assert all(group.endswith(" nice 10\n") for group in groups if group)
        confirmed: list[int] = []

        def write() -> None:
            for movie in range(1, 41):
                try:
                    killed.rate(user, movie, 4.0)
                except httpx.TransportError:
                    return
                confirmed.append(movie)

        writer = threading.Thread(target=write)
        writer.start()
        poll(lambda: len(confirmed) > 5, what="a few views")
        killed.process.kill()
        writer.join()
        poll(lambda: not processes_of(state_dir), GONE_SECONDS, "the end of all processes")
    with service(state_dir, **movies, **NEVER) as again:
        again.wait_until_ready()
        assert again.viewed(user)[-len(confirmed) :] == confirmed[::-1]
        assert again.part("generation")["id"] == 1


def run_to_the_end(folder: Path, **environ: str) -> ServiceProcess:
    with service(folder, **environ) as running:
        running.process.wait(TIMEOUT_SECONDS)
    return running


def test_a_busy_port_is_told_and_nothing_is_started(scratch: Path) -> None:
    folder = scratch / "busy"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run_to_the_end(folder, MATINEE_PORT=str(port))
    assert ended.process.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in ended.log_text()
    assert "MATINEE_PORT" in ended.log_text()
    assert "Traceback" not in ended.log_text()
    assert not folder.exists()


def test_a_port_that_another_service_takes_meanwhile_is_told(scratch: Path) -> None:
    folder = scratch / "overtaken"
    with service(folder, MATINEE_PROCESSES="2", **NEVER) as late, socket.socket() as other:
        poll((folder / "postgres").exists, what="the time after its first look at the port")
        port = late.http.base_url.port
        other.bind(("127.0.0.1", port))
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as a service of several processes has it
        other.listen()
        assert late.process.wait(TIMEOUT_SECONDS) == 1
        assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. Stop what listens there" in late.log_text()
        assert "Traceback" not in late.log_text()
        assert all_gone(folder)


@pytest.mark.parametrize(("place", "database"), [("note", "its own"), ("note/state", "another")])
def test_a_state_folder_that_cannot_be_is_told_in_one_line(
    place: str, database: str, scratch: Path, tmp_path: Path, empty_url: str
) -> None:
    (tmp_path / "note").write_text("a file, not a folder")
    url = {"DATABASE_URL": empty_url} if database == "another" else {}
    folder = scratch / f"impossible-{database}-{place.replace('/', '-')}"
    ended = run_to_the_end(folder, MATINEE_STATE_DIR=str(tmp_path / place), **url)
    assert ended.process.returncode == 1
    (line,) = ended.log_text().splitlines()
    assert f"Cannot use {tmp_path / place} as the state folder: " in line
    assert "MATINEE_STATE_DIR" in line


BROKEN = """
import runpy
from serving.workers import Workers
def keep(self):
    raise LookupError("nobody foresaw this")
Workers.keep = keep
runpy.run_path("server.py", run_name="__main__")
"""


def test_an_error_that_nobody_foresaw_ends_it_rather_than_leave_a_port_that_answers_nobody(
    scratch: Path, movies: dict[str, str], empty_url: str
) -> None:
    command = [sys.executable, "-c", BROKEN]
    with service(scratch / "unforeseen", command, DATABASE_URL=empty_url, **movies, **NEVER) as broken:
        assert broken.process.wait(TIMEOUT_SECONDS) == 1
        assert "LookupError: nobody foresaw this" in broken.log_text()


@pytest.mark.parametrize(("name", "value"), [("MATINEE_THREADS", "many"), ("MATINEE_PROT", "80")])
def test_a_bad_setting_is_told(name: str, value: str, scratch: Path) -> None:
    ended = run_to_the_end(scratch / "bad-setting", **{name: value})
    assert ended.process.returncode == 2
    assert name in ended.log_text().splitlines()[-1]
    assert "Traceback" not in ended.log_text()


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"database": "nothing"}])
def test_a_database_that_does_not_let_it_in_ends_it_with_advice(
    wrong: dict[str, str], scratch: Path, empty_url: str
) -> None:
    url = make_url(empty_url).set(**wrong).render_as_string(hide_password=False)
    ended = run_to_the_end(scratch / "refused", DATABASE_URL=url, **NEVER)
    assert ended.process.returncode == 1
    assert "orrect DATABASE_URL" in ended.log_text()
    assert "Traceback" not in ended.log_text()


def test_a_dataset_that_cannot_be_read_is_told_and_leaves_the_table_empty(
    scratch: Path, empty_url: str, dataset: Path
) -> None:
    broken = scratch / "broken"
    shutil.copytree(dataset, broken)
    (broken / "movies.csv").write_text("title,genres\nMovie,Drama\n")
    ended = run_to_the_end(scratch / "refusing", DATABASE_URL=empty_url, MATINEE_DATASET=str(broken))
    assert ended.process.returncode == 1
    assert "movies.csv" in ended.log_text()
    assert "Traceback" not in ended.log_text()
    database = Database(empty_url, threads=1)
    with database.statement() as db:
        assert db.execute(text("SELECT count(*) FROM movies")).scalar_one() == 0
    database.close()


def test_it_outlives_the_shell_that_started_it(scratch: Path, movies: dict[str, str], empty_url: str) -> None:
    shell = ["bash", "-c", f"'{sys.executable}' server.py & echo started"]
    with service(scratch / "orphan", shell, DATABASE_URL=empty_url, **movies, **NEVER) as running:
        running.process.wait(TIMEOUT_SECONDS)
        poll(lambda: _status(running.http) == 200, what="an answer")
        running.get("/api/v1/genres")
        poll(lambda: re.search(r"GET /api/v1/genres 200, ", running.log_text()), what="a line of the access log")


def _status(http: httpx.Client) -> int | None:
    try:
        return http.get("/health/ready").status_code
    except httpx.TransportError:
        return None


def forward(listener: socket.socket, port: int) -> None:
    """Join every connection to `listener` with one to a port of this machine, until it is closed."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with source, sink, suppress(OSError):  # either end may go in the middle of a word
            while chunk := source.recv(65536):
                sink.sendall(chunk)

    while True:
        try:
            here, _ = listener.accept()
        except OSError:
            return
        there = socket.create_connection(("127.0.0.1", port))
        for pair in ((here, there), (there, here)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def test_it_waits_for_a_database_that_is_away_and_gets_ready_by_itself(
    scratch: Path, movies: dict[str, str], empty_url: str
) -> None:
    port, url = free_port(), make_url(empty_url)
    with service(
        scratch / "waiting",
        DATABASE_URL=url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False),
        **movies,
        **NEVER,
    ) as running:
        poll(running.lives, what="an answer")
        poll(lambda: running.part("database")["state"] == "failed", what="the news that the database is away")
        for path in ("/users/1/views", "/health/ready"):
            assert running.http.get(path).status_code == 503
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=forward, args=(listener, url.port), daemon=True).start()
        poll(running.ready, 30, "a service that is ready")
        assert len(running.recommended(running.new_user())) == 10
        running.stop()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def runs_of(url: str) -> list[Any]:
    database = Database(url, threads=1)
    with database.statement() as db:
        rows = db.execute(text("SELECT * FROM runs WHERE kind = 'train' ORDER BY id")).all()
    database.close()
    return list(rows)


def test_two_processes_share_one_database_and_never_train_at_once(
    scratch: Path, movies: dict[str, str], empty_url: str
) -> None:
    often = movies | {"DATABASE_URL": empty_url, "MATINEE_RETRAIN_MINUTES": "0.05"}
    with service(scratch / "left", **often) as left, service(scratch / "right", **often) as right:
        for each in (left, right):
            each.wait_until_ready()
        user = left.new_user(movie_2=5.0)
        for movie in (4, 6, 8, 10, 12):  # what is told to one, the other knows in its next answer
            left, right = right, left
            left.rate(user, movie, 5.0)
            assert movie not in right.recommended(user)
            assert right.viewed(user)[0] == movie
        poll(lambda: any(run.outcome == "published" for run in runs_of(empty_url)), what="a training")
        live = max(run.details["generation"] for run in runs_of(empty_url) if run.outcome == "published")
        for each in (left, right):
            poll(lambda each=each: (each.part("generation")["id"] or 0) >= live, 15, "the new generation")
        for movie in range(14, 30):  # trainings go on meanwhile
            left.rate(user, movie, 5.0 if movie % 2 == 0 else 1.0)
            found = right.recommended(user)
            assert len(found) == 10
            assert not set(found) & set(right.viewed(user))
        rows = runs_of(empty_url)  # of which the last may be under way
        assert {run.outcome for run in rows} <= {"published", "rejected", None}  # none was cut off by another
        for earlier, later in pairwise(rows):
            assert earlier.finished_at <= later.started_at
        for each in (left, right):
            assert each.stop() < STOP_SECONDS


def bound(port: int, *options: int) -> socket.socket:
    found = socket.socket()
    for option in (socket.SO_REUSEADDR, *options):
        found.setsockopt(socket.SOL_SOCKET, option, 1)
    found.bind(("127.0.0.1", port))
    return found


def test_of_two_services_that_have_bound_one_port_at_once_only_one_listens_and_its_own_processes_join() -> None:
    port = free_port()
    with bound(port) as one, bound(port) as other:
        listen(one, 5, shared=True)
        with pytest.raises(OSError, match="in use"):
            listen(other, 5, shared=True)
        other.close()
        with bound(port, socket.SO_REUSEPORT) as worker:
            listen(worker, 5, shared=False)


def test_ctrl_c_before_there_is_anything_to_stop_ends_it_without_a_traceback() -> None:
    code = "from system.process import end_after\ndef work():\n    raise KeyboardInterrupt\nend_after(work)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")
