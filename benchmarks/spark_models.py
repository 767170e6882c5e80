"""Train Matinee and Spark's own ALS on the same ratings, in one Spark session with the service's settings."""

import atexit
import logging
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from compare_interface import FOLDED_IN, LIKE, LIST_LENGTH, TRAINED, Split, Trained, recommend_by_scores
from pyspark.ml.recommendation import ALS
from replaced_model import ITERATIONS, RANK, REG

from engine import Engine
from ranking.batch_lists import rank_locally
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.rating_histories import Histories
from ranking.ratings import Floats, Ints, Ratings
from settings import ModelSettings, load


def matinee(split: Split, seed: int) -> Trained:
    """Train ranker, rater and neighbours. Every list folds in the user's history, as in a request."""
    train, users = (
        split.train,
        Histories(split.users, split.start, split.train.movie, split.train.rating, split.train.at),
    )
    factors = _engine().train(train, split.movies, _settings(split, seed), lambda phase, done: None)
    ranker = Ranker(factors)

    def recommend(row: int, n: int) -> Ints:
        own = split.history(row)
        rows = ranking_for(ranker, train.movie[own], train.rating[own], train.at[own]).best(n)
        return factors.movies[rows]

    return Trained(
        recommend,
        {FOLDED_IN: lambda row: recommend(row, LIST_LENGTH)},
        {FOLDED_IN: lambda: rank_locally(factors, users, LIST_LENGTH)},
    )


def implicit_als(split: Split, seed: int) -> Trained:
    """Train Spark's implicit ALS on likes, with the settings of Matinee's ranker."""
    model, likes = _settings(split, seed), split.train.take(split.train.rating >= LIKE)
    given = {
        "rank": model.ranker_rank, "maxIter": model.ranker_iterations, "regParam": model.ranker_reg,
        "alpha": model.ranker_alpha, "implicitPrefs": True, "seed": seed,
    }  # fmt: skip
    return _fitted(split, likes, np.ones(len(likes), np.float32), given)


def explicit_als(split: Split, seed: int) -> Trained:
    """Train Spark's explicit ALS and rank by predicted rating: the model of Matinee's predecessor."""
    given = {"rank": RANK, "maxIter": ITERATIONS, "regParam": REG, "seed": seed}
    return _fitted(split, split.train, split.train.rating, given)


def _fitted(split: Split, ratings: Ratings, value: Floats, given: dict[str, Any]) -> Trained:
    """Fit ALS. Spark's own lists are timed; the evaluated lists are ranked here from its factors."""
    spark = _engine().start(len(ratings))
    # the default of 200 partitions takes longer than the lists of so few users
    spark.conf.set("spark.sql.shuffle.partitions", spark.sparkContext.defaultParallelism)
    als = ALS(userCol="user", itemCol="movie", ratingCol="value", **given)
    model = als.fit(spark.createDataFrame(pa.table({"user": ratings.user, "movie": ratings.movie, "value": value})))
    P, _ = _placed(model.userFactors.toArrow(), split.users)
    Q, fitted = _placed(model.itemFactors.toArrow(), split.movies)

    def list_one(row: int) -> object:
        user = spark.createDataFrame(pa.table({"user": split.users[row : row + 1]}))
        return model.recommendForUserSubset(user, LIST_LENGTH).collect()

    return Trained(
        recommend_by_scores(split, lambda row: np.where(fitted, Q @ P[row], -np.inf).astype(np.float32)),
        {TRAINED: list_one},
        {TRAINED: lambda: model.recommendForAllUsers(LIST_LENGTH).toArrow()},
    )


def _placed(table: pa.Table, ids: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return Spark's features in the order of `ids`, zeros for missing ids, and a mask of the existing ids."""
    rows = np.searchsorted(ids, table["id"].to_numpy())
    vectors = table["features"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    placed, present = np.zeros((len(ids), vectors.shape[1]), np.float32), np.zeros(len(ids), bool)
    placed[rows], present[rows] = vectors, True
    return placed, present


@cache
def _engine() -> Engine:
    engine = Engine(load())
    atexit.register(_end, engine)
    return engine


def _end(engine: Engine) -> None:
    """Stop Spark, and suppress py4j's log of calls that the end of the JVM interrupts."""
    logging.disable()
    engine.stop()


def _settings(split: Split, seed: int) -> ModelSettings:
    return replace(_engine().settings.model_for(len(split.train)), seed=seed)
