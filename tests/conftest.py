"""Fixtures of all tests: a real PostgreSQL, a real Spark, a real HTTP server, and data with known answers."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
import httpx
import numpy as np
import pytest
from browser import browser, page_url, trained_by_hand, untrained, visits  # noqa: F401 - fixtures
from fault_report import pytest_addoption, pytest_terminal_summary, select_fault_tests  # noqa: F401 - hooks
from handmade_model import fill_catalogue, publish, two_tastes
from raw_http import serving
from sqlalchemy import create_engine, make_url, text

from app import create_app
from embedded.postgres import EmbeddedPostgres
from engine import Engine
from health import Health
from jobs.training import Trainer
from models import Base
from ranking.ratings import Ratings
from recommender import Recommender
from settings import ModelSettings, Settings
from storage.database import Database

# tests/spark/spark-defaults.conf says why; tests pass it on to the processes they start
os.environ.setdefault("SPARK_CONF_DIR", str(Path(__file__).parent / "spark"))
WITH_GIVEN_IDS = ("users", "runs", "generations")
# DELETE takes 2 ms where TRUNCATE takes 50, for it makes every file of every table and index anew
EMPTY_ALL = "; ".join(
    [
        "SET LOCAL synchronous_commit = off",
        *(f"DELETE FROM {table}" for table in reversed(Base.metadata.sorted_tables)),  # noqa: S608 - our own tables
        *(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1, false)" for table in WITH_GIVEN_IDS),
    ]
)
# small enough to train in two seconds, large enough for a checkerboard
SMALL_MODEL = ModelSettings(ranker_rank=8, ranker_iterations=5, rater_rank=4, rater_iterations=5, neighbour_reg=10.0)

# files that take minutes; started last, one of them would run on alone
SLOW = {"test_server.py", "test_cli.py", "test_protocols.py", "test_page_at_work.py", "test_engine_faults.py",
        "test_killed_retrain.py", "test_spark_submit.py", "test_scripts.py"}  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the slow files first, and give the tests of Schemathesis an id each.

    Since pytest 9.2 an id does not have what is in brackets of their name; of tests with one id xdist runs only one.
    """
    select_fault_tests(config, items)
    for item in items:
        if not item.nodeid.endswith(item.name):
            item._id = type(item.id).parse(f"{item.nodeid}[{item.name.partition('[')[2]}")
    items.sort(key=lambda item: item.path.name not in SLOW)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for the whole run that an unprivileged PostgreSQL can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="matinee-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def database_url(scratch: Path) -> Iterator[str]:
    """The URL of a new database, in the PostgreSQL of DATABASE_URL or in an embedded one."""
    if given := os.environ.get("DATABASE_URL"):
        yield from scratch_database(given)
    else:
        with EmbeddedPostgres(scratch / "postgres-state") as url:
            without_waiting_for_the_disk(url)
            yield from scratch_database(url)


