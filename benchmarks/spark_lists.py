"""Everybody's list as Spark itself makes and writes it: recommendForUserSubset, JDBC, executemany."""

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

# without any foreign key, and keyed by what is read: in favour of the other ways
TABLE = "spark_lists"
MAKE = f"""
    DROP TABLE IF EXISTS {TABLE};
    CREATE TABLE {TABLE} (user_id int, rank int, movie_id int, expected real, PRIMARY KEY (user_id, rank))
"""
INSERT = f"INSERT INTO {TABLE} (user_id, rank, movie_id, expected) VALUES (%s, %s, %s, %s)"  # noqa: S608 - a constant
AT_ONCE = 10_000  # rows of one JDBC batch
PARTITIONS = 8


class SparkLists:
    """An ALSModel of given factors, and what it recommends to some users."""

    def __init__(self, spark: SparkSession, factors: Factors, users: Ints, vectors: Floats) -> None:
        self._spark = spark
        java: Any = spark.sparkContext._jvm
        self._users = spark.createDataFrame(pa.table({"user": users})).cache()
        frames = [self._vectors(*part) for part in ((users, vectors), (factors.movies, factors.V))]
        model = java.org.apache.spark.ml.recommendation.ALSModel("als", vectors.shape[1], *(x._jdf for x in frames))
        self._model = ALSModel(model.setUserCol("user").setItemCol("movie"))
        self._model.recommendForUserSubset(self._users.limit(PARTITIONS), 1).count()  # a warm JVM, as ours has it
        self.lists: DataFrame | None = None

    def make(self, n: int) -> float:
        """Seconds until n movies of every user are there, in memory and on the executors."""
        began = time.perf_counter()
        made = self._model.recommendForUserSubset(self._users, n)
        places = made.select("user", f.posexplode("recommendations").alias("rank", "place"))
        self.lists = places.select(
            f.col("user").alias("user_id"),
            (f.col("rank") + 1).alias("rank"),
            f.col("place.movie").alias("movie_id"),
            f.col("place.rating").alias("expected"),
        ).cache()
        self.lists.count()
        return time.perf_counter() - began

    def write_by_jdbc(self, url: URL) -> float:
        """Seconds until they are in an empty table, written by all executors."""
        _empty_table(url)
        began = time.perf_counter()
        given = {"user": url.username, "password": url.password, "driver": "org.postgresql.Driver"}
        address = f"jdbc:postgresql://{url.host}:{url.port}/{url.database}?reWriteBatchedInserts=true"
        writer = self._lists().write.option("batchsize", AT_ONCE).mode("append")
        writer.jdbc(address, TABLE, properties={name: str(value) for name, value in given.items()})
        return time.perf_counter() - began

    def write_by_executemany(self, url: URL) -> float:
        """Seconds until they have been fetched and are in an empty table, in one transaction."""
        _empty_table(url)
        began = time.perf_counter()
        rows = self._lists().toArrow().to_pylist()
        with closing(_connected(url)) as db, db, db.cursor() as cursor:
            cursor.executemany(INSERT, [tuple(row.values()) for row in rows])
        return time.perf_counter() - began

    def stored(self, url: URL) -> int:
        """How many places the table holds."""
        with closing(_connected(url)) as db, db.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {TABLE}")  # noqa: S608 - a constant
            return int(cursor.fetchone()[0])

    def _lists(self) -> DataFrame:
        assert self.lists is not None, "make the lists first"
        return self.lists

    def _vectors(self, ids: Ints, vectors: Floats) -> DataFrame:
        start = np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32)
        features = pa.ListArray.from_arrays(pa.array(start), pa.array(vectors.reshape(-1)))
        frame = self._spark.createDataFrame(pa.table({"id": ids, "features": features})).cache()
        frame.count()
        return frame


def spark_settings(folder: Path, jdbc: Path | None) -> None:
    """Write Spark's settings into a folder, for SPARK_CONF_DIR: where the JDBC driver is, and few partitions.

    With its 200 partitions after a shuffle Spark would connect 200 times, and be slower by itself.
    """
    lines = [f"spark.sql.shuffle.partitions {PARTITIONS}\n"]
    lines += [f"spark.driver.extraClassPath {jdbc}\n"] if jdbc else []
    (folder / "spark-defaults.conf").write_text("".join(lines))


def _connected(url: URL) -> Any:
    return psycopg2.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))


def _empty_table(url: URL) -> None:
    with closing(_connected(url)) as db, db, db.cursor() as cursor:
        cursor.execute(MAKE)
