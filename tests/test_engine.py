"""The Spark engine against the arithmetic and against Spark's own results."""

from dataclasses import replace

import numpy as np
import pytest
from pyspark.ml.recommendation import ALS

from conftest import FILMS, SMALL_MODEL, checkerboard
from engine import Engine, EngineError
from scoring import fold_in
from scoring.factors import Factors
from scoring.lists import Histories, ranked
from scoring.neighbours import NeighbourFit, by_source
from scoring.ratings import Ratings

CATALOGUE = np.arange(1, FILMS + 1, dtype=np.int32)


def ignore(phase: str, done: float) -> None:
    pass


@pytest.fixture(scope="module")
def factors(engine: Engine) -> Factors:
    return engine.train(checkerboard(), CATALOGUE, SMALL_MODEL, ignore)


def test_the_plain_fold_in_is_sparks_own_user_step(engine: Engine) -> None:
    board = checkerboard()
    likes = board.take(np.flatnonzero(board.rating >= 3.5))
    als = ALS(rank=8, maxIter=3, regParam=0.06, alpha=0.2, implicitPrefs=True, seed=1)
    users, vectors, films, V = engine.fit(als, likes, np.ones(len(likes), np.float32))
    # Spark solves the films last, so its user vectors belong to the films before that: solve them once more
    for user, vector in zip(users, vectors, strict=True):
        liked = np.searchsorted(films, likes.film[likes.user == user])
        ours = fold_in.plain(V[liked], V.T @ V, 0.2, 0.06)
        assert np.abs(ours - vector).max() < 1e-5
