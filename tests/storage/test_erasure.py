"""Whoever is erased is gone: from every table, from what is written at that moment, and from the next training."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import Operator
from handmade_model import IDS, fill_catalogue, flip, new_user, show_and_open, store_generation, store_list, two_tastes
from processes import poll
from sqlalchemy import text

import cli
from embedded.postgres import EmbeddedPostgres
from embedded.postgres_cluster import postmaster
from jobs.ingest import init_movie_table
from jobs.training import Trainer
from ranking.batch_lists import rank_locally
from ranking.factors import Factors
from recommender import Recommender
from storage import generations, predictions, recommendations, tokens, user_ratings, users
from storage.database import Database
from storage.errors import UnknownUserError
from storage.predictions import PredictionRow

# every table with a column that names a user, by what happens there when the user is deleted: c is CASCADE
NAMING_USERS = """
    SELECT a.attrelid::regclass::text, coalesce(max(c.confdeltype), 'nothing')
    FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid AND t.relkind = 'r'
    LEFT JOIN pg_constraint c
        ON c.conrelid = a.attrelid AND c.contype = 'f' AND c.confrelid = 'users'::regclass AND a.attnum = ANY (c.conkey)
    WHERE t.relnamespace = 'public'::regnamespace AND (a.attname ~ 'user' OR c.oid IS NOT NULL) AND a.attnum > 0
    GROUP BY 1
