"""Generations: which are kept, which is live, and that no two writers leave half of either."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from handmade_model import IDS, fill_catalogue, flip, new_user, store_generation, two_tastes
from sqlalchemy import text

from storage import generations, predictions
from storage.database import Database


def stored(database: Database) -> list[int]:
    with database.statement() as db:
        return sorted(row.id for row in generations.recent(db, 50) if row.kept)


def reject(database: Database, generation: int) -> None:
    with database.statement() as db:
        db.execute(text("UPDATE generations SET verdict = 'rejected' WHERE id = :id"), {"id": generation})


def test_rejected_generations_do_not_push_out_those_to_go_back_to(database: Database) -> None:
    made = [store_generation(database, two_tastes()) for _ in range(8)]
    flip(database, made[0])
    for generation in made[3:]:
        reject(database, generation)
    with database.background_transaction() as db:
        generations.prune(db, 1)
    assert stored(database) == [made[0], made[2], made[7]]  # the live one, the newest accepted and the newest rejected


def test_what_is_activated_while_old_factors_are_dropped_keeps_its_own(database: Database) -> None:
    old, live = (store_generation(database, two_tastes()) for _ in range(2))
    flip(database, live)

    def prune() -> None:
        with database.background_transaction() as db:
            generations.prune(db, 1)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as db:
            generations.activate(db, old)
            pruning = pool.submit(prune)
            time.sleep(0.3)
        pruning.result(30)
    with database.statement() as db:
        assert generations.live(db).kept
    assert stored(database) == [old, live]


def test_a_held_generation_is_replaced_only_after_its_release(database: Database) -> None:
    first, second = (store_generation(database, replace(two_tastes(), mu=3.0 + n)) for n in range(2))
    with database.transaction() as db:
        generations.activate(db, first)
        assert not generations.flip_unless_held(db, second)
        assert (generations.live_id(db), generations.held_id(db)) == (first, first)
        assert generations.newest_fingerprint(db) == "made by hand"  # so that nothing is trained again and again
        assert generations.release(db) == first
        assert generations.newest_fingerprint(db) is None  # a training is due, though nothing has changed
        assert generations.flip_unless_held(db, second)
        assert (generations.live_id(db), generations.held_id(db)) == (second, None)
        assert generations.release(db) is None


def test_online_evaluation_waits_for_nobody_without_new_ratings(database: Database) -> None:
    fill_catalogue(database)
    quiet, active = new_user(database), new_user(database, {IDS[0]: 4.0})
    with database.transaction() as other:
        other.execute(text("SELECT FROM users WHERE id = :id FOR UPDATE"), {"id": quiet})
        with database.transaction() as db:
            predictions.add(db, [], np.array([quiet, active], np.int32), np.array([0, 1], np.int64))
    with database.statement() as db:
        versions = db.execute(text("SELECT foretold_version FROM users ORDER BY id")).scalars().all()
    assert versions == [0, 1]


def test_online_evaluation_and_an_import_do_not_wait_for_each_other_in_a_circle(database: Database) -> None:
    fill_catalogue(database)
    users = [new_user(database, {IDS[0]: 4.0}) for _ in range(200)]
    with database.statement() as db:  # so that the rows lie in another order than the ids
        db.execute(text("UPDATE users SET created_at = created_at WHERE id % 2 = 0"))
        db.execute(text("UPDATE users SET created_at = created_at WHERE id % 3 = 0"))

    def compare(_: int) -> None:
        with database.transaction() as db:
            predictions.add(db, [], np.array(users[::-1], np.int32), np.ones(len(users), np.int64))

    def lock(_: int) -> None:
        with database.transaction() as db:
            statement = text("SELECT id FROM users ORDER BY id FOR NO KEY UPDATE")
            db.execute(statement)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: (compare if n % 2 else lock)(n), range(40)))
    with database.statement() as db:
        assert db.execute(text("SELECT DISTINCT foretold_version FROM users")).scalars().all() == [1]


@pytest.mark.parametrize("held", [False, True])
def test_the_release_of_the_hold_is_seen_in_the_record(held: bool, database: Database) -> None:
    generation = store_generation(database, two_tastes())
    with database.transaction() as db:
        (generations.activate if held else generations.flip)(db, generation)
        assert generations.find(db, generation).held is held
