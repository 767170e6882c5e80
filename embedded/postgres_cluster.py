"""A PostgreSQL cluster on the disk: create it, run it, and find a server that runs on it."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from embedded.postgres_files import Account, PostgresError
from system.process import die_with_parent, process_works_in

USER = DATABASE = "matinee"
LEFTOVER_SECONDS = 60  # the PostgreSQL of a killed owner may have much to write before it ends
# its log holds no statement and no row: these tell what a user thinks of a movie
LOG_FLAGS = ("log_min_error_statement=panic", "log_error_verbosity=terse")
FLAGS = ("max_connections=300", "shared_buffers=128MB", *LOG_FLAGS)
AUTH_FLAGS = ("--auth=scram-sha-256", "--pwfile=/dev/stdin")
LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


@dataclass(frozen=True)
class PostgresCluster:
    """A cluster: its folder, the folder of its programs, the account that owns it, and its log."""

    path: Path
    program: Path
    account: Account
    log: Path

    def prepare(self, password: str) -> None:
        """Ensure that a cluster of our version exists and that no server runs on it."""
        stop_leftover_server(self.path)
        if not self.path.exists():
            self._create(password)
        elif os.geteuid() == 0 and self.path.stat().st_uid == 0:
            self.account.give(self.path)  # a backup put back by root
        self._check_version()

    def _create(self, password: str) -> None:
        """Create the cluster and its database under another name and rename it last: no half-made one is ever used."""
        half = self.path.with_name(f"{self.path.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        self.account.give(half)
        self._run(password, "initdb", "-D", half, "-U", USER, *AUTH_FLAGS, *LOCALE)
        self._run(f"CREATE DATABASE {DATABASE}", "postgres", "--single", "-D", half, "postgres")
        half.rename(self.path)

    def _run(self, text: str, program: str, *arguments: str | Path) -> None:
        """Run a program of PostgreSQL with this text on its standard input."""
        with tempfile.TemporaryFile() as stdin:
            stdin.write(text.encode() + b"\n")
            stdin.seek(0)
            if self.account.ids is not None:
                os.fchown(stdin.fileno(), *self.account.ids)  # initdb opens /dev/stdin again, as its owner
            succeeded, output = self.account.run(self.program / program, *arguments, stdin=stdin)
        if not succeeded:
            raise PostgresError(f"{program} could not make {self.path}: {output[-2000:]}")

    def _check_version(self) -> None:
        made_by = (self.path / "PG_VERSION").read_text().strip()
        answer = self.account.run(self.program / "postgres", "--version")[1]
        ours = answer.rpartition(" ")[2].partition(".")[0]
        if made_by != ours:
            raise PostgresError(
                f"{self.path} was made by PostgreSQL {made_by}, this is PostgreSQL {ours}, and they cannot read each "
                "other's files. With the version of Matinee that made it, `matinee backup FILE`; with this one and "
                "another MATINEE_STATE_DIR, `matinee restore FILE`."
            )

    def serve(self, port: int) -> subprocess.Popen[bytes]:
        """Start PostgreSQL on 127.0.0.1. It ends when the main thread ends, however that happens.

        The kernel ties it to the thread that starts it, so that has to be the main one.
        """
        if threading.current_thread() is not threading.main_thread():
            raise PostgresError("Start the embedded PostgreSQL from the main thread: it ends with its starter.")
        settings = [word for flag in FLAGS for word in ("-c", flag)]
        with open(self.log, "ab", opener=partial(os.open, mode=0o600)) as log:
            return subprocess.Popen(  # noqa: S603 - our own program
                [self.program / "postgres", "-D", self.path, "-h", "127.0.0.1", "-k", "", "-p", str(port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we stop PostgreSQL after the last request
                preexec_fn=partial(die_with_parent, signal.SIGINT, os.getpid()),
                **self.account.popen_options(),
            )


def postmaster(cluster: Path) -> tuple[int, int] | None:
    """Return pid and port of the PostgreSQL that runs on this cluster; None if none does.

    Its pid file stays after a kill or a power cut, and the number may since be another process's.
    """
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return (pid, port) if process_works_in(pid, cluster) else None


def stop_leftover_server(cluster: Path) -> None:
    """Stop a PostgreSQL whose owner is gone, and remove a pid file that names another process."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while (found := postmaster(cluster)) is not None:
        if time.monotonic() > deadline:
            raise PostgresError(f"PostgreSQL (pid {found[0]}) on {cluster} does not end. End it: kill -INT {found[0]}")
        os.kill(found[0], signal.SIGINT)
        time.sleep(0.1)
    (cluster / "postmaster.pid").unlink(missing_ok=True)
