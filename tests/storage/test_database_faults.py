"""PostgreSQL silent, stopped, killed, out of connections or slow: told within the limit, and back with the database."""

import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import psycopg2
import pytest
from conftest import EMPTY_ALL
from disposable_postgres import DisposablePostgres, disposable_postgres
from handmade_model import IDS, fill_catalogue, new_user, publish, two_tastes, view
from processes import service
from sqlalchemy import make_url, text

from health import Health
from jobs.refresh import refresh
from recommender import Recommender
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError
from storage.request_deadline import Watchdog, connect_before, socket_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
# what is promised is 2 s for an answer and for the service to be back; machines that run tests are busy
ANSWERED_SECONDS = BACK_SECONDS = 6
STOP_SECONDS = 20
THREADS = 6

Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def postgres(scratch: Path) -> Iterator[DisposablePostgres]:
    with disposable_postgres(scratch / "disposable") as hurt:
        yield hurt


@pytest.fixture
def database(postgres: DisposablePostgres) -> Iterator[Database]:
    """A pool of connections to it, with a catalogue and nobody yet."""
    postgres.ask(EMPTY_ALL)
    database = Database(postgres.url, THREADS)
    fill_catalogue(database)
    yield database
    database.close()


@pytest.fixture
def user(database: Database) -> int:
    return new_user(database, {IDS[0]: 4.0})


@pytest.fixture
def client(database: Database, user: int, serve: Serve, ready: Health) -> httpx.Client:
    """The service on it, with a generation and connections that have been used; it looks at it when asked how it is."""
    recommender = Recommender(database)
    publish(recommender, two_tastes())
    client = serve(recommender, ready)
    assert {answer.status_code for answer in requests(client, user)} == {200}

    def look(request: httpx.Request) -> None:
        if "/health/" in str(request.url):
            refresh(recommender, ready)

    client.event_hooks["request"] = [look]
    return client


def requests(client: httpx.Client, user: int) -> list[httpx.Response]:
    """One of each kind, at once."""
    asked = [
        ("POST", f"/users/{user}/views/{IDS[1]}"),
        ("GET", f"/users/{user}/views"),
        ("GET", f"/users/{user}/recommendations"),
        ("GET", "/health/ready"),
    ]

    def ask(method: str, path: str) -> httpx.Response:
        return client.request(method, path, json={"rating": 2.0} if method == "POST" else None)

    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda one: ask(*one), asked))
    for answer in answers:
        answer.status_code = 200 if answer.status_code == 201 else answer.status_code
    return answers


def assert_unavailable(answers: list[httpx.Response]) -> None:
    for answer in answers:
        assert answer.elapsed.total_seconds() < ANSWERED_SECONDS
        if "/health/" not in str(answer.url):  # what that says may be a second old
            assert answer.status_code == 503, answer.text
            assert answer.headers["Retry-After"] == "1"
            assert answer.json()["success"] is False


def assert_back(client: httpx.Client, user: int) -> None:
    """Not one request fails once readiness, which may be a second old, says so."""
    _until(lambda: client.get("/health/ready").status_code == 200)
    for _ in range(3):
        assert [answer.status_code for answer in requests(client, user)] == [200] * 4


def history(database: Database, user: int) -> tuple[int, int]:
    """How many views the user has, and the version of their history."""
    with database.statement() as db:
        row = db.execute(
            text(
                "SELECT (SELECT count(*) FROM views WHERE user_id = u.id), history_version FROM users u WHERE id = :u"
            ),
            {"u": user},
        ).one()
    return row[0], row[1]


def use_all(database: Database) -> None:
    """Have every connection of the pool open."""
    together = threading.Barrier(THREADS)

    def use(_: int) -> None:
        with database.statement() as db:
            db.execute(text("SELECT 1"))
            together.wait()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(use, range(THREADS)))


def test_a_silent_postgres_is_told_of_and_is_back_when_it_speaks(
    postgres: DisposablePostgres, client: httpx.Client, user: int, database: Database
) -> None:
    with postgres.silent():
        assert_unavailable(requests(client, user))  # on connections that were open
        assert_unavailable(requests(client, user))  # and on new ones
        _until(lambda: client.get("/health/ready").status_code == 503)
    began = time.monotonic()
    assert_back(client, user)
    assert time.monotonic() - began < BACK_SECONDS


