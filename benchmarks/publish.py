"""Everybody's list made and stored, beside Spark's own ways: python benchmarks/publish.py [--users N] [--jdbc JAR]

On the same factors, for the same users, in the same Spark session and PostgreSQL, one after the other:
  ours         all parts of the score, made on Spark's executors, stored as a retrain does it while the next are made
  JDBC         ALSModel.recommendForUserSubset, written by the executors through PostgreSQL's JDBC driver
  executemany  the same, fetched by the driver program and written by psycopg2's executemany
Beside them ours without storing, and Spark's lists of the well-known movies alone, which are all that ours look at. Then
how long those wait who write a view while the lists are stored. Prints a Markdown table; raw numbers go to --out.
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
from filters import factors_of
from measurements import Measurement, Measurements, median_of, table
from random_content import add_users
from run_history import here
from spark_lists import SparkLists, spark_settings
from sqlalchemy import text
from write_latency import Writing, waits_beside

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
RECORD = generations.GenerationRecord(None, "accepted", "made up", "made up", {})
SPARKS = "recommendForUserSubset"
ALONE = f"{SPARKS} of well-known movies alone"
DRIVER = Path("/usr/share/java/postgresql.jar")  # where Debian's package libpostgresql-jdbc-java puts it
RESULT = Path(__file__).resolve().parent / "results" / "publish.json"
AT_REST = 5.0
_MOVIES = text("""
    INSERT INTO movies (id, title, genres, rating_count, rating_sum, like_count, expected_rating)
    SELECT n, 'Movie ' || n, 'Drama', 1, 3.5, 0, 3.5 FROM generate_series(1, CAST(:movies AS integer)) AS n
""")


class Comparison:
    """A catalogue, its factors and its users, in a database and a Spark session."""

    def __init__(self, database: Database, engine: Engine, movies: int, users: int) -> None:
        self.database, self.engine = database, engine
        self.factors = factors_of(movies, np.random.default_rng(1))
        with database.background_transaction() as db:
            db.execute(_MOVIES, {"movies": movies})
            self.users = add_users(db, users, RATINGS, movies)
        with database.snapshot() as db:
            self.taken = snapshot.take(db)

    def made(self) -> Iterator[ListColumns]:
        """Our lists, piece by piece, as a retrain takes them."""
        return self.engine.iter_lists(self.factors, self.taken.histories, LIST_LENGTH)

    def make(self) -> float:
        """Seconds until our lists have been in this process, without storing them."""
        began = time.perf_counter()
        deque(self.made(), maxlen=0)
        return time.perf_counter() - began

    def publish(self, pieces: Iterable[ListColumns]) -> float:
        """Seconds until they are stored, live, and those of the generation before are gone.

        Storing the factors is not counted, since the other ways do not store them at all.
        """
        with self.database.background_transaction() as db:
            generation = generations.add(db, self.factors, RECORD)
        began = time.perf_counter()
        kept = sum(self._store(generation, *lists) for lists in pieces)
        with self.database.background_transaction() as db:
            generations.flip(db, generation)
        with self.database.background_transaction() as db:
            recommendations.prune(db)
        took = time.perf_counter() - began
        assert kept == len(self.users)
        return took

    def _store(self, generation: int, user: Ints, movie: Ints, expected: Floats) -> int:
        versions = self.taken.versions[np.searchsorted(self.taken.users, user)]
        with self.database.background_transaction() as db:
            return recommendations.store_lists(db, generation, user, versions, movie, expected)

    def theirs(self, jdbc: Path | None) -> dict[str, float]:
        """Seconds of Spark's own lists and of the ways to write them."""
        spark, url = self.engine.start(), self.database.url
        solved = vectors(self.factors, self.taken.histories)
        lists = SparkLists(spark, self.factors, *solved)
        found = {SPARKS: lists.make(LIST_LENGTH)}
        if jdbc is not None:
            found["JDBC"] = lists.write_by_jdbc(url)
            assert lists.stored(url) == LIST_LENGTH * len(self.users)
        found["executemany"] = lists.write_by_executemany(url)
        assert lists.stored(url) == LIST_LENGTH * len(self.users)
        found[ALONE] = SparkLists(spark, well_known(self.factors), *solved).make(LIST_LENGTH)
        return found

    def waits(self, movies: int) -> dict[str, list[float]]:
        """Milliseconds that views took which were written at rest and while lists were stored, three times over."""
        url = self.database.url.render_as_string(hide_password=False)
        writing = Writing(url, self.users, movies)
        rest = waits_beside(writing, lambda: time.sleep(AT_REST))
        lists = list(self.made())
        return {"at rest": rest, "publishing": waits_beside(writing, lambda: [self.publish(lists) for _ in range(3)])}


