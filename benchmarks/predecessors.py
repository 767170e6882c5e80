"""Reconstruct how Matinee's predecessor, and the tutorial before it, computed their lists.

    python benchmarks/predecessors.py predecessor|tutorial FOLDER

The predecessor is the small system that Matinee replaced. It trains an ALS of rank 8 with DataFrames every 12 minutes
and stores the ten best movies of every user. The tutorial, "Spark and Flask on MovieLens", trains an ALS with RDDs on
each new rating, and each request for a list predicts the ratings of all movies that the user has not rated. Both keep
the model only in memory.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))

from pyspark.ml import recommendation as ml
from pyspark.mllib import recommendation as mllib
from pyspark.sql import SparkSession

from settings import ROOT, Settings
from spark.session import close_session, open_session

RANK, ITERATIONS, REGULARIZATION = 8, 10, 0.1
LIST_LENGTH, LEAST_RATINGS = 10, 25
USERS = 1000  # number of users whose lists the predecessor stores
TURNS = 2  # turns of the tutorial, each with a training


@dataclass(frozen=True)
class RetrainSeconds:
    """The seconds of the predecessor's first retrain in a process, with the start of Spark, and of the next one."""

    cold: float
    warm: float


def predecessor_retrain(dataset: Path) -> RetrainSeconds:
    """Measure the predecessor's retrain in a separate process."""
    return RetrainSeconds(**_measure_in_own_process("predecessor", dataset))


def tutorial_times(dataset: Path) -> tuple[list[float], list[float]]:
    """Return the seconds of the tutorial for each of several ratings, and for as many requests for a list."""
    found = _measure_in_own_process("tutorial", dataset)
    return found["rated"], found["read"]


def _measure_in_own_process(system: str, dataset: Path) -> dict[str, Any]:
    command = [sys.executable, "benchmarks/predecessors.py", system, str(dataset)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Predecessor:
    """The predecessor: ALS on DataFrames, with lists of all users."""

    def __init__(self, spark: SparkSession, dataset: Path) -> None:
        self._spark, self._file = spark, str(dataset / "ratings.csv")

    def retrain(self) -> float:
        began = time.perf_counter()
        ratings = self._spark.read.csv(self._file, header=True, inferSchema=True)
        als = ml.ALS(
            rank=RANK, maxIter=ITERATIONS, regParam=REGULARIZATION, userCol="userId", itemCol="movieId",
            ratingCol="rating", coldStartStrategy="drop",
        )  # fmt: skip
        users = ratings.select("userId").distinct().limit(USERS)
        als.fit(ratings).recommendForUserSubset(users, LIST_LENGTH).collect()
        return time.perf_counter() - began


class Tutorial:
    """The tutorial: ALS on RDDs, trained on each rating; a list has the best unrated movies with 25 ratings or more."""

    def __init__(self, spark: SparkSession, dataset: Path) -> None:
        self._context = spark.sparkContext
        lines = self._context.textFile(str(dataset / "ratings.csv")).filter(lambda line: not line.startswith("userId"))
        self._ratings = lines.map(_parse_rating).cache()
        movies = self._context.textFile(str(dataset / "movies.csv")).filter(lambda line: not line.startswith("movieId"))
        self._titles = movies.map(lambda line: (int(line.split(",", 1)[0]), line.split(",", 1)[1])).cache()
        self._train()

    def rate(self, user: int, movie: int, rating: float) -> None:
        self._ratings = self._ratings.union(self._context.parallelize([(user, movie, rating)]))
        self._train()

    def recommend(self, user: int) -> list[tuple[str, float, int]]:
        """Return the ten best movies that the user has not rated, as (title, predicted rating, number of ratings)."""
        rated = set(self._ratings.filter(lambda row: row[0] == user).map(lambda row: row[1]).collect())
        unrated = self._titles.keys().filter(lambda movie: movie not in rated).map(lambda movie: (user, movie))
        predicted = self._model.predictAll(unrated).map(lambda row: (row.product, row.rating))
        rows = predicted.join(self._titles).join(self._counts).map(lambda row: (*row[1][0][::-1], row[1][1]))
        best: list[tuple[str, float, int]] = rows.filter(lambda row: row[2] >= LEAST_RATINGS).takeOrdered(
            LIST_LENGTH, key=lambda row: -row[1]
        )
        return best

    def _train(self) -> None:
        self._counts = self._ratings.map(lambda row: (row[1], 1)).reduceByKey(lambda a, b: a + b)
        rows = self._ratings.map(lambda row: mllib.Rating(*row))
        self._model = mllib.ALS.train(rows, RANK, ITERATIONS, REGULARIZATION, seed=5)


def _parse_rating(line: str) -> tuple[int, int, float]:
    user, movie, rating = line.split(",")[:3]
    return int(user), int(movie), float(rating)


def measure_system(system: str, dataset: Path) -> dict[str, Any]:
    """Measure one of the two systems in this process."""
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-") as folder:
        began = time.perf_counter()
        spark = open_session(Settings(state_dir=Path(folder)))
        try:
            if system == "predecessor":
                predecessor = Predecessor(spark, dataset)
                predecessor.retrain()
                return {"cold": time.perf_counter() - began, "warm": predecessor.retrain()}
            return _rate_and_read(Tutorial(spark, dataset))
        finally:
            close_session(spark)


def _rate_and_read(engine: Tutorial) -> dict[str, list[float]]:
    """Rate and read in turns. The first turn is discarded, because Spark's Python workers start in it."""
    found: dict[str, list[float]] = {"rated": [], "read": []}
    for turn in range(TURNS + 1):
        began = time.perf_counter()
        engine.rate(1, 500 + turn, 4.5)
        rated = time.perf_counter()
        if len(engine.recommend(1)) < LIST_LENGTH:
            raise RuntimeError(f"the tutorial's list has fewer than {LIST_LENGTH} movies")
        found["rated"].append(rated - began)
        found["read"].append(time.perf_counter() - rated)
    return {name: seconds[1:] for name, seconds in found.items()}


if __name__ == "__main__":
    print(json.dumps(measure_system(sys.argv[1], Path(sys.argv[2]))))
