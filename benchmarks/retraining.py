"""Measure a warm retrain on a small dataset, and its three fits alone: two ALS fits and the neighbours."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from generate import Size, write_dataset
from measurements import Measurements, median_of, median_ratio
from pyspark.ml.recommendation import ALS
from resource_cost import Cost, measure_cost
from synthetic_users import SyntheticUsers, add_users

from embedded.postgres import EmbeddedPostgres
from engine import Engine
from evaluation.splits import split_held_out
from jobs.ingest import init_movie_table, load_base_ratings
from jobs.training import Trainer, bring_forward, combine_ratings
from ranking.biases import residuals
from ranking.neighbours import fit_neighbours
from ranking.ratings import Floats, Ints, Ratings
from recommender import Recommender
from settings import Settings
from storage import movies, snapshot
from storage.database import Database

GOAL = 1.25  # CPU seconds of a retrain relative to its fits alone
RATINGS = 100_000  # as many as ml-latest-small has
OUR_USERS = 100


@dataclass(frozen=True)
class BareFits:
    """The fits of a training run as in a short script: Parquet in, factors out."""

    engine: Engine
    ratings: Ratings
    movies: Ints
    folder: Path

    def run(self) -> None:
        """Fit ranker, rater and neighbours with the settings of the service."""
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
    """Return CPU seconds of this process and its children, measured in turns with a warm Spark session."""
    with _prepared(RATINGS // 10 if quick else RATINGS) as (trainer, bare):
        whole = partial(trainer.retrain, ordered=True)  # trains although nothing has changed
        whole()
        bare.run()
        pairs = [(_cost(whole), _cost(bare.run)) for _ in range(1 if quick else 5)]
    own, alone = [cost.cpu for cost, _ in pairs], [cost.cpu for _, cost in pairs]
    return {
        "CPU of a retrain": median_of(own, "s", "less"),
        "CPU of its fits alone": median_of(alone, "s"),
        "CPU of a retrain / its fits alone": median_ratio(own, alone, "less", GOAL),
        "duration of a retrain": median_of([cost.seconds for cost, _ in pairs], "s", "less"),
        "duration of its fits alone": median_of([cost.seconds for _, cost in pairs], "s"),
    }


def _cost(work: Callable[[], object]) -> Cost:
    with measure_cost() as cost:
        work()
    return cost


@contextmanager
def _prepared(ratings: int) -> Iterator[tuple[Trainer, BareFits]]:
    """Yield a trainer with a catalogue and some users of the service, and the bare fits on the same ratings."""
    with tempfile.TemporaryDirectory(prefix="matinee-retraining-") as folder:
        Path(folder).chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        size = Size.like_movielens(ratings)
        dataset = Path(folder) / "dataset"
        write_dataset(dataset, size)
        settings = Settings(state_dir=Path(folder) / "state", dataset=str(dataset))
        with EmbeddedPostgres(settings.state_dir) as url:
            database, engine = Database(url, threads=2), Engine(settings)
            database.migrate()
            init_movie_table(database, settings)
            add_users(database, SyntheticUsers.draw(size, OUR_USERS))
            try:
                yield (
                    Trainer(settings, database, engine, Recommender(database)),
                    _bare_fits(engine, database, Path(folder)),
                )
            finally:
                engine.stop()
                database.close()


def _bare_fits(engine: Engine, database: Database, folder: Path) -> BareFits:
    """Return the bare fits on the training ratings of a retrain."""
    with database.snapshot() as db:
        taken, movie_ids = snapshot.take(db), movies.ids(db)
    base, _ = split_held_out(load_base_ratings(database, engine.settings))
    return BareFits(engine, combine_ratings(bring_forward(base, taken.views), taken.views), movie_ids, folder)
