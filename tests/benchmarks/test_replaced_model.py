"""The model that Matinee replaced: computed here as Spark computes it."""

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml.recommendation import ALS
from replaced_model import als_predictions, half_step, ndcg_by_given
from scipy import sparse
from synthetic_ratings import USERS, tastes

from engine import Engine
from evaluation.offline_metrics import rmse
from evaluation.splits import random_split


def test_the_replaced_model_is_the_als_of_spark(engine: Engine) -> None:
    ratings = tastes()
    train, test = (ratings.take(part) for part in random_split(len(ratings), 1))
    table = pa.table({"user": train.user, "movie": train.movie, "rating": train.rating})
    spark = engine.start()  # before ALS, which is an object of the JVM: another test may have ended the last one
    als = ALS(rank=8, regParam=0.1, maxIter=10, seed=1, userCol="user", itemCol="movie", ratingCol="rating")
    fitted = als.fit(spark.createDataFrame(table))
    items, users = sorted(fitted.itemFactors.collect()), sorted(fitted.userFactors.collect())
    Q, P = (np.array([row.features for row in rows]) for rows in (items, users))
    movie, user = (np.array([row.id for row in rows]) for rows in (items, users))
    shape = (USERS, len(movie))
    R = sparse.csr_matrix(
        (train.rating, (np.searchsorted(user, train.user), np.searchsorted(movie, train.movie))), shape
    )
    assert np.allclose(half_step(R, Q), P, atol=1e-3)
    theirs = (P[np.searchsorted(user, test.user)] * Q[np.searchsorted(movie, test.movie)]).sum(axis=1)
    assert rmse(als_predictions(train, test, 1), test.rating) == pytest.approx(rmse(theirs, test.rating), rel=0.03)


def test_its_lists_are_measured_by_ratings_given() -> None:
    found = ndcg_by_given(tastes(), 1)
    assert all(0 <= value <= 1 for value in found.values())
    assert found[10] > 0
