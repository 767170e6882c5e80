"""A PostgreSQL that tests stop, kill and suspend, and a disk that they fill up."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg2
import pytest
from processes import poll
from sqlalchemy import make_url

from embedded.postgres import EmbeddedPostgres
from storage.database import Database


class DisposablePostgres:
    """An embedded PostgreSQL that a test can stop, kill and suspend."""

    def __init__(self, server: EmbeddedPostgres, url: str) -> None:
        self.server = server
        self.url = url

    def connect(self, database: str | None = None) -> psycopg2.extensions.connection:
        """A connection beside all pools, to our database or another one."""
        url = make_url(self.url).set(drivername="postgresql", database=database or make_url(self.url).database)
        return psycopg2.connect(url.render_as_string(hide_password=False))

    def ask_alone(self, statement: str) -> None:
        """Run a statement that may not be in a transaction."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement)

    def ask(self, statement: str) -> object:
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None

    @property
    def postmaster(self) -> int:
        folder = Path(str(self.ask("SHOW data_directory")))
        return int((folder / "postmaster.pid").read_text().split()[0])

    def end(self, with_signal: signal.Signals) -> None:
        """End the whole server: SIGINT stops it cleanly, SIGKILL does not."""
        pids = process_tree(self.postmaster)
        os.kill(pids[0], with_signal)
        self.server._process.wait()  # it is our child process; unless we wait for it, it stays a zombie
        poll(lambda: not any(psutil.pid_exists(pid) for pid in pids[1:]), what="the end of PostgreSQL's sessions")

    def start_again(self) -> None:
        self.server.restart_if_ended()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Suspend the server: the kernel accepts connections, and no process of PostgreSQL runs."""
        pids = [self.postmaster]
        try:
            os.kill(pids[0], signal.SIGSTOP)
            pids = process_tree(pids[0])  # no new children from now on, though one may be ending
            _send_all(pids[1:], signal.SIGSTOP)
            yield
        finally:
            _send_all(pids, signal.SIGCONT)


@contextmanager
def disposable_postgres(folder: Path) -> Iterator[DisposablePostgres]:
    """Start one with our tables, in a folder that an unprivileged PostgreSQL can enter."""
    server = EmbeddedPostgres(folder)
    with server as url:
        database = Database(url, threads=1)
        database.migrate()
        database.close()
        yield DisposablePostgres(server, url)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a new folder as a disk of this size; skip the test where that is impossible."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(folder)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root, and is not possible everywhere")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(folder: Path) -> Path:
    """Fill the disk of a folder, and return the file that fills it."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def _send_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def process_tree(pid: int) -> list[int]:
    """A process and its children, as /proc has them."""
    found = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found
