"""Accounts, folders and limits that nobody expects: it works there, or says in one line what to change."""

import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from settings import ROOT

UID = "12345"  # has no name here, as in OpenShift
AS_NOBODY = ["unshare", "--user", f"--map-user={UID}", f"--map-group={UID}"]
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("unshare") or bool(subprocess.run([*AS_NOBODY, "true"]).returncode),
    reason="no user namespace can be made here",
)


def matinee(*arguments: str, before: str = "", **environ: str) -> "subprocess.CompletedProcess[str]":
    """A command by a user id without a name and without a home."""
    script = f'{before} exec "$@"'
    command = [*AS_NOBODY, "sh", "-c", script, "sh", sys.executable, "cli.py", *arguments]
    environ = {"PATH": os.environ["PATH"], "MATINEE_PORT": "1"} | environ
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=90, check=False)


def test_an_embedded_postgres_says_that_it_wants_a_name_for_the_account(tmp_path: Path) -> None:
    done = matinee("migrate", MATINEE_STATE_DIR=str(tmp_path / "state"))
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("matinee: ")]
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"the user id {UID} has no entry in /etc/passwd" in line
    assert "set DATABASE_URL" in line
    found = matinee("doctor", MATINEE_STATE_DIR=str(tmp_path / "state"), before="ulimit -n 256;").stdout
    assert f"fail  account     the user id {UID} has no entry in /etc/passwd" in found
    assert "fail  java        a process may open 256 files here, and Spark needs 1024: raise the limit" in found


def test_a_first_start_says_so_before_it_installs_packages(tmp_path: Path) -> None:
    (tmp_path / "system").mkdir()
    for name in ("start_server.sh", "system/environment.sh", ".env"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "requirements.txt").touch()
    command = [*AS_NOBODY, str(tmp_path / "start_server.sh")]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"matinee: the user id {UID} has no entry in /etc/passwd" in done.stderr
    assert "set DATABASE_URL" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_home_that_is_no_folder_is_no_traceback() -> None:
    done = matinee("status", MATINEE_STATE_DIR="~/matinee", before="unset HOME;")
    assert done.returncode == 2
    assert "MATINEE_STATE_DIR='~/matinee': give a path without ~" in done.stderr


def test_files_are_private_whatever_the_umask(scratch: Path) -> None:
    state = scratch / "umask 000 é"
    done = subprocess.run(
        ["sh", "-c", f"umask 000; exec {shlex.quote(sys.executable)} cli.py migrate"],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "MATINEE_STATE_DIR": str(state)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in (".", "postgres", "postgres/password", "postgres/postgres.log"):
        assert stat.S_IMODE((state / name).stat().st_mode) & 0o007 == 0, name


def test_a_command_that_only_reads_makes_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    for command in (["generations"], ["activate", "1"], ["users", "list"]):
        environ = {"PATH": os.environ["PATH"], "MATINEE_STATE_DIR": str(tmp_path / "wrong")}
        done = subprocess.run(
            [sys.executable, "cli.py", *command], cwd=ROOT, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"matinee: There is no database in {tmp_path}/wrong. Set MATINEE_STATE_DIR")
        assert not (tmp_path / "wrong").exists()
