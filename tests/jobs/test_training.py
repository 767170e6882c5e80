"""The retrain job on a real database and a real Spark: what it publishes, when, and what a failure leaves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from engine import Engine, train_folder
from jobs.changes import catalogue_source, training_fingerprint
from jobs.ingest import init_movie_table
from jobs.publish import SupersededError
from jobs.training import Trainer
from ranking.batch_lists import rank_locally
from ranking.factors import Factors, FactorsError
from ranking.rating_histories import Histories
from settings import ModelSettings, Settings
from storage import generations, recommendations, runs, user_ratings, users
from storage.database import TRAINING_LOCK


class GivenFactors(Engine):
    """Gives every training the same factors and makes the lists without Spark: most tests are of the job around it."""

    def __init__(self, factors: Factors) -> None:
        super().__init__(Settings())
        self.factors = factors

    def train(self, *_: object) -> Factors:
        return self.factors

    def iter_lists(self, factors: Factors, histories: Histories, n: int) -> Any:
        yield rank_locally(factors, histories, n)


@pytest.fixture(scope="module")
def factors(engine: Engine, dataset: Path) -> Factors:
    """What Spark learns from the dataset alone."""
    return train_folder(engine, dataset)


@pytest.fixture
def trainer(trainer: Trainer, factors: Factors) -> Trainer:
    """A trainer on a filled catalogue, whose engine has its factors already."""
    init_movie_table(trainer.database, trainer.settings)
    return replace(trainer, engine=GivenFactors(factors))


@pytest.fixture
def spark_trainer(trainer: Trainer, engine: Engine) -> Trainer:
    return replace(trainer, engine=engine)


def someone(trainer: Trainer, **ratings: float) -> int:
    """A new user with these ratings, given as movie_2=5.0."""
    with trainer.database.statement() as db:
        user = users.create(db)
        for movie, rating in ratings.items():
            user_ratings.put(db, user, int(movie.removeprefix("movie_")), rating)
    return user


def listed(trainer: Trainer, user: int) -> list[int]:
    return [item.movie.movie_id for item in trainer.recommender.recommend(user).items]


def test_a_checkerboard_is_recommended_correctly_through_the_whole_stack(spark_trainer: Trainer) -> None:
    trainer = spark_trainer
    even = someone(trainer, movie_2=5.0, movie_4=5.0, movie_6=4.5, movie_1=1.0)
    odd = someone(trainer, movie_1=5.0, movie_3=5.0, movie_5=4.5, movie_2=1.0)
    nobody = someone(trainer)
    assert trainer.retrain() == "published"
    late = someone(trainer, movie_10=5.0, movie_12=5.0)
    with trainer.database.statement() as db:
        for user in (even, odd, nobody):
            state, stored = recommendations.read(db, user)
            assert isinstance(stored, recommendations.StoredList)
            assert len(stored.movies) == 10
            assert state.generation_id == trainer.recommender.model.live.id
            assert listed(trainer, user) == stored.movies
    assert {movie % 2 for movie in listed(trainer, even)} == {0}
    assert {movie % 2 for movie in listed(trainer, odd)} == {1}
    assert {movie % 2 for movie in listed(trainer, late)} == {0}
    with trainer.database.statement() as db:  # and the run tells how far it has come
        run = runs.newest(db, "train")[0]
    assert (run.outcome, run.progress, run.phase) == ("published", 1, "publish")
    assert set(run.details["seconds"]) >= {"snapshot", "ranker", "rater", "neighbours", "lists"}


def test_nothing_is_trained_when_nothing_has_changed(trainer: Trainer) -> None:
    someone(trainer, movie_2=5.0)
    assert trainer.retrain() == "published"
    someone(trainer)  # a user without views is no news
    assert trainer.retrain() == "unchanged"
    assert trainer.retrain(ordered=True) == "published"


def test_every_change_is_a_reason_to_train(trainer: Trainer) -> None:
    user = someone(trainer, movie_2=5.0, movie_4=4.0)
    trainer.retrain()
    source, model = catalogue_source(trainer.database), trainer.settings.model

    def fingerprint(model: ModelSettings = model) -> str:
        return training_fingerprint(db, source, model)

    with trainer.database.transaction() as db:
        trained = generations.newest_fingerprint(db)
        seen = [fingerprint(), fingerprint(replace(model, ranker_reg=0.07))]
        assert seen[0] == trained
        user_ratings.put(db, user, 6, 3.0)
        seen.append(fingerprint())
        user_ratings.put(db, user, 4, 4.0)  # again
        seen.append(fingerprint())
        user_ratings.remove(db, user, 4)
        seen.append(fingerprint())
        users.delete(db, user)
        seen.append(fingerprint())
    assert len(set(seen)) == len(seen)


def test_a_user_who_left_is_in_no_list_and_in_no_training(trainer: Trainer) -> None:
    user = someone(trainer, movie_2=5.0)
    trainer.retrain()
    with trainer.database.statement() as db:
        users.delete(db, user)
    trainer.retrain()
    with trainer.database.statement() as db:
        assert db.execute(text("SELECT count(*) FROM recommendations")).scalar_one() == 0
        newest = generations.recent(db, 1)[0]
    assert newest.details["facts"]["views"] == 0


def test_a_user_may_be_left_out_of_training_runs_and_is_served_all_the_same(trainer: Trainer) -> None:
    user = someone(trainer, movie_2=5.0, movie_4=5.0)
    trainer.retrain()
    with trainer.database.statement() as db:
        users.set_train(db, user, train=False)
    assert trainer.retrain() == "published"
    with trainer.database.statement() as db:
        newest = generations.recent(db, 1)[0]
        _, stored = recommendations.read(db, user)
    assert newest.details["facts"]["views"] == 0
    assert isinstance(stored, recommendations.StoredList)
    assert {movie % 2 for movie in stored.movies} == {0}
    another = someone(trainer, movie_2=4.0)
    with trainer.database.statement() as db:
        users.set_train(db, another, train=False)
    assert trainer.retrain() == "unchanged"


def test_only_the_lists_of_the_live_generation_are_kept_and_old_factors_and_comparisons_go(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.publish.GENERATIONS_WITH_PREDICTIONS", 2)
    trainer = replace(trainer, settings=replace(trainer.settings, keep_generations=1))
    user = someone(trainer, movie_2=5.0)
    for movie, compared in ((2, []), (4, [1]), (6, [2])):
        with trainer.database.statement() as db:
            user_ratings.put(db, user, movie, 5.0)
        trainer.retrain()
        with trainer.database.statement() as db:
            assert db.execute(text("SELECT generation_id FROM foretold")).scalars().all() == compared
    with trainer.database.statement() as db:
        assert db.execute(text("SELECT DISTINCT generation_id FROM recommendations")).scalars().all() == [3]
        assert [row.kept for row in generations.recent(db, 10)] == [True, False, False]


def test_a_training_beside_a_held_generation_is_stored_and_not_served(trainer: Trainer) -> None:
    user = someone(trainer, movie_2=5.0)
    trainer.retrain()
    trainer.recommender.model.activate(1)
    with trainer.database.statement() as db:
        user_ratings.put(db, user, 4, 5.0)
    assert trainer.retrain() == "done"
    assert trainer.retrain() == "unchanged"
    with trainer.database.statement() as db:
        assert [(row.id, row.verdict, row.live, row.kept) for row in generations.recent(db, 5)] == [
            (2, "accepted", False, True),
            (1, "accepted", True, True),
        ]
        assert generations.release(db) == 1
    assert trainer.recommender.model.live.id == 1
    assert trainer.retrain() == "published"  # though no rating is new


def test_one_trains_while_another_does_not(trainer: Trainer) -> None:
    with trainer.database.try_lock(TRAINING_LOCK) as mine:
        assert mine
        assert trainer.retrain() == "busy"
    assert trainer.retrain() == "published"


class BrokenEngine(GivenFactors):
    """Trains, then cannot make the lists."""

    def iter_lists(self, *_: object) -> Any:
        raise OSError("the disk is full")


def test_a_failure_leaves_the_live_generation_serving_and_says_why(trainer: Trainer, factors: Factors) -> None:
    user = someone(trainer, movie_2=5.0)
    trainer.retrain()
    before = listed(trainer, user)
    someone(trainer, movie_1=5.0)
    with pytest.raises(OSError, match="disk"):
        replace(trainer, engine=BrokenEngine(factors)).retrain()
    assert listed(trainer, user) == before
    with trainer.database.statement() as db:
        run = runs.newest(db, "train")[0]
        assert (run.outcome, run.error) == ("failed", "OSError: the disk is full")
        assert generations.live_id(db) == 1
    assert trainer.retrain() == "published"  # the next tick tries again


def test_a_training_that_was_overtaken_publishes_nothing(trainer: Trainer, factors: Factors) -> None:
    class Overtaken(GivenFactors):
        def iter_lists(self, *args: Any) -> Any:
            with trainer.database.statement() as db:
                runs.begin(db, "train")  # as another process does that got the lock when this one's connection broke
            return super().iter_lists(*args)

    with pytest.raises(SupersededError):
        replace(trainer, engine=Overtaken(factors)).retrain()
    with trainer.database.statement() as db:
        assert generations.live_id(db) is None
        assert generations.recent(db, 10) == []


def test_views_that_come_during_a_training_are_in_the_next_list_and_make_the_next_training(
    trainer: Trainer, factors: Factors
) -> None:
    user = someone(trainer, movie_2=5.0)

    class Interrupted(GivenFactors):
        def iter_lists(self, *args: Any) -> Any:
            with trainer.database.statement() as db:
                user_ratings.put(db, user, 4, 5.0)
            return super().iter_lists(*args)

    assert replace(trainer, engine=Interrupted(factors)).retrain() == "published"
    assert 4 not in listed(trainer, user)
    assert trainer.retrain() == "published"


def test_a_restarted_process_serves_the_same_generation_at_once(trainer: Trainer) -> None:
    user = someone(trainer, movie_2=5.0)
    trainer.retrain()
    restarted = type(trainer.recommender)(trainer.database)
    restarted.model.refresh()
    assert restarted.model.live.id == trainer.recommender.model.live.id
    assert np.array_equal(restarted.model.live.factors.V, trainer.recommender.model.live.factors.V)
    assert [item.movie.movie_id for item in restarted.recommend(user).items] == listed(trainer, user)


def test_new_views_are_compared_once_with_what_the_generation_before_them_predicted(trainer: Trainer) -> None:
    user = someone(trainer, movie_2=5.0, movie_4=5.0, movie_6=5.0)
    trainer.retrain()  # the first generation has learned from these three
    with trainer.database.statement() as db:
        user_ratings.put(db, user, 30, 5.0)
        user_ratings.put(db, user, 1, 1.0)
    trainer.retrain()
    with trainer.database.statement() as db:
        user_ratings.put(db, user, 30, 4.5)  # a second thought on what has been learned is no test
        user_ratings.put(db, user, 3, 1.0)
        rows = db.execute(text("SELECT * FROM foretold ORDER BY version")).all()
        assert [(row.movie_id, row.rating, row.generation_id) for row in rows] == [(30, 5.0, 1), (1, 1.0, 1)]
        loved, hated = rows
        assert loved.rank <= 17 < hated.rank  # 17 even movies are new to them
        assert loved.expected_rating > 4 > hated.expected_rating
    trainer.retrain()
    with trainer.database.statement() as db:
        summary = {row.id: row.online for row in generations.recent(db, 10)}
    assert {generation: online and online["views"] for generation, online in summary.items()} == {3: None, 2: 1, 1: 2}
    assert summary[1]["hit_rate"] == (loved.rank <= 10) / 2
    assert 0 < summary[1]["rmse"] < 1.5


def test_a_run_tells_how_the_generation_before_it_predicted_the_new_views(trainer: Trainer) -> None:
    user = someone(trainer, movie_2=5.0)
    trainer.retrain()
    with trainer.database.statement() as db:
        user_ratings.put(db, user, 4, 5.0)
    trainer.retrain()
    with trainer.database.statement() as db:
        told = runs.newest(db, "train")[0].details["live"]
    assert (told["generation"], told["views"]) == (1, 1)
    assert told["rmse"] < 1


def test_factors_that_are_not_finite_are_rejected(trainer: Trainer, factors: Factors) -> None:
    class Overflowing(GivenFactors):
        def train(self, *_: object) -> Factors:
            return replace(factors, V=factors.V * np.float32(np.nan))

    assert replace(trainer, engine=Overflowing(factors)).retrain() == "rejected"
    assert trainer.retrain() == "unchanged"  # the same would come of it


def test_factors_from_elsewhere_come_in_through_the_same_gate(trainer: Trainer, factors: Factors) -> None:
    user = someone(trainer, movie_2=5.0, movie_4=5.0, movie_6=5.0)
    assert trainer.load(factors) == "published"
    assert trainer.recommender.model.live.id == 1
    assert len(listed(trainer, user)) == 10
    assert trainer.retrain() == "published"  # the views that the file knew nothing of are still to be learned


def test_factors_that_do_not_fit_are_refused(trainer: Trainer, factors: Factors) -> None:
    with pytest.raises(FactorsError, match="catalogue"):
        trainer.load(replace(factors, movies=factors.movies + 1))
    with pytest.raises(FactorsError, match="held-out users"):
        trainer.load(replace(factors, facts={}))
