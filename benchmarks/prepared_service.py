"""A service to be measured: a real process with a PostgreSQL of its own, filled beforehand."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from http_load import Load, get, under_load
from processes import ServiceProcess, service
from random_content import add_users, publish_factors, write_dataset

from embedded.postgres import EmbeddedPostgres
from jobs.ingest import init_movie_table
from settings import Settings
from storage.database import Database

NEVER = "0"
RATERS = 600  # people of the dataset


@dataclass(frozen=True)
class PreparedState:
    """A folder with all that a service needs to answer at once.

    Attributes:
        readers: users with 20 ratings; collectors: users with 200.
    """

    state_dir: Path
    dataset: Path
    movies: int
    readers: list[int]
    collectors: list[int]


@contextmanager
def prepared_state(
    movies: int, readers: int = 1000, collectors: int = 50, each: int = 160, factors: bool = True
) -> Iterator[PreparedState]:
    """A state directory with a full catalogue and people with ratings; random factors and lists, if asked for."""
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-") as folder:
        Path(folder).chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        dataset = write_dataset(Path(folder) / "dataset", movies, RATERS, each)
        state_dir = Path(folder) / "state"
        settings = Settings(state_dir=state_dir, dataset=str(dataset))
        with EmbeddedPostgres(state_dir) as url:
            database = Database(url, threads=2)
            database.migrate()
            init_movie_table(database, settings)
            with database.background_transaction() as db:
                people = add_users(db, readers, 20, movies), add_users(db, collectors, 200, movies)
            if factors:
                publish_factors(database, movies)
            database.close()
        yield PreparedState(state_dir, dataset, movies, *people)


@contextmanager
def running(prepared: PreparedState, **environ: str) -> Iterator[ServiceProcess]:
    """`python server.py` on a stage, ready to recommend; it trains only when it is told to."""
    own = {"MATINEE_DATASET": str(prepared.dataset), "MATINEE_RETRAIN_MINUTES": NEVER, "MATINEE_RATE_LIMIT": "off"}
    with service(prepared.state_dir, model=own | environ) as process:
        process.wait_until_ready()
        yield process


def port_of(process: ServiceProcess) -> int:
    return process.http.base_url.port or 80


def list_of(user: int) -> bytes:
    """The request for a user's list."""
    return get(f"/users/{user}/recommendations")


def keep_lists(process: ServiceProcess, users: list[int]) -> None:
    """Have the list of each of these users in the memory of the service, as the first request for it does."""
    for user in users:
        process.get(f"/users/{user}/recommendations")


def warm_up(process: ServiceProcess, requests: list[bytes], seconds: float = 1.0) -> None:
    under_load(Load(port_of(process), requests, 16, seconds))
