"""Prepare and run a service to measure: a real process with its own PostgreSQL, filled beforehand."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from http_load import KeepAliveConnection, Load, get, run_load
from processes import ServiceProcess, free_port, service
from random_content import add_users, publish_factors, write_dataset

from embedded.postgres import EmbeddedPostgres
from jobs.ingest import init_movie_table
from settings import ROOT, Settings
from storage.database import Database

NEVER = "0"
DATASET_USERS = 600
_OF_EACH_ANSWER = (b"date", b"server", b"connection", b"x-request-id")


@dataclass(frozen=True)
class PreparedState:
    """A filled state directory and a dataset, with which a service is ready at once.

    Attributes:
        light_users: ids of users with 20 ratings.
        heavy_users: ids of users with 200 ratings.
    """

    state_dir: Path
    dataset: Path
    movies: int
    light_users: list[int]
    heavy_users: list[int]


@contextmanager
def prepared_state(
    movies: int, light_users: int = 1000, heavy_users: int = 50, ratings_each: int = 160, factors: bool = True
) -> Iterator[PreparedState]:
    """Yield a state directory with a full catalogue and users with ratings.

    With `factors` it also has a live generation of random factors, and a stored list for each user. `ratings_each` is
    the number of ratings of each user of the dataset.
    """
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-") as folder:
        Path(folder).chmod(0o755)  # an unprivileged PostgreSQL must be able to enter it
        dataset = write_dataset(Path(folder) / "dataset", movies, DATASET_USERS, ratings_each)
        state_dir = Path(folder) / "state"
        settings = Settings(state_dir=state_dir, dataset=str(dataset))
        with EmbeddedPostgres(state_dir) as url:
            database = Database(url, threads=2)
            database.migrate()
            init_movie_table(database, settings)
            with database.background_transaction() as db:
                users = add_users(db, light_users, 20, movies), add_users(db, heavy_users, 200, movies)
            if factors:
                publish_factors(database, movies)
            database.close()
        yield PreparedState(state_dir, dataset, movies, *users)


@contextmanager
def running(prepared: PreparedState, **environ: str) -> Iterator[ServiceProcess]:
    """Run `python server.py` on a prepared state and yield it once it is ready. It trains only on request."""
    own = {"MATINEE_DATASET": str(prepared.dataset), "MATINEE_RETRAIN_MINUTES": NEVER, "MATINEE_RATE_LIMIT": "off"}
    with service(prepared.state_dir, model=own | environ) as process:
        process.wait_until_ready()
        yield process


def port_of(process: ServiceProcess) -> int:
    return process.http.base_url.port or 80


def list_request(user: int) -> bytes:
    """Return the request for a user's list as raw bytes."""
    return get(f"/users/{user}/recommendations")


def cache_lists(process: ServiceProcess, users: list[int]) -> None:
    """Request the list of each user once, so that the service caches it."""
    for user in users:
        process.get(f"/users/{user}/recommendations")


def warm_up(process: ServiceProcess, requests: list[bytes], seconds: float = 1.0) -> None:
    run_load(Load(port_of(process), requests, 16, seconds))


@contextmanager
def baseline_server(kind: str, port: int, request: bytes, url: str) -> Iterator[int]:
    """Yield the port of a server that always returns the answer of the service on `port` to this request."""
    with KeepAliveConnection(port) as connection:
        connection.request(request)
        head, body = connection.answer
    pairs = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    headers = [(name.decode(), value.decode()) for name, value in pairs if name.lower() not in _OF_EACH_ANSWER]
    own = free_port()
    command = [sys.executable, "benchmarks/memory_server.py", kind, str(own), str(Settings().threads), url]
    with tempfile.TemporaryFile() as log:  # the log of a service is usually a file
        server = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert server.stdin
        assert server.stdout
        server.stdin.write(json.dumps([headers, body.decode()]))
        server.stdin.close()
        if server.stdout.readline() != "ready\n":
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield own
    finally:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()
