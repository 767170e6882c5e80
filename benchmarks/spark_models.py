"""Matinee, and what Spark's own ALS makes of the same ratings, in one session of the service's own settings."""

import atexit
import logging
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from compare_interface import KNOWN, LIKE, LIST_LENGTH, TOLD, Split, Trained, best_by
from pyspark.ml.recommendation import ALS
from replaced_model import ITERATIONS, RANK, REG

from engine import Engine
from ranking.batch_lists import rank_locally
from ranking.ranker import Ranker
from ranking.rankings import PersonalRanking
from ranking.rating_histories import Histories
from ranking.ratings import Floats, Ints, Ratings
from settings import ModelSettings, load


def matinee(split: Split, seed: int) -> Trained:
    """Ours: ranker, rater and neighbours; every list is folded in from the history alone, as a request's is."""
    train, people = split.train, Histories(split.users, split.start, split.train.movie, split.train.rating)
    factors = _engine().train(train, split.movies, _settings(split, seed), lambda phase, done: None)
    ranker = Ranker(factors)

    def listed(row: int, n: int) -> Ints:
        told = split.history(row)
        rows = PersonalRanking(ranker, train.movie[told], train.rating[told]).best(n)
        return factors.movies[rows]

    return Trained(
        listed, {TOLD: lambda row: listed(row, LIST_LENGTH)}, {TOLD: lambda: rank_locally(factors, people, LIST_LENGTH)}
    )


def implicit_als(split: Split, seed: int) -> Trained:
    """Spark's implicit ALS on likes, with the settings of our ranker."""
    model, likes = _settings(split, seed), split.train.take(split.train.rating >= LIKE)
    given = {
        "rank": model.ranker_rank, "maxIter": model.ranker_iterations, "regParam": model.ranker_reg,
        "alpha": model.ranker_alpha, "implicitPrefs": True, "seed": seed,
    }  # fmt: skip
    return _fitted(split, likes, np.ones(len(likes), np.float32), given)


def explicit_als(split: Split, seed: int) -> Trained:
    """Spark's explicit ALS ranked by the predicted rating: what Matinee replaced."""
    given = {"rank": RANK, "maxIter": ITERATIONS, "regParam": REG, "seed": seed}
    return _fitted(split, split.train, split.train.rating, given)


def _fitted(split: Split, ratings: Ratings, value: Floats, given: dict[str, Any]) -> Trained:
    """Fit; where lists are timed Spark makes them, and only those that are judged are ranked here from its factors."""
    spark = _engine().start(len(ratings))
    # its own 200 would take Spark longer than the lists of so few people
    spark.conf.set("spark.sql.shuffle.partitions", spark.sparkContext.defaultParallelism)
    als = ALS(userCol="user", itemCol="movie", ratingCol="value", **given)
    model = als.fit(spark.createDataFrame(pa.table({"user": ratings.user, "movie": ratings.movie, "value": value})))
    P, _ = _placed(model.userFactors.toArrow(), split.users)
    Q, fitted = _placed(model.itemFactors.toArrow(), split.movies)

    def one(row: int) -> object:
        asked = spark.createDataFrame(pa.table({"user": split.users[row : row + 1]}))
        return model.recommendForUserSubset(asked, LIST_LENGTH).collect()

    return Trained(
        best_by(split, lambda row: np.where(fitted, Q @ P[row], -np.inf).astype(np.float32)),
        {KNOWN: one},
        {KNOWN: lambda: model.recommendForAllUsers(LIST_LENGTH).toArrow()},
    )


def _placed(table: pa.Table, ids: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Spark's (id, features) in the rows of `ids`, zeros where it has none, and where it has some."""
    rows = np.searchsorted(ids, table["id"].to_numpy())
    vectors = table["features"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    placed, there = np.zeros((len(ids), vectors.shape[1]), np.float32), np.zeros(len(ids), bool)
    placed[rows], there[rows] = vectors, True
    return placed, there


@cache
def _engine() -> Engine:
    engine = Engine(load())
    atexit.register(_end, engine)
    return engine


def _end(engine: Engine) -> None:
    """Stop Spark, without what py4j says of calls that are under way when the JVM goes."""
    logging.disable()
    engine.stop()


def _settings(split: Split, seed: int) -> ModelSettings:
    return replace(_engine().settings.model_for(len(split.train)), seed=seed)
