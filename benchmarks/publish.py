"""Compute and store the lists of all users in three ways: python benchmarks/publish.py [--users N] [--jdbc JAR]

All use the same factors, users, Spark session and PostgreSQL, one after another:
  ours         all parts of the score on Spark's executors; lists are stored while the next are computed
  JDBC         ALSModel.recommendForUserSubset, written by the executors through PostgreSQL's JDBC driver
  executemany  the same lists, fetched by the driver program and written by psycopg2's executemany
Also measures ours without storing, Spark's lists of well-known movies only, because ours rank only these, and the
latency of writing a rating while lists are stored. Prints a Markdown table and writes raw numbers to --out.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from measurements import Measurement, Measurements, median_of, table
from random_content import RECORD, add_users, random_factors
from run_history import BenchmarkRun, describe_run
from spark_lists import SparkLists, spark_settings
from sqlalchemy import make_url, text
from write_latency import Writers, latencies_during

from embedded.postgres import EmbeddedPostgres
from engine import Engine
from ranking.batch_lists import ListColumns
from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rating_histories import Histories
from ranking.ratings import Floats, Ints
from ranking.user_batch import user_batches
from settings import load
from storage import generations, recommendations, snapshot
from storage.database import Database

LIST_LENGTH, RATINGS, GOAL = 10, 20, 5.0
SPARK_LISTS = "recommendForUserSubset"
WELL_KNOWN = f"{SPARK_LISTS} of well-known movies alone"
DRIVER = Path("/usr/share/java/postgresql.jar")  # the path in Debian's package libpostgresql-jdbc-java
OUTPUT = Path(__file__).resolve().parent / "results" / "publish.json"
REST_SECONDS = 5.0
_MOVIES = text("""
    INSERT INTO movies (id, title, genres, rating_count, rating_sum, like_count, expected_rating)
    SELECT n, 'Movie ' || n, 'Drama', 1, 3.5, 0, 3.5 FROM generate_series(1, CAST(:movies AS integer)) AS n
""")


class PublishComparison:
    """A catalogue with factors and users, in a database and a Spark session."""

    def __init__(self, database: Database, engine: Engine, movies: int, users: int) -> None:
        self.database, self.engine = database, engine
        self.factors = random_factors(movies, np.random.default_rng(1))
        with database.background_transaction() as db:
            db.execute(_MOVIES, {"movies": movies})
            self.users = add_users(db, users, RATINGS, movies)
        with database.snapshot() as db:
            self.taken = snapshot.take(db)

    def compute(self) -> Iterator[ListColumns]:
        """Yield Matinee's lists in batches, as a training run does."""
        return self.engine.iter_lists(self.factors, self.taken.histories, LIST_LENGTH)

    def compute_all(self) -> float:
        """Compute Matinee's lists without storing them. Return the seconds."""
        began = time.perf_counter()
        deque(self.compute(), maxlen=0)
        return time.perf_counter() - began

    def publish(self, blocks: Iterable[ListColumns]) -> float:
        """Store lists, make them live, and delete those of the previous generation. Return the seconds.

        Storing the factors does not count, because the other ways do not store them.
        """
        with self.database.background_transaction() as db:
            generation = generations.add(db, self.factors, RECORD)
        began = time.perf_counter()
        stored = sum(self._store(generation, *lists) for lists in blocks)
        with self.database.background_transaction() as db:
            generations.flip(db, generation)
        with self.database.background_transaction() as db:
            recommendations.prune(db)
        seconds = time.perf_counter() - began
        assert stored == len(self.users)
        return seconds

    def _store(self, generation: int, user: Ints, movie: Ints, expected: Floats) -> int:
        versions = self.taken.versions[np.searchsorted(self.taken.users, user)]
        with self.database.background_transaction() as db:
            return recommendations.store_lists(db, generation, user, versions, movie, expected)

    def measure_spark(self, jdbc: Path | None) -> dict[str, float]:
        """Return the seconds of Spark's own lists and of each way to write them."""
        spark, url = self.engine.start(), make_url(self.database.url)
        solved = vectors(self.factors, self.taken.histories)
        lists = SparkLists(spark, self.factors, *solved)
        found = {SPARK_LISTS: lists.compute(LIST_LENGTH)}
        if jdbc is not None:
            found["JDBC"] = lists.write_by_jdbc(url)
            assert lists.stored_rows(url) == LIST_LENGTH * len(self.users)
        found["executemany"] = lists.write_by_executemany(url)
        assert lists.stored_rows(url) == LIST_LENGTH * len(self.users)
        found[WELL_KNOWN] = SparkLists(spark, well_known(self.factors), *solved).compute(LIST_LENGTH)
        return found

    def measure_writes(self, movies: int) -> dict[str, list[float]]:
        """Return the milliseconds of writing a rating, at rest and while lists are stored three times."""
        writers = Writers(self.database.url, self.users, movies)
        at_rest = latencies_during(writers, lambda: time.sleep(REST_SECONDS))
        lists = list(self.compute())
        publishing = latencies_during(writers, lambda: [self.publish(lists) for _ in range(3)])
        return {"at rest": at_rest, "while publishing": publishing}