"""


@pytest.fixture
def filled(database: Database) -> Database:
    fill_catalogue(database)
    return database


def tables(database: Database) -> dict[str, str]:
    with database.statement() as db:
        return dict(db.execute(text(NAMING_USERS)).all())


def rows_about(database: Database, user: int) -> dict[str, int]:
    """How many rows each table has that names this user."""
    with database.statement() as db:
        return {
            table: db.execute(text(f"SELECT count(*) FROM {table} WHERE user_id = :user"), {"user": user}).scalar_one()  # noqa: S608
            for table in tables(database)
        }


def erase(database: Database, user: int) -> users.DeletedRows:
    with database.background_transaction() as db:
        return users.delete(db, user)


def test_no_table_that_names_users_keeps_its_rows_when_one_is_deleted(filled: Database) -> None:
    found = tables(filled)
    assert len(found) >= 3
    assert set(found.values()) == {"c"}


def test_everything_about_a_user_goes_and_nothing_about_another(filled: Database) -> None:
    user, other = (new_user(filled, {IDS[0]: 4.0, IDS[2]: 5.0}) for _ in range(2))
    recommender = Recommender(filled)
    generation = store_generation(filled, two_tastes())
    flip(filled, generation)
    recommender.model.refresh()
    for each in (user, other):
        store_list(recommender, each)
        show_and_open(filled, each)
        with filled.statement() as db:
            user_ratings.put_mark(db, each, IDS[1], "later")
            tokens.create(db, each, "list")
        with filled.background_transaction() as db:
            predictions.add(
                db, [PredictionRow(each, 1, IDS[0], generation, 4.0, 3.5, 2)], np.array([each]), np.array([2])
            )
    before = rows_about(filled, other)
    assert all(before.values())
    assert erase(filled, user) == users.DeletedRows(views=2, listed=10, predictions=1, impressions=1)
    assert not any(rows_about(filled, user).values())
    assert rows_about(filled, other) == before
    with pytest.raises(UnknownUserError):
        erase(filled, user)


@pytest.fixture
def environ(database: Database) -> dict[str, str]:
    return {"DATABASE_URL": database.url}


def test_an_operator_is_asked_before_a_user_is_erased(filled: Database, environ: dict[str, str]) -> None:
    user = new_user(filled, {IDS[0]: 4.0})
    refused = CliRunner().invoke(cli.cli, ["erase", str(user)], input="n\n", env=environ)
    assert refused.exit_code == 1
    assert rows_about(filled, user)["views"] == 1
    done = CliRunner().invoke(cli.cli, ["erase", str(user)], input="y\n", env=environ)
    assert f"user {user} is erased: 1 view, " in done.output
    assert not any(rows_about(filled, user).values())


def test_an_operator_who_is_sure_is_not_asked(filled: Database, environ: dict[str, str]) -> None:
    user = new_user(filled)
    done = CliRunner().invoke(cli.cli, ["erase", str(user), "--yes"], env=environ)
    assert done.output.startswith(f"user {user} is erased: ")
    assert Operator(environ).refused("erase", str(user), "--yes").startswith(f"matinee: There is no user {user}.")


def write(database: Database, user: int) -> None:
    for movie in IDS[:8]:
        with database.statement() as db:
            user_ratings.put(db, user, movie, 4.0)


def read(database: Database, user: int) -> None:
    recommender = Recommender(database)
    recommender.model.refresh()
    recommender.recommend(user)


def publish(database: Database, user: int) -> None:
    """As a retrain does whose snapshot was taken while the user was there."""
    generation = store_generation(database, two_tastes())
    movies, expected = np.array(IDS[:10], np.int32), np.full(10, 4.0, np.float32)
    with database.background_transaction() as db:
        recommendations.store_lists(db, generation, np.full(10, user, np.int32), np.full(10, 1), movies, expected)
        generations.flip(db, generation)
    with database.background_transaction() as db:
        recommendations.prune(db)


def compare(database: Database, user: int) -> None:
    with database.background_transaction() as db:
        said = PredictionRow(user, time.monotonic_ns(), IDS[0], generations.live_id(db) or 0, 4.0, 4.0, 1)
        predictions.add(db, [said], np.array([user]), np.array([0]))


class Busy:
    """A thread that does one thing for a user again and again, and counts how often."""

    def __init__(self, act: Callable[[Database, int], None], database: Database, user: int) -> None:
        self.over = False
        self.done = threading.Semaphore(0)
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(act, database, user))
        self._thread.start()

    def _run(self, act: Callable[[Database, int], None], database: Database, user: int) -> None:
        while not self.over and self.failure is None:
            try:
                act(database, user)
            except UnknownUserError:  # as a client is told
                pass
            except Exception as error:  # noqa: BLE001 - told by `end`
                self.failure = error
            self.done.release()

    def wait(self, times: int) -> None:
        for _ in range(times):
            assert self.done.acquire(timeout=30)

    def end(self) -> None:
        self.over = True
        self._thread.join()
        if self.failure:
            raise self.failure


def test_nobody_comes_back_by_what_is_written_for_them_at_that_moment(filled: Database) -> None:
    flip(filled, store_generation(filled, two_tastes()))
    for _ in range(4):
        user = new_user(filled, {IDS[0]: 4.0})
        busy = [Busy(act, filled, user) for act in (write, write, read, read, publish, compare)]
        try:
            for each in busy:
                each.wait(1)
            erase(filled, user)
            for each in busy:
                each.wait(2)  # what was under way, and all of another
        finally:
            for each in busy:
                each.end()
        assert not any(rows_about(filled, user).values())


def test_an_id_is_not_given_again_after_the_newest_user_was_erased_and_the_database_was_killed(scratch: Path) -> None:
    embedded = EmbeddedPostgres(scratch / "erased")
    with embedded as url:
        database = Database(url, threads=1)
        database.migrate()
        newest = [new_user(database) for _ in range(3)][-1]
        erase(database, newest)
        cluster = scratch / "erased/postgres/data"
        os.kill(postmaster(cluster)[0], signal.SIGKILL)
        poll(lambda: postmaster(cluster) is None, what="the end of PostgreSQL")

        def is_back() -> bool:
            embedded.restart_if_ended()  # again and again, as the server does: it can be gone before the system says so
            return postmaster(cluster) is not None

        poll(is_back, what="another PostgreSQL")
        assert new_user(database) > newest
        database.close()


def arrays(factors: Factors) -> dict[str, np.ndarray]:
    return {
        f.name: getattr(factors, f.name) for f in fields(factors) if isinstance(getattr(factors, f.name), np.ndarray)
    }


def learned(trainer: Trainer) -> dict[str, np.ndarray]:
    """What the newest training has made of everything that is known."""
    assert trainer.retrain() in ("published", "rejected")
    with trainer.database.background_transaction() as db:
        return arrays(generations.load(db, generations.recent(db, 1)[0].id))


LOVES_EVEN, LOVES_ODD = {2: 5.0, 4: 4.5, 7: 1.0}, dict.fromkeys(range(1, 40, 2), 5.0)


def at_one_time(database: Database) -> None:
    """Date all views alike, so that two databases that were filled one after the other hold the same."""
    with database.statement() as db:
        db.execute(text("UPDATE views SET rated_at = '2026-01-01 12:00 UTC'::timestamptz + version * interval '1 min'"))


def same(one: np.ndarray, other: np.ndarray, exactly: bool) -> bool:
    return np.array_equal(one, other) if exactly else np.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_training_after_an_erasure_is_one_that_never_knew_them(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = trainer.database
    # no list is looked at, so they need no Spark
    monkeypatch.setattr(trainer.engine, "iter_lists", lambda *given: (part for part in [rank_locally(*given)]))
    init_movie_table(database, trainer.settings)
    new_user(database, LOVES_EVEN)
    erase(database, new_user(database))  # leaves a gap in the ids where the other is to be
    new_user(database, LOVES_EVEN)
    at_one_time(database)
    never = learned(trainer)

    with database.background_transaction() as db:
        db.execute(text("TRUNCATE users RESTART IDENTITY CASCADE"))
    new_user(database, LOVES_EVEN)
    gone = new_user(database, LOVES_ODD)
    new_user(database, LOVES_EVEN)
    at_one_time(database)
    knowing = learned(trainer)
    erase(database, gone)
    after = learned(trainer)

    # with more than two cores Spark adds up parts in the order in which they come, which the last digits show
    exactly = trainer.engine.start().sparkContext.defaultParallelism <= 2
    for name, array in never.items():
        assert same(after[name], array, exactly), name
    for name in ("V", "Q", "m", "C", "popular"):
        assert not same(knowing[name], never[name], exactly=False), f"{name} learns nothing from users"
    assert trainer.retrain() == "unchanged"