def well_known(factors: Factors) -> Factors:
    """What Spark takes of them, for the well-known movies alone."""
    known = factors.well_known
    return replace(factors, movies=factors.movies[known], V=factors.V[known])


def vectors(factors: Factors, histories: Histories) -> tuple[Ints, Floats]:
    """The users and the vector that our fold-in solves for each: what a trained model of Spark would hold."""
    rows, _ = factors.rows(histories.movies)
    found = np.zeros((len(histories), factors.V.shape[1]), np.float32)
    ranker = Ranker(factors)
    for some, batch in user_batches(factors, histories.start, rows, histories.rating):
        found[some] = ranker.fold_in(batch).x_m
    return histories.user, found


@contextmanager
def contest(movies: int, users: int, jdbc: Path | None) -> Iterator[Comparison]:
    """A database and a Spark session of their own, with everything in them."""
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
                yield Comparison(database, engine, movies, users)
            finally:
                engine.stop()
                database.close()


def compared(movies: int, users: int, jdbc: Path | None, repeats: int) -> tuple[Measurements, dict[str, Any]]:
    """The figures of one catalogue, and what they were made of."""
    with contest(movies, users, jdbc) as held:
        held.make()
        held.make()  # with cold executors
        alone = [held.make() for _ in range(repeats)]
        ours = [held.publish(held.made()) for _ in range(repeats)]
        waits = held.waits(movies)
        theirs = held.theirs(jdbc)
    raw = {"lists alone": alone, "ours": ours, "theirs": theirs, "waits_ms": waits}
    return figures(alone, ours, theirs, waits), raw


def figures(
    alone: list[float], ours: list[float], theirs: dict[str, float], waits: dict[str, list[float]]
) -> Measurements:
    """All that was measured, with the ratios that the goal is about."""
    made = theirs[SPARKS]
    found = {
        "lists": median_of(alone, "s", "less"),
        "lists made and stored": median_of(ours, "s", "less"),
        SPARKS: Measurement(made, "s"),
        ALONE: Measurement(theirs[ALONE], "s"),
    }
    for way in (way for way in ("JDBC", "executemany") if way in theirs):
        found[f"write by {way}"] = Measurement(theirs[way], "s")
        ratios = [(made + theirs[way]) / each for each in ours]
        found[f"{SPARKS} and {way}, times ours"] = median_of(ratios, "x", "more", GOAL)
        ratios = [(theirs[ALONE] + theirs[way]) / each for each in ours]
        found[f"{ALONE} and {way}, times ours"] = median_of(ratios, "x", "more")
    for when, waited in waits.items():
        found |= {f"a view {when}, p{p}": Measurement(float(np.percentile(waited, p)), "ms", "less") for p in (50, 99)}
        found[f"a view {when}, longest"] = Measurement(max(waited), "ms", "less")
    return found


def measure(quick: bool) -> Measurements:
    """The part of the suite: 100,000 users and 9,700 movies."""
    jdbc = DRIVER if DRIVER.exists() else None
    return compared(*((1000, 500) if quick else (9700, 100_000)), jdbc, 1 if quick else 3)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--movies", default="9700", help="sizes of the catalogue, with commas (default 9700)")
    parser.add_argument("--users", type=int, default=100_000, help="users with a list (default 100000)")
    parser.add_argument("--repeats", type=int, default=3, help="times that ours is repeated (default 3)")
    parser.add_argument("--jdbc", type=Path, default=DRIVER, help=f"PostgreSQL's JDBC driver (default {DRIVER})")
    parser.add_argument("--out", type=Path, default=RESULT, help=f"where the raw numbers go (default {RESULT})")
    given = parser.parse_args()
    jdbc = given.jdbc if given.jdbc.exists() else None
    if jdbc is None:
        print(f"JDBC is left out, since there is no {given.jdbc}; its driver is one file", file=sys.stderr)
    parts, raw = {}, {}
    for movies in map(int, given.movies.split(",")):
        name = f"{given.users:,} users, {movies:,} movies"
        parts[name], raw[name] = compared(movies, given.users, jdbc, given.repeats)
    shown = {part: {name: figure.to_json() for name, figure in found.items()} for part, found in parts.items()}
    given.out.write_text(json.dumps({"about": here(False), "parts": shown, "raw": raw}, indent=1) + "\n")
    print(table(parts))


if __name__ == "__main__":
    main()
