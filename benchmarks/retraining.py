"""A warm retrain on a small set with everything around it, beside the two bare fits and the neighbours alone."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from generate import Size, write_set
from measurements import Measurements, median_of, median_ratio
from pyspark.ml.recommendation import ALS
from resource_cost import Cost, measure_cost
from synthetic_users import SyntheticUsers, add_users

from embedded.postgres import EmbeddedPostgres
from engine import Engine
from evaluation.splits import split_held_out
from jobs.ingest import init_movie_table, load_base_ratings
from jobs.training import Trainer, combine_ratings
from ranking.biases import residuals
from ranking.neighbours import fit_neighbours
from ranking.ratings import Floats, Ints, Ratings
from recommender import Recommender
from settings import Settings
from storage import movies, snapshot
from storage.database import Database

GOAL = 1.25  # CPU seconds of the whole, of those of its three fits alone
SMALL = 100_000  # ratings, as many as ml-latest-small has
OUR_USERS = 100


@dataclass(frozen=True)
class Bare:
    """The fits of a retrain as a script would have them: Parquet in, factors out."""

    engine: Engine
    ratings: Ratings
    movies: Ints
    folder: Path

    def run(self) -> None:
        """Rank, rate and find the neighbours, with the settings of the service."""
        model = self.engine.settings.model_for(len(self.ratings))
        rows = np.searchsorted(self.movies, self.ratings.movie)
        ranker = ALS(
            rank=model.ranker_rank, maxIter=model.ranker_iterations, regParam=model.ranker_reg,
            alpha=model.ranker_alpha, implicitPrefs=True, seed=model.seed,
        )  # fmt: skip
        likes = self.ratings.rating >= model.like_threshold
        self._fit(ranker, self.ratings.take(np.flatnonzero(likes)), np.ones(likes.sum(), np.float32))
        rater = ALS(rank=model.rater_rank, maxIter=model.rater_iterations, regParam=model.rater_reg, seed=model.seed)
        self._fit(rater, self.ratings, residuals(self.ratings, rows, len(self.movies))[0])
        fit_neighbours(self.ratings, rows, len(self.movies), model, lambda _: None)

    def _fit(self, als: ALS, ratings: Ratings, value: Floats) -> None:
        spark = self.engine.start()
        file = str(self.folder / "ratings.parquet")
        pq.write_table(pa.table({"user": ratings.user, "movie": ratings.movie, "value": value}), file)
        als = als.setUserCol("user").setItemCol("movie").setRatingCol("value")
        fitted = als.setNumBlocks(spark.sparkContext.defaultParallelism).fit(spark.read.parquet(file))
        fitted.userFactors.toArrow()
        fitted.itemFactors.toArrow()


def measure(quick: bool) -> Measurements:
    """CPU seconds of this process and all it starts, in turns, once Spark is warm."""
    with _ready(SMALL // 10 if quick else SMALL) as (trainer, bare):
        whole = partial(trainer.retrain, lambda _: None)  # as ordered: it trains though nothing has changed
        whole()
        bare.run()
        pairs = [(_cost(whole), _cost(bare.run)) for _ in range(1 if quick else 5)]
    own, alone = [cost.cpu for cost, _ in pairs], [cost.cpu for _, cost in pairs]
    return {
        "CPU of a retrain": median_of(own, "s", "less"),
        "CPU of its fits alone": median_of(alone, "s"),
        "CPU of a retrain of its fits alone": median_ratio(own, alone, "less", GOAL),
        "a retrain": median_of([cost.seconds for cost, _ in pairs], "s", "less"),
        "its fits alone": median_of([cost.seconds for _, cost in pairs], "s"),
    }


def _cost(work: Callable[[], object]) -> Cost:
    with measure_cost() as cost:
        work()
    return cost


@contextmanager
def _ready(ratings: int) -> Iterator[tuple[Trainer, Bare]]:
    """A trainer with a catalogue, some people and a warm Spark; and what is to be measured beside it."""
    with tempfile.TemporaryDirectory(prefix="matinee-retraining-") as folder:
        Path(folder).chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        size = Size.like_movielens(ratings)
        write_set(Path(folder) / "set", size)
        settings = Settings(state_dir=Path(folder) / "state", dataset=str(Path(folder) / "set"))
        with EmbeddedPostgres(settings.state_dir) as url:
            database, engine = Database(url, threads=2), Engine(settings)
            database.migrate()
            init_movie_table(database, settings)
            add_users(database, SyntheticUsers.make(size, OUR_USERS))
            try:
                yield Trainer(settings, database, engine, Recommender(database)), _bare(engine, database, Path(folder))
            finally:
                engine.stop()
                database.close()


def _bare(engine: Engine, database: Database, folder: Path) -> Bare:
    """With just what a retrain learns from."""
    with database.snapshot() as db:
        taken, movie_ids = snapshot.take(db), movies.ids(db)
    base, _ = split_held_out(load_base_ratings(database, engine.settings).ratings)
    return Bare(engine, combine_ratings(base, taken.views), movie_ids, folder)