def well_known(factors: Factors) -> Factors:
    """Return the factors of the well-known movies, limited to the parts that Spark uses."""
    known = factors.well_known
    return replace(factors, movies=factors.movies[known], V=factors.V[known])


def vectors(factors: Factors, histories: Histories) -> tuple[Ints, Floats]:
    """Return the users and their fold-in vectors, in place of the user factors of a trained Spark model."""
    found = np.zeros((len(histories), factors.V.shape[1]), np.float32)
    ranker = Ranker(factors)
    for some, batch in user_batches(factors, histories):
        found[some] = ranker.fold_in(batch, ranker.neighbour_terms(batch)).x[:, 0]
    return histories.user, found


@contextmanager
def prepared_comparison(movies: int, users: int, jdbc: Path | None) -> Iterator[PublishComparison]:
    """Yield a comparison with its own database and Spark session."""
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-") as folder:
        Path(folder).chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        spark_settings(Path(folder), jdbc)
        os.environ |= {"SPARK_CONF_DIR": folder, "MATINEE_STATE_DIR": f"{folder}/state"}
        settings = load()
        with EmbeddedPostgres(settings.state_dir) as url:
            database, engine = Database(url, threads=4), Engine(settings)
            try:
                database.migrate()
                engine.start()
                yield PublishComparison(database, engine, movies, users)
            finally:
                engine.stop()
                database.close()


def compare_ways(movies: int, users: int, jdbc: Path | None, repeats: int) -> tuple[Measurements, dict[str, Any]]:
    """Return the measurements of one catalogue, and the raw numbers."""
    with prepared_comparison(movies, users, jdbc) as comparison:
        comparison.compute_all()  # once more than measured, because the executors start cold
        comparison.compute_all()
        computed = [comparison.compute_all() for _ in range(repeats)]
        published = [comparison.publish(comparison.compute()) for _ in range(repeats)]
        writes = comparison.measure_writes(movies)
        spark = comparison.measure_spark(jdbc)
    raw = {"computed": computed, "published": published, "spark": spark, "writes_ms": writes}
    return summarize(computed, published, spark, writes), raw


def summarize(
    computed: list[float], published: list[float], spark: dict[str, float], writes: dict[str, list[float]]
) -> Measurements:
    """Return all measurements, including the ratios with a goal."""
    all_movies, well_known_movies = spark[SPARK_LISTS], spark[WELL_KNOWN]
    found = {
        "lists computed": median_of(computed, "s", "less"),
        "lists computed and stored": median_of(published, "s", "less"),
        SPARK_LISTS: Measurement(all_movies, "s"),
        WELL_KNOWN: Measurement(well_known_movies, "s"),
    }
    for way in (way for way in ("JDBC", "executemany") if way in spark):
        found[f"write by {way}"] = Measurement(spark[way], "s")
        ratios = [(all_movies + spark[way]) / ours for ours in published]
        found[f"{SPARK_LISTS} + {way} / ours"] = median_of(ratios, "x", "more", GOAL)
        ratios = [(well_known_movies + spark[way]) / ours for ours in published]
        found[f"{WELL_KNOWN} + {way} / ours"] = median_of(ratios, "x", "more")
    for when, ms in writes.items():
        found |= {
            f"rating write {when}, p{p}": Measurement(float(np.percentile(ms, p)), "ms", "less") for p in (50, 99)
        }
        found[f"rating write {when}, maximum"] = Measurement(max(ms), "ms", "less")
    return found


def measure(quick: bool) -> Measurements:
    """Return the measurements for 100,000 users and 9,700 movies."""
    jdbc = DRIVER if DRIVER.exists() else None
    return compare_ways(*((1000, 500) if quick else (9700, 100_000)), jdbc, 1 if quick else 3)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--movies", default="9700", help="sizes of the catalogue, separated by commas (default 9700)")
    parser.add_argument("--users", type=int, default=100_000, help="users with a list (default 100000)")
    parser.add_argument("--repeats", type=int, default=3, help="repeats of our own way (default 3)")
    parser.add_argument("--jdbc", type=Path, default=DRIVER, help=f"PostgreSQL's JDBC driver (default {DRIVER})")
    parser.add_argument("--out", type=Path, default=OUTPUT, help=f"file for the raw numbers (default {OUTPUT})")
    args = parser.parse_args()
    jdbc = args.jdbc if args.jdbc.exists() else None
    if jdbc is None:
        print(f"JDBC is left out: there is no driver at {args.jdbc}", file=sys.stderr)
    parts, raw = {}, {}
    for movies in map(int, args.movies.split(",")):
        name = f"{args.users:,} users, {movies:,} movies"
        parts[name], raw[name] = compare_ways(movies, args.users, jdbc, args.repeats)
    run = BenchmarkRun(describe_run(quick=False), parts).to_json()
    args.out.write_text(json.dumps({**run, "raw": raw}, indent=1) + "\n")
    print(table(parts))


if __name__ == "__main__":
    main()
