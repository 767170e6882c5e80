"""A training on spoiled ratings, through the whole retrain: it is rejected, and what served goes on serving."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import write_dataset
from synthetic_ratings import MODEL, MOVIES, tastes

from engine import Engine
from jobs.ingest import init_movie_table
from jobs.training import Trainer
from ranking.ratings import Ratings
from recommender import Recommender
from settings import Settings
from storage import generations, runs, user_ratings, users
from storage.database import Database


class Poisoned(Engine):
    """Trains on the same ratings of the same movies, but by whomever."""

    def __init__(self, sound: Engine, settings: Settings) -> None:
        super().__init__(settings)
        self.sound = sound
        self.lists = sound.lists  # type: ignore[method-assign]

    def train(self, ratings: Ratings, *rest: object) -> object:  # type: ignore[override]
        spoiled = replace(ratings, movie=np.random.default_rng(0).permutation(ratings.movie))
        return self.sound.train(spoiled, *rest)  # type: ignore[arg-type]


@pytest.fixture
def trainer(settings: Settings, database: Database, engine: Engine, tmp_path: Path) -> Trainer:
    folder = write_dataset(tmp_path / "tastes", tastes(), MOVIES)
    settings = replace(settings, dataset=str(folder), model=MODEL)
    init_movie_table(database, settings)
    return Trainer(settings, database, engine, Recommender(database))


def test_a_poisoned_training_is_rejected_and_the_old_generation_keeps_serving(trainer: Trainer) -> None:
    with trainer.database.statement() as db:
        user = users.create(db)
        for movie in (1, 6, 11, 16):
            user_ratings.put(db, user, movie, 5.0)
    assert trainer.retrain() == "published"
    with trainer.database.statement() as db:
        user_ratings.put(db, user, 21, 4.5)
    before = [item.movie.movie_id for item in trainer.recommender.recommend(user).items]
    assert replace(trainer, engine=Poisoned(trainer.engine, trainer.settings)).retrain() == "rejected"
    assert [item.movie.movie_id for item in trainer.recommender.recommend(user).items] == before
    with trainer.database.statement() as db:
        assert generations.live_id(db) == 1
        newest, first = generations.recent(db, 2)
        assert (newest.verdict, newest.kept, first.live) == ("rejected", True, True)
        run = runs.newest(db, "train")[0]
        assert (run.outcome, run.details["reason"]) == ("rejected", newest.reason)
    with trainer.database.transaction() as db:
        generations.flip(db, newest.id)  # by hand it can be served all the same, and taken back
        generations.flip(db, first.id)
