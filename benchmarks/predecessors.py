"""How the seed and the tutorial before it made their lists, written anew from what is known of them.

    python benchmarks/predecessors.py seed|tutorial FOLDER

Both hold the model in memory alone. The seed trains an ALS of rank 8 with DataFrames every 12 minutes, for all, and
stores everybody's ten best; the tutorial, of the kind "Spark and Flask on MovieLens", trains one with RDDs at each
rating that comes, and predicts all movies that a user has not seen at each list that is asked for.
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
USERS = 1000  # whose lists the seed stores
TURNS = 2  # each is a training


@dataclass(frozen=True)
class Retrain:
    """Seconds of a retrain of the seed: the first of a process, with the start of Spark, and a later one."""

    cold: float
    warm: float


def seed_retrain(dataset: Path) -> Retrain:
    """Measure the seed's retrain in a process of its own."""
    return Retrain(**_apart("seed", dataset))


def tutorial(dataset: Path) -> tuple[list[float], list[float]]:
    """Seconds of the tutorial's answers to some ratings, and to as many requests for a list."""
    told = _apart("tutorial", dataset)
    return told["rated"], told["read"]


def _apart(way: str, dataset: Path) -> dict[str, Any]:
    command = [sys.executable, "benchmarks/predecessors.py", way, str(dataset)]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(told)
    return found


class Seed:
    """ALS on DataFrames, for everybody at once."""

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
    """ALS on RDDs, trained at each rating; a list is the best of all movies unseen that were rated often enough."""

    def __init__(self, spark: SparkSession, dataset: Path) -> None:
        self._context = spark.sparkContext
        lines = self._context.textFile(str(dataset / "ratings.csv")).filter(lambda line: not line.startswith("userId"))
        self._ratings = lines.map(_rating).cache()
        movies = self._context.textFile(str(dataset / "movies.csv")).filter(lambda line: not line.startswith("movieId"))
        self._titles = movies.map(lambda line: (int(line.split(",", 1)[0]), line.split(",", 1)[1])).cache()
        self._train()

    def rate(self, user: int, movie: int, rating: float) -> None:
        self._ratings = self._ratings.union(self._context.parallelize([(user, movie, rating)]))
        self._train()

    def top(self, user: int) -> list[tuple[str, float, int]]:
        """The ten best of the movies that a user has not rated, as (title, rating to be expected, how many rated it)."""
        seen = set(self._ratings.filter(lambda row: row[0] == user).map(lambda row: row[1]).collect())
        unseen = self._titles.keys().filter(lambda movie: movie not in seen).map(lambda movie: (user, movie))
        foretold = self._model.predictAll(unseen).map(lambda row: (row.product, row.rating))
        told = foretold.join(self._titles).join(self._counts).map(lambda row: (*row[1][0][::-1], row[1][1]))
        best: list[tuple[str, float, int]] = told.filter(lambda row: row[2] >= LEAST_RATINGS).takeOrdered(
            LIST_LENGTH, key=lambda row: -row[1]
        )
        return best

    def _train(self) -> None:
        self._counts = self._ratings.map(lambda row: (row[1], 1)).reduceByKey(lambda a, b: a + b)
        rows = self._ratings.map(lambda row: mllib.Rating(*row))
        self._model = mllib.ALS.train(rows, RANK, ITERATIONS, REGULARIZATION, seed=5)


def _rating(line: str) -> tuple[int, int, float]:
    user, movie, rating = line.split(",")[:3]
    return int(user), int(movie), float(rating)


def measured(way: str, dataset: Path) -> dict[str, Any]:
    """Carry out one of the ways, in this process."""
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-") as folder:
        began = time.perf_counter()
        spark = open_session(Settings(state_dir=Path(folder)))
        try:
            if way == "seed":
                seed = Seed(spark, dataset)
                seed.retrain()
                return {"cold": time.perf_counter() - began, "warm": seed.retrain()}
            return _turns(Tutorial(spark, dataset))
        finally:
            close_session(spark)


def _turns(engine: Tutorial) -> dict[str, list[float]]:
    """Rate and read in turns; the first, in which Spark's workers start, is left out."""
    found: dict[str, list[float]] = {"rated": [], "read": []}
    for turn in range(TURNS + 1):
        began = time.perf_counter()
        engine.rate(1, 500 + turn, 4.5)
        rated = time.perf_counter()
        if len(engine.top(1)) < LIST_LENGTH:
            raise RuntimeError("the tutorial's engine found fewer movies than a list has")
        found["rated"].append(rated - began)
        found["read"].append(time.perf_counter() - rated)
    return {name: seconds[1:] for name, seconds in found.items()}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]))))
