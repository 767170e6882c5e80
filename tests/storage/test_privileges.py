"""As little as possible: who gets into the database and the state directory, what is run, and what is installed."""

import ast
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from embedded.postgres import EmbeddedPostgres
from settings import ROOT
from system.private_folder import NOBODY, make_private

SOURCES = [file for file in ROOT.rglob("*.py") if not {".venv", "var"} & set(file.relative_to(ROOT).parts)]
RUNS_WHAT_IT_READS = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "jsonpickle",
}


@pytest.fixture(scope="module")
def state_dir(scratch: Path) -> Path:
    return scratch / "private"


@pytest.fixture(scope="module")
def url(state_dir: Path) -> Iterator[str]:
    with EmbeddedPostgres(state_dir) as url:
        yield url.replace("+psycopg2", "")


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.rollback()
        connection.close()


def test_everyone_needs_the_password_and_comes_over_loopback(url: str) -> None:
    rules = ask(url, "SELECT type, address, auth_method, error FROM pg_hba_file_rules")
    assert {(method, error) for _, _, method, error in rules} == {("scram-sha-256", None)}
    assert {address for _, address, _, _ in rules} == {None, "127.0.0.1", "::1"}
    assert ask(url, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert ask(url, "SHOW unix_socket_directories") == [("",)]
    assert ask(url, "SELECT rolpassword ~ '^SCRAM-SHA-256[$]' FROM pg_authid WHERE rolcanlogin") == [(True,)]


@pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="looks for sockets in /proc")
def test_postgresql_has_no_socket_in_any_folder(url: str) -> None:
    assert f".s.PGSQL.{make_url(url).port}" not in Path("/proc/net/unix").read_text()


def test_nobody_else_may_look_into_the_state_directory(url: str, state_dir: Path) -> None:
    for folder in (state_dir, state_dir / "postgres"):
        found = folder.stat()
        if os.geteuid():
            assert stat.S_IMODE(found.st_mode) == 0o700
        else:  # but root's PostgreSQL may pass
            assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o710, NOBODY[1])
    assert stat.S_IMODE((state_dir / "postgres/data").stat().st_mode) == 0o700
    for secret in ("password", "postgres.log"):
        assert stat.S_IMODE((state_dir / "postgres" / secret).stat().st_mode) == 0o600


def test_a_folder_that_exists_stays_as_it_was_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    make_private(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_what_the_database_refuses_is_told_without_what_was_sent(url: str, state_dir: Path) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation):
        ask(url, "CREATE TEMPORARY TABLE t (rating real CHECK (rating < 5)); INSERT INTO t VALUES (98765)")
    told = (state_dir / "postgres/postgres.log").read_text()
    assert "violates check constraint" in told
    assert "98765" not in told


def unsafe_in(code: str) -> set[str]:
    """What a program uses that would run what it reads."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found |= RUNS_WHAT_IT_READS & {name.partition(".")[0] for name in names}
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.add("allow_pickle")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found |= {"eval", "exec"} & {node.func.id}
    return found


def test_nothing_that_runs_what_it_reads_is_used() -> None:
    assert len(SOURCES) > 100
    ours = {ROOT / "serving/worker.py", ROOT / "serving/workers.py"}  # a pipe between a process and its own child
    read = {file: unsafe_in(file.read_text(encoding="utf-8")) for file in SOURCES}
    assert {file for file, found in read.items() if found} == ours


@pytest.mark.parametrize(
    "code", ["from pickle import loads", "import joblib.x as y", "np.load(file, allow_pickle=True)", "eval(text)"]
)
def test_what_runs_what_it_reads_would_be_noticed(code: str) -> None:
    assert unsafe_in(code)


def asked_for(name: str) -> dict[str, str]:
    """The pinned packages of an .in file, those that it includes too."""
    found: dict[str, str] = {}
    for line in (ROOT / name).read_text().splitlines():
        if line.startswith("-r "):
            found |= asked_for(line.removeprefix("-r "))
        elif line and not line.startswith(("#", "-c ")):
            package, pin, version = line.partition("==")
            assert pin, f"{line} in {name} is not pinned"
            found[package.lower()] = version
    return found


def locked(name: str) -> dict[str, tuple[str, int]]:
    """(version, how many hashes) of every package of a .txt file; the last of one that has several for its markers."""
    text = re.sub(r"(?m)^ *#.*\n", "", (ROOT / name).read_text()).replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([a-z0-9-]+)==([^ ]+)(?: ; [^-]+?)?((?: +--hash=sha256:[0-9a-f]{64})+) *", line)
        assert match, line[:80]
        found[match[1]] = (match[2], match[3].count("--hash"))
    return found


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_what_we_ask_for_is_locked_with_its_hashes(name: str) -> None:
    found = locked(f"{name}.txt")
    wanted = asked_for(f"{name}.in")
    assert wanted == {package: found[package][0] for package in wanted if package in found}
    assert all(hashes for _, hashes in found.values())
    assert len(found) > len(wanted)  # what these need is locked as well


def test_tests_run_on_what_the_service_runs_on() -> None:
    ours, tests = locked("requirements.txt"), locked("requirements-dev.txt")
    assert ours == {package: tests[package] for package in ours if package in tests}


def test_the_lock_names_no_place_to_install_from() -> None:
    for file in ROOT.glob("requirements*"):
        assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host| @ ", file.read_text()), file.name