def begin_and_end(database: Database, work: str) -> None:
    if work == "transaction":
        with database.transaction() as db:
            db.execute(text("SELECT 1"))
    else:
        with database.try_lock(TRAINING_LOCK):
            pass


@pytest.mark.parametrize("work", ["transaction", "lock", "unlock"])
def test_no_work_in_haste_outlasts_the_silence(work: str, postgres: DisposablePostgres, database: Database) -> None:
    use_all(database)
    with ExitStack() as silence:
        began = time.monotonic()
        if work == "unlock":
            with database.try_lock(TRAINING_LOCK) as mine:  # what was done under it is done
                assert mine
                silence.enter_context(postgres.silent())
        else:
            silence.enter_context(postgres.silent())
            with pytest.raises(DatabaseUnavailableError, match="has not answered within"):
                begin_and_end(database, work)
        assert time.monotonic() - began < ANSWERED_SECONDS
    with database.try_lock(TRAINING_LOCK) as free:
        assert free


def test_more_requests_than_connections_are_all_told_in_time(postgres: DisposablePostgres, database: Database) -> None:
    def ping(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            database.ping()
        return time.monotonic() - began

    with postgres.silent(), ThreadPoolExecutor(3 * THREADS) as pool:
        assert max(pool.map(ping, range(3 * THREADS))) < ANSWERED_SECONDS
    database.ping()


def test_a_host_with_many_silent_addresses_does_not_take_the_limit_for_each(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts, and never says a word
        port = mute.getsockname()[1]
        host = ",".join(["127.0.0.1"] * 4)
        url = make_url(database.url).set(host=None, port=None, query={"host": host, "port": ",".join([str(port)] * 4)})
        away = Database(url.render_as_string(hide_password=False), THREADS)
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailableError, match="has not answered within"):
            away.ping()
        assert time.monotonic() - began < ANSWERED_SECONDS
        away.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_after_a_stop_and_a_start_no_request_meets_a_connection_from_before(
    how: signal.Signals, postgres: DisposablePostgres, client: httpx.Client, user: int, database: Database
) -> None:
    before = history(database, user)
    use_all(database)
    postgres.end(how)
    assert_unavailable(requests(client, user))
    postgres.start_again()
    began = time.monotonic()
    assert_back(client, user)
    assert time.monotonic() - began < BACK_SECONDS
    assert history(database, user) == (before[0], before[1] + 3)  # by the three requests that were answered


def test_a_restart_between_two_requests_is_not_noticed(
    postgres: DisposablePostgres, client: httpx.Client, user: int, database: Database
) -> None:
    use_all(database)
    postgres.end(signal.SIGKILL)
    postgres.start_again()
    assert_back(client, user)


def test_a_killed_session_takes_all_others_with_it_and_a_write_is_made_once_or_not_at_all(
    postgres: DisposablePostgres, database: Database
) -> None:
    users = [new_user(database) for _ in range(THREADS)]
    told = dict.fromkeys(users, 0)
    failed: list[int] = []
    over = threading.Event()

    def write(user: int) -> None:
        while not over.is_set():
            try:
                view(database, user, IDS[told[user] % len(IDS)], 3.0)
                told[user] += 1
            except DatabaseUnavailableError:
                failed.append(user)
                over.wait(0.01)

    use_all(database)
    session = int(str(postgres.ask("SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'matinee'")))
    with ThreadPoolExecutor(THREADS) as pool:
        writers = [pool.submit(write, user) for user in users]
        try:
            os.kill(session, signal.SIGKILL)
            _until(lambda: bool(failed))
            so_far = dict(told)
            _until(lambda: all(told[user] > so_far[user] for user in users))
        finally:
            over.set()
        for writer in writers:
            writer.result()
    for user in users:
        count, version = history(database, user)
        assert told[user] <= version <= told[user] + 1  # a commit whose answer was lost counts as well
        assert min(told[user], len(IDS)) <= count <= version


def _until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_free_connection_it_is_told_and_comes_back(
    postgres: DisposablePostgres, client: httpx.Client, user: int, database: Database
) -> None:
    database.close()  # the pool is empty, and has to open new ones
    with ExitStack() as greedy:
        with suppress(psycopg2.OperationalError):  # too many clients
            while True:
                greedy.enter_context(closing(postgres.connect()))
        assert_unavailable(requests(client, user))
    _until(lambda: client.get("/health/ready").status_code == 200)
    assert_back(client, user)


@pytest.mark.parametrize("table", ["views", "users"])
def test_a_view_that_waits_too_long_for_a_lock_is_told_and_not_half_there(
    table: str, postgres: DisposablePostgres, client: httpx.Client, user: int, database: Database
) -> None:
    before = history(database, user)
    with closing(postgres.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")  # nobody writes, all may read
        answer = client.post(f"/users/{user}/views/{IDS[2]}", json={"rating": 5.0})
        assert client.get(f"/users/{user}/views").status_code == 200
        assert history(database, user) == before
    assert_unavailable([answer])
    assert history(database, user) == before
    assert client.post(f"/users/{user}/views/{IDS[2]}", json={"rating": 5.0}).status_code == 201
    assert history(database, user) == (before[0] + 1, before[1] + 1)


def test_the_server_stops_while_postgres_is_silent(postgres: DisposablePostgres, dataset: Path, scratch: Path) -> None:
    postgres.ask(EMPTY_ALL)
    own = {"DATABASE_URL": postgres.url, "MATINEE_DATASET": str(dataset), "MATINEE_RETRAIN_MINUTES": "0"}
    with service(scratch / "stopped-in-silence", **own) as running:
        running.wait_until_ready()
        user = running.new_user()
        with postgres.silent():
            assert running.http.get(f"/users/{user}/views").status_code == 503
            assert running.stop() < STOP_SECONDS


def readable(wire: socket.socket) -> bool:
    return bool(select.select([wire], [], [], 0)[0])


def test_the_watchdog_cuts_what_is_late_and_nothing_else() -> None:
    watchdog = Watchdog()
    now = time.monotonic()
    pairs = [socket.socketpair() for _ in range(3)]
    late, soon, never = [pair[0] for pair in pairs]
    watchdog.watch(never, now + 600)
    watchdog.watch(late, now + 0.2)
    watchdog.watch(soon, now + 0.1)  # the one that comes last is due first
    assert soon.recv(1) == b""
    assert late.recv(1) == b""
    assert not readable(never)
    assert [watchdog.unwatch(wire) for wire in (late, soon, never)] == [True, True, False]
    watchdog.close()
    watchdog.watch(never, time.monotonic())  # closed, it begins again
    assert never.recv(1) == b""
    watchdog.close()
    for wire in [wire for pair in pairs for wire in pair]:
        wire.close()


def test_the_watchdog_does_not_cut_another_connection_with_the_same_number() -> None:
    watchdog = Watchdog()
    first = socket.socketpair()
    number = first[0].fileno()
    ours = socket_of(cast(Any, SimpleNamespace(connection=SimpleNamespace(info={}, fileno=lambda: number))))
    watchdog.watch(ours, time.monotonic() + 0.1)
    first[0].close()
    second = socket.socketpair()
    assert number in (second[0].fileno(), second[1].fileno())
    assert first[1].recv(1) == b""  # cut
    assert not readable(second[0])
    assert not readable(second[1])
    watchdog.close()
    for wire in (ours, first[1], *second):
        wire.close()


def test_the_watchdog_cuts_though_the_process_may_open_nothing_more() -> None:
    watchdog = Watchdog()
    ours, theirs = socket.socketpair()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    watchdog.watch(ours, time.monotonic() + 0.1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        assert theirs.recv(1) == b""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    watchdog.close()
    ours.close()
    theirs.close()


def test_no_socket_stays_open_when_its_connection_has_left_the_pool(database: Database) -> None:
    def used() -> int:
        with database.statement() as db:
            db.execute(text("SELECT 1"))
            return socket_of(db).fileno()

    first = used()
    assert used() == first
    with suppress(DatabaseUnavailableError), database.statement() as db:
        db.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert not _open(first)
    second = used()
    with database.background_transaction():
        pass
    assert not _open(second)
    third = used()
    database.close()
    assert not _open(third)


def _open(number: int) -> bool:
    with suppress(OSError):
        os.fstat(number)
        return True
    return False


def test_a_connection_that_comes_too_late_is_closed() -> None:
    class Connection:
        closed = threading.Event()

        def close(self) -> None:
            self.closed.set()

    let_it_come = threading.Event()

    def connect() -> Connection:
        let_it_come.wait()
        return Connection()

    with pytest.raises(TimeoutError):
        connect_before(connect, time.monotonic() + 0.05)
    assert not Connection.closed.is_set()
    let_it_come.set()
    assert Connection.closed.wait(30)
