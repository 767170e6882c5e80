"""One fit of Spark's ALS: from columns in memory to columns in memory, by way of a file that the executors read."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

from runtime.session_files import parquet_for_executors
from runtime.spark import give_back, watched
from scoring.ratings import Floats, Ints
from settings import Settings

STAGES_IMPLICIT, STAGES_EXPLICIT = 5, 3  # that one iteration runs, as counted
MOST_A_BLOCK = 3_000_000  # ratings: while Spark builds a block, it holds several times its size

Columns = tuple[Ints, Ints, Floats]
"""User ids, film ids and the values that are to be explained."""

Fitted = tuple[Floats, Ints, Floats]
"""The users' vectors, film ids ascending, their factors."""


def fit(spark: SparkSession, settings: Settings, als: ALS, columns: Columns, report: Callable[[float], None]) -> Fitted:
    """Run ALS; `report` is told how much of it is done, 0 to 1."""
    user, film, value = columns
    blocks = max(spark.sparkContext.defaultParallelism, -(-len(value) // MOST_A_BLOCK))
    als = als.setUserCol("user").setItemCol("film").setRatingCol("value").setNumBlocks(blocks)
    stages = als.getMaxIter() * (STAGES_IMPLICIT if als.getImplicitPrefs() else STAGES_EXPLICIT)
    with (
        parquet_for_executors(spark, settings, {"user": user, "film": film, "value": value}) as url,
        watched(spark, blocks * stages, report),
    ):
        fitted = als.fit(spark.read.parquet(url))
        _, vectors = _columns(fitted.userFactors.toArrow(), als.getRank())
        films, factors = _columns(fitted.itemFactors.toArrow(), als.getRank())
    del fitted
    give_back(spark)
    return vectors, films, factors


def placed(factors: Floats, rated: Ints, films: Ints) -> Floats:
    """Factors of the rated films, put in the rows of the whole catalogue; zeros for the rest."""
    found = np.zeros((len(films), factors.shape[1]), np.float32)
    found[np.searchsorted(films, rated)] = factors
    return found


def _columns(table: pa.Table, rank: int) -> tuple[Ints, Floats]:
    """Spark's (id, features) rows as ids ascending [n] and float32 [n, rank]."""
    ids = table["id"].to_numpy()
    vectors = table["features"].combine_chunks().flatten().to_numpy().reshape(len(ids), rank)
    order = np.argsort(ids)
    return ids[order], vectors[order]
