"""Compute and write the lists of all users with Spark alone: recommendForUserSubset, JDBC, executemany."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pyarrow as pa
from pyspark.ml.recommendation import ALSModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from sqlalchemy import URL

from ranking.factors import Factors
from ranking.ratings import Floats, Ints

# without a foreign key, and with a primary key that fits the reads, which favours Spark
TABLE = "spark_lists"
CREATE = f"""
    DROP TABLE IF EXISTS {TABLE};
    CREATE TABLE {TABLE} (user_id int, rank int, movie_id int, expected real, PRIMARY KEY (user_id, rank))
"""
INSERT = f"INSERT INTO {TABLE} (user_id, rank, movie_id, expected) VALUES (%s, %s, %s, %s)"  # noqa: S608 - a constant
BATCH_ROWS = 10_000  # of JDBC
PARTITIONS = 8


class SparkLists:
    """An ALSModel with given factors, and its recommendations to some users."""

    def __init__(self, spark: SparkSession, factors: Factors, users: Ints, vectors: Floats) -> None:
        self._spark = spark
        java: Any = spark.sparkContext._jvm
        self._users = spark.createDataFrame(pa.table({"user": users})).cache()
        frames = [self._vectors(*part) for part in ((users, vectors), (factors.movies, factors.V))]
        model = java.org.apache.spark.ml.recommendation.ALSModel("als", vectors.shape[1], *(x._jdf for x in frames))
        self._model = ALSModel(model.setUserCol("user").setItemCol("movie"))
        self._model.recommendForUserSubset(
            self._users.limit(PARTITIONS), 1
        ).count()  # warm up the JVM, as for Matinee's lists
        self.lists: DataFrame | None = None

    def compute(self, n: int) -> float:
        """Compute the n best movies for every user in the executors' memory. Return the seconds."""
        began = time.perf_counter()
        listed = self._model.recommendForUserSubset(self._users, n)
        places = listed.select("user", f.posexplode("recommendations").alias("rank", "place"))
        self.lists = places.select(
            f.col("user").alias("user_id"),
            (f.col("rank") + 1).alias("rank"),
            f.col("place.movie").alias("movie_id"),
            f.col("place.rating").alias("expected"),
        ).cache()
        self.lists.count()
        return time.perf_counter() - began

    def write_by_jdbc(self, url: URL) -> float:
        """Write the lists into an empty table from all executors. Return the seconds."""
        _empty_table(url)
        began = time.perf_counter()
        properties = {"user": url.username, "password": url.password, "driver": "org.postgresql.Driver"}
        address = f"jdbc:postgresql://{url.host}:{url.port}/{url.database}?reWriteBatchedInserts=true"
        writer = self._lists().write.option("batchsize", BATCH_ROWS).mode("append")
        writer.jdbc(address, TABLE, properties={name: str(value) for name, value in properties.items()})
        return time.perf_counter() - began

    def write_by_executemany(self, url: URL) -> float:
        """Fetch the lists and write them into an empty table in one transaction. Return the seconds."""
        _empty_table(url)
        began = time.perf_counter()
        rows = self._lists().toArrow().to_pylist()
        with closing(_connect(url)) as db, db, db.cursor() as cursor:
            cursor.executemany(INSERT, [tuple(row.values()) for row in rows])
        return time.perf_counter() - began

    def stored_rows(self, url: URL) -> int:
        """Return the number of rows in the table."""
        with closing(_connect(url)) as db, db.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {TABLE}")  # noqa: S608 - a constant
            return int(cursor.fetchone()[0])

    def _lists(self) -> DataFrame:
        assert self.lists is not None, "compute the lists first"
        return self.lists

    def _vectors(self, ids: Ints, vectors: Floats) -> DataFrame:
        start = np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32)
        features = pa.ListArray.from_arrays(pa.array(start), pa.array(vectors.reshape(-1)))
        frame = self._spark.createDataFrame(pa.table({"id": ids, "features": features})).cache()
        frame.count()
        return frame


def spark_settings(folder: Path, jdbc: Path | None) -> None:
    """Write spark-defaults.conf for SPARK_CONF_DIR: the path of the JDBC driver, and few partitions.

    With the default of 200 partitions after a shuffle, Spark would connect 200 times and be slower.
    """
    lines = [f"spark.sql.shuffle.partitions {PARTITIONS}\n"]
    lines += [f"spark.driver.extraClassPath {jdbc}\n"] if jdbc else []
    (folder / "spark-defaults.conf").write_text("".join(lines))


def _connect(url: URL) -> Any:
    return psycopg2.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))


def _empty_table(url: URL) -> None:
    with closing(_connect(url)) as db, db, db.cursor() as cursor:
        cursor.execute(CREATE)
