"""A training and what befalls it: outages of the database, answers that are lost, views that are committed late."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EMPTY_ALL, MOVIES, SMALL_MODEL, checkerboard
from disposable_postgres import DisposablePostgres, disposable_postgres
from sqlalchemy import Connection, text

from engine import Engine, EngineError
from jobs import job_run
from jobs.ingest import init_movie_table
from jobs.publish import SupersededError
from jobs.training import Outcome, Trainer
from ranking.batch_lists import rank_locally
from ranking.factors import Factors
from ranking.rating_histories import Histories
from ranking.ratings import Ratings
from recommender import Recommender
from settings import USER_OFFSET, Settings
from storage import generations, recommendations, runs, user_ratings, users
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.runs import TRAINING_PHASES


class Rehearsed(Engine):
    """Learns what it has learned before, at once; notes from what, and has something happen before lists are made."""

    def __init__(self, engine: Engine, factors: Factors, happens: Callable[[], None] = lambda: None) -> None:
        super().__init__(engine.settings)
        self.factors = factors
        self.happens = happens
        self.given: list[Ratings] = []

    def train(self, ratings: Ratings, *_: object) -> Factors:
        self.given.append(ratings)
        return self.factors

    def iter_lists(self, factors: Factors, histories: Histories, n: int) -> Any:
        self.happens()
        yield rank_locally(factors, histories, n)


class Piecemeal(Rehearsed):
    """Hands over one list at a time; the thing happens before each but the first."""

    def iter_lists(self, factors: Factors, histories: Histories, n: int) -> Any:
        for place, piece in enumerate(histories.pieces(len(histories))):
            if place:
                self.happens()
            yield rank_locally(factors, piece, n)


@pytest.fixture(scope="module")
def factors(engine: Engine) -> Factors:
    return engine.train(checkerboard(), np.arange(1, MOVIES + 1, dtype=np.int32), SMALL_MODEL, lambda *_: None)


@pytest.fixture
def filled(trainer: Trainer, factors: Factors) -> Trainer:
    """A trainer on a database whose catalogue is filled, with a rehearsed engine."""
    init_movie_table(trainer.database, trainer.settings)
    return replace(trainer, engine=Rehearsed(trainer.engine, factors))


@pytest.fixture(scope="module")
def postgres(scratch: Path) -> Iterator[DisposablePostgres]:
    with disposable_postgres(scratch / "outages") as hurt:
        yield hurt


@pytest.fixture
def at_mercy(postgres: DisposablePostgres, settings: Settings, engine: Engine) -> Iterator[Trainer]:
    """A trainer on a database that can be taken from it."""
    postgres.ask(EMPTY_ALL)
    database = Database(postgres.url, threads=2)
    trainer = Trainer(settings, database, engine, Recommender(database))
    init_movie_table(database, settings)
    yield trainer
    database.close()


def someone(database: Database, *movies: int) -> int:
    """A new user who loves these movies."""
    with database.statement() as db:
        user = users.create(db)
        for movie in movies:
            user_ratings.put(db, user, movie, 5.0)
    return user


def listed(trainer: Trainer, user: int) -> list[int]:
    return [item.movie.movie_id for item in trainer.recommender.recommend(user).items]


def last_run(database: Database) -> Any:
    with database.statement() as db:
        return runs.newest(db, "train")[0]


def learned(database: Database) -> list[int]:
    """How many views each generation has learned from, the newest first."""
    with database.statement() as db:
        return [row.details["facts"]["views"] for row in generations.recent(db, 10)]


def lists_stored(database: Database) -> dict[int, list[int]]:
    """The users who have a list, by generation."""
    query = "SELECT generation_id, array_agg(user_id ORDER BY user_id) FROM recommendations GROUP BY 1"
    with database.statement() as db:
        return dict(db.execute(text(query)).all())


def start(job: Callable[[], Outcome]) -> "Future[Outcome]":
    """The job in another thread; only the main thread may start PostgreSQL."""
    pool = ThreadPoolExecutor(1)
    doing = pool.submit(job)
    pool.shutdown(wait=False)
    return doing


def outlast_outage(training: Future[Outcome], postgres: DisposablePostgres, away: threading.Event) -> None:
    """Take the database away, set `away`, see the training wait, and bring the database back."""
    postgres.end(signal.SIGKILL)
    away.set()
    with pytest.raises(TimeoutError):
        training.result(1)
    postgres.start_again()


def test_a_training_waits_with_its_results_for_a_database_that_is_away(
    at_mercy: Trainer, postgres: DisposablePostgres, factors: Factors
) -> None:
    user = someone(at_mercy.database, 2, 4, 6)
    trained, away = threading.Event(), threading.Event()

    def wait_for_outage() -> None:
        trained.set()
        assert away.wait(60)

    training = start(replace(at_mercy, engine=Rehearsed(at_mercy.engine, factors, wait_for_outage)).retrain)
    assert trained.wait(120)
    outlast_outage(training, postgres, away)
    assert training.result(60) == "published"
    assert learned(at_mercy.database) == [3]
    assert {movie % 2 for movie in listed(at_mercy, user)} == {0}
    assert last_run(at_mercy.database).outcome == "published"


def test_an_outage_in_the_middle_of_publishing_is_waited_out_and_no_list_is_missing(
    at_mercy: Trainer, postgres: DisposablePostgres, factors: Factors
) -> None:
    people = [someone(at_mercy.database, 2, 4, 6) for _ in range(3)]
    stored, away = threading.Event(), threading.Event()

    def wait_for_outage() -> None:
        stored.set()
        assert away.wait(60)

    training = start(replace(at_mercy, engine=Piecemeal(at_mercy.engine, factors, wait_for_outage)).retrain)
    assert stored.wait(120)
    outlast_outage(training, postgres, away)
    assert training.result(60) == "published"
    assert lists_stored(at_mercy.database) == {1: people}


def test_a_failure_during_an_outage_is_recorded_as_soon_as_the_database_is_back(
    at_mercy: Trainer, postgres: DisposablePostgres
) -> None:
    class Doomed(Engine):
        def train(self, *_: object) -> Factors:
            trained.set()
            away.wait(60)
            raise EngineError("Spark's JVM went with it")

    trained, away = threading.Event(), threading.Event()
    training = start(replace(at_mercy, engine=Doomed(at_mercy.settings)).retrain)
    assert trained.wait(60)
    outlast_outage(training, postgres, away)
    with pytest.raises(EngineError):
        training.result(60)
    ended = last_run(at_mercy.database)
    assert (ended.outcome, ended.error) == ("failed", "EngineError: Spark's JVM went with it")


class Forgetful(Database):
    """Loses the answer to the first commit of a transaction in which there is something in a table."""

    table, lost = "", False

    @contextmanager
    def background_transaction(self) -> Iterator[Connection]:
        with super().background_transaction() as db:
            yield db
            stored = db.execute(text(f"SELECT count(*) FROM {self.table}")).scalar_one()  # noqa: S608 - a name
        if stored and not self.lost:
            self.lost = True
            raise DatabaseUnavailableError("the connection was lost")


@pytest.mark.parametrize("table", ["generations", "recommendations"])
def test_a_generation_whose_commit_was_not_confirmed_is_not_stored_again(
    table: str, filled: Trainer, database_url: str
) -> None:
    database = Forgetful(database_url, threads=2)
    database.table = table
    trainer = replace(filled, database=database, recommender=Recommender(database))
    user = someone(database, 2, 4)
    assert trainer.retrain() == "published"
    assert database.lost
    assert learned(database) == [2]
    assert last_run(database).outcome == "published"
    assert trainer.recommender.model.live.id == 1
    assert len(listed(trainer, user)) == 10
    assert lists_stored(database) == {1: [user]}
    database.close()


def test_an_outage_that_outlasts_the_patience_fails_the_run(filled: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise DatabaseUnavailableError("it is away")

    monkeypatch.setattr("jobs.publish.OUTAGE_SECONDS", 0.1)
    monkeypatch.setattr(job_run, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(generations, "add", refuse)
    with pytest.raises(DatabaseUnavailableError):
        filled.retrain()
    assert last_run(filled.database).error == "DatabaseUnavailableError: it is away"
    assert filled.recommender.model.live is None
    monkeypatch.undo()
    assert filled.retrain() == "published"


def test_a_run_that_has_published_and_cannot_tidy_up_has_published(
    filled: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Connection) -> None:
        raise DatabaseUnavailableError("it is away")

    user = someone(filled.database, 2)
    filled.retrain()
    with filled.database.statement() as db:
        user_ratings.put(db, user, 4, 5.0)
    monkeypatch.setattr(recommendations, "prune", fail)
    assert filled.retrain() == "published"
    monkeypatch.undo()
    assert last_run(filled.database).outcome == "published"
    with filled.database.statement() as db:
        user_ratings.put(db, user, 6, 5.0)
    assert filled.retrain() == "published"
    with filled.database.statement() as db:  # what was left over went with the next
        assert db.execute(text("SELECT DISTINCT generation_id FROM recommendations")).scalars().all() == [3]


def test_a_view_that_is_committed_after_the_snapshot_is_in_the_next_list_and_the_next_training(
    filled: Trainer,
) -> None:
    late, _ = someone(filled.database), someone(filled.database, 1, 3)
    with filled.database.background_transaction() as db:
        user_ratings.put(db, late, 2, 5.0)
        assert filled.retrain() == "published"  # its snapshot is younger than the view by every clock
        assert len(listed(filled, late)) == 10
    assert 2 not in listed(filled, late)
    assert {movie % 2 for movie in listed(filled, late)} == {0}  # and the rest of the list has heard of it, too
    assert filled.retrain() == "published"
    without, with_it = [ratings.movie[ratings.user == late + USER_OFFSET].tolist() for ratings in filled.engine.given]
    assert (without, with_it) == ([], [2])
    assert learned(filled.database) == [3, 2]


def test_no_list_is_read_before_all_are_there(filled: Trainer, factors: Factors) -> None:
    def read() -> list[Any]:
        with filled.database.statement() as db:
            return [recommendations.read(db, user)[1] for user in people]

    people = [someone(filled.database, 2, 4) for _ in range(3)]
    assert filled.retrain() == "published"
    before, meanwhile, stored = read(), [], []

    def look() -> None:
        meanwhile.append(read())
        stored.append(lists_stored(filled.database)[2])

    someone(filled.database, 6)
    other = replace(factors, mu=factors.mu - 1)
    assert replace(filled, engine=Piecemeal(filled.engine, other, look)).retrain() == "published"
    assert stored == [people[:1], people[:2], people]  # each was there before the next was made
    assert meanwhile == [before] * 3
    assert all(now.expected < then.expected for now, then in zip(read(), before, strict=True))


def test_a_training_that_is_overtaken_while_it_publishes_leaves_nothing_for_long(
    filled: Trainer, factors: Factors
) -> None:
    def overtake() -> None:
        with filled.database.statement() as db:
            runs.begin(db, "train")  # as another process does that got the lock when this one's connection broke

    people = [someone(filled.database, 2) for _ in range(2)]
    with pytest.raises(SupersededError):
        replace(filled, engine=Piecemeal(filled.engine, factors, overtake)).retrain()
    assert learned(filled.database) == []
    assert lists_stored(filled.database) == {1: people}
    assert filled.retrain() == "published"
    assert lists_stored(filled.database) == {2: people}


def test_who_is_erased_in_the_middle_of_publishing_does_not_wait_and_does_not_come_back(
    filled: Trainer, factors: Factors
) -> None:
    def erase() -> None:
        with filled.database.background_transaction() as db:
            db.execute(text("SET LOCAL lock_timeout = '1s'"))  # who waits here would wait for ever
            while leaving:
                users.delete(db, leaving.pop())

    listed_already, stays, leaves = (someone(filled.database, 2) for _ in range(3))
    leaving = [listed_already, leaves]
    assert replace(filled, engine=Piecemeal(filled.engine, factors, erase)).retrain() == "published"
    assert lists_stored(filled.database) == {1: [stays]}


def test_the_progress_of_a_training_moves_with_the_lists_that_are_stored(filled: Trainer, factors: Factors) -> None:
    def look() -> None:
        told.append((last_run(filled.database).phase, last_run(filled.database).progress))

    told: list[tuple[str, float]] = []
    for _ in range(4):
        someone(filled.database, 2)
    assert replace(filled, engine=Piecemeal(filled.engine, factors, look)).retrain() == "published"
    phases, progress = zip(*told, strict=True)
    assert set(phases) == {"lists"}
    before = sum(share for name, share in TRAINING_PHASES.items() if name not in {"lists", "publish"})
    assert progress == pytest.approx([before + TRAINING_PHASES["lists"] * n / 4 for n in (1, 2, 3)], abs=1e-6)


def test_a_live_generation_that_cannot_be_read_is_trained_anew_though_nothing_has_changed(filled: Trainer) -> None:
    someone(filled.database, 2)
    assert filled.retrain() == "published"
    assert filled.retrain() == "unchanged"
    with filled.database.statement() as db:
        db.execute(text("UPDATE generations SET checksum = 'of other bytes'"))
    restarted = replace(filled, recommender=Recommender(filled.database))
    assert restarted.retrain() == "published"
    assert restarted.recommender.model.live.id == 2