def without_waiting_for_the_disk(url: str) -> None:
    """Let a crash of the machine lose what is committed, so that a slow disk fails no test by its deadline."""
    admin = create_engine(make_url(url).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    with admin.connect() as db:
        db.execute(text("ALTER SYSTEM SET fsync = off"))
        db.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()


def scratch_database(server: str) -> Iterator[str]:
    url = make_url(server).set(drivername="postgresql+psycopg2")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"matinee_test_{secrets.token_hex(4)}"
    with admin.connect() as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as db:
            db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@pytest.fixture
def empty_url(database_url: str) -> Iterator[str]:
    """The URL of an empty database without tables."""
    yield from scratch_database(database_url)


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    """An empty database without tables."""
    database = Database(empty_url, threads=4)
    yield database
    database.close()


@pytest.fixture
def without_rights(empty: Database) -> Iterator[str]:
    """The URL of a role that may create nothing in the empty database."""
    role = f"matinee_{secrets.token_hex(4)}"
    ask(empty, f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    ask(empty, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    yield make_url(empty.url).set(username=role, password="secret").render_as_string(hide_password=False)
    ask(empty, f"DROP OWNED BY {role}")
    ask(empty, f"DROP ROLE {role}")


def ask(database: Database, statement: str) -> None:
    with database.statement() as db:
        db.execute(text(statement))


@pytest.fixture(scope="session")
def migrated(database_url: str) -> Iterator[Database]:
    database = Database(database_url, threads=24)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def database(migrated: Database) -> Database:
    """The migrated database, with empty tables."""
    with migrated.background_transaction() as db:  # without a deadline: rows that stay would fail later tests
        db.execute(text(EMPTY_ALL))
    return migrated


@pytest.fixture
def recommender(database: Database) -> Recommender:
    """A recommender with forty movies and no generation."""
    fill_catalogue(database)
    return Recommender(database)


@pytest.fixture
def live(recommender: Recommender) -> Recommender:
    """A recommender with forty movies and a live generation of two tastes."""
    publish(recommender, two_tastes())
    return recommender


@pytest.fixture(scope="session")
def spark_settings(scratch: Path) -> Settings:
    return Settings(state_dir=scratch / "Spark state", spark_driver_memory="1g", model=SMALL_MODEL)


@pytest.fixture(scope="session")
def engine(spark_settings: Settings) -> Iterator[Engine]:
    """One Spark for the whole run."""
    engine = Engine(spark_settings)
    engine.start()
    yield engine
    engine.stop()


MOVIES, USERS = 40, 60


def checkerboard() -> Ratings:
    """Return ratings in which even users love even movies and hate odd ones, and odd users the reverse.

    No user has rated every fifth movie. A user who likes even movies must be recommended even movies: there is nothing
    else to learn.
    """
    user, movie = np.meshgrid(np.arange(1, USERS + 1), np.arange(1, MOVIES + 1), indexing="ij")
    rated = (user + movie // 2) % 5 != 0
    user, movie = user[rated], movie[rated]
    rating = np.where(user % 2 == movie % 2, 5.0, 1.0)
    at = 1_500_000_000 + 86_400 * movie + user
    return Ratings(user.astype(np.int32), movie.astype(np.int32), rating.astype(np.float32), at.astype(np.int64))


@pytest.fixture(scope="session")
def dataset(scratch: Path) -> Path:
    """The checkerboard as a MovieLens folder."""
    return write_dataset(scratch / "checkerboard", checkerboard(), MOVIES)


def write_dataset(folder: Path, ratings: Ratings, movies: int) -> Path:
    """Write ratings as a MovieLens folder with so many movies; movie n is "Movie n (1900 + n)"."""
    folder.mkdir()
    lines = [f"{n},Movie {n} ({1900 + n}),{'Drama' if n % 2 else 'Comedy'}\n" for n in range(1, movies + 1)]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(lines))
    rows = zip(ratings.user, ratings.movie, ratings.rating, ratings.at, strict=True)
    lines = [f"{u},{f},{r:.1f},{t}\n" for u, f, r, t in rows]
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "".join(lines))
    return folder


@pytest.fixture
def settings(spark_settings: Settings, dataset: Path, tmp_path: Path) -> Settings:
    return replace(spark_settings, dataset=str(dataset), state_dir=tmp_path)


@pytest.fixture
def trainer(settings: Settings, database: Database, engine: Engine) -> Trainer:
    """A trainer on empty tables."""
    return Trainer(settings, database, engine, Recommender(database))


@pytest.fixture
def serve() -> Iterator[Callable[..., httpx.Client]]:
    """A function that serves an application over HTTP and returns a client for it.

    It takes a recommender, the health and settings by name: `serve(recommender, ready, api_key=KEY)`.
    """
    with ExitStack() as stack:

        def start(recommender: Recommender, health: Health, **settings: Any) -> httpx.Client:
            address = stack.enter_context(serving(create_app(recommender, health, Settings(**settings))))
            return stack.enter_context(httpx.Client(base_url="http://{}:{}".format(*address), timeout=30))

        yield start


@pytest.fixture
def ready() -> Health:
    """The health of a process that is ready."""
    health = Health()
    for part in ("database", "catalogue", "generation"):
        health.report(part, "ready")
    return health
