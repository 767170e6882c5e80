"""Train models on Spark and compute the lists of many users there.

`Engine` keeps one warm Spark session, because a cold JVM costs more than the fits on a small set.
"""

import argparse
import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
import numpy as np
from py4j.protocol import Py4JError
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

from evaluation.splits import split_held_out
from movielens.reader import content_of, read_dataset, read_movies
from ranking.batch_lists import ListColumns, concatenate_lists, count_ratings
from ranking.biases import residuals
from ranking.content import with_content
from ranking.factors import Factors
from ranking.fold_in import mean_and_covariance
from ranking.neighbours import fit_neighbours
from ranking.popularity import popularity
from ranking.rating_histories import Histories
from ranking.ratings import Floats, Ints, Ratings, without_future
from settings import ModelSettings, OperatorError, Settings
from settings import load as load_settings
from spark.als import Columns, fit, in_catalogue_rows
from spark.cluster import EngineError, require_executors
from spark.list_jobs import compute_lists
from spark.session import (
    alive,
    can_run_jobs,
    close_session,
    exit_reason,
    java_error_message,
    jvm_heap,
    open_session,
)
from spark.session_files import spark_work_dir
from system.disk import require_writable, translate_disk_full, write_atomically
from system.logs import log_to_stderr
from system.memory import Heap

log = logging.getLogger(__name__)

HELD_OUT_FACT = {"judges_kept_out": True}  # the model was trained without the held-out users, so they may evaluate it
STOPPED = "the training process was stopped"

Progress = Callable[[str, float], None]
"""A callback that takes the phase of a training run and the completed share of that phase, 0 to 1."""


def ignore_progress(phase: str, done: float) -> None:
    """Ignore the progress of a training run."""


class Engine:
    """A Spark session and the jobs that run on it, for one caller at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._spark: SparkSession | None = None
        self._ratings, self._heap = 0, ""
        self._starting = threading.Lock()
        self._stopped = False

    def start(self, ratings: int = 0) -> SparkSession:
        """Return the warm Spark session; start one if there is none, or if it has died or lost all its executors.

        Its heap fits the largest number of ratings asked for so far.

        Raises `EngineError` after `stop` and when the Spark cluster does not answer.
        """
        with self._starting:
            if self._stopped:
                raise EngineError(STOPPED)
            self._ratings = max(self._ratings, ratings)
            heap = self.settings.heap_for(self._ratings)
            if self._spark is not None and (heap != self._heap or not can_run_jobs(self._spark)):
                close_session(self._spark)
                self._spark = None
            if self._spark is None:
                with translate_disk_full(spark_work_dir(self.settings)):
                    self._spark = open_session(replace(self.settings, spark_driver_memory=heap))
                    self._heap = heap
            return self._spark

    def stop(self) -> None:
        """End the session and its JVM for good; a training run under way fails."""
        self._stopped = True
        spark, self._spark = self._spark, None
        if spark is not None:
            close_session(spark)

    def heap(self) -> Heap | None:
        """Return the heap of the session's JVM; None without a session."""
        return None if self._spark is None else jvm_heap()

    def train(
        self, ratings: Ratings, movies: Ints, model: ModelSettings, progress: Progress = ignore_progress
    ) -> Factors:
        """Fit the ranker, the rater and the neighbours to ratings, and return the factors.

        Args:
            ratings: of MovieLens users and, with USER_OFFSET added to their ids, of Matinee's users; in a fixed order,
                because the last digits of the factors depend on it.
            movies: ids of the whole catalogue, ascending; they include every rated movie.
            progress: called with the phases "ranker", "rater" and "neighbours".

        Raises:
            EngineError: there is nothing to learn from.
        """
        if not (ratings.rating >= model.like_threshold).any():
            raise EngineError(f"no rating reaches {model.like_threshold}, so there is nothing to learn from")
        ratings, rows = without_future(ratings, int(time.time())), np.searchsorted(movies, ratings.movie)
        with self._translate_errors():
            V, m, C = self.fit_ranker(ratings, movies, model, progress)
            mu, movie_bias, Q, C_r = self._rater(ratings, rows, movies, model, progress)
            W = fit_neighbours(ratings, rows, len(movies), model, partial(progress, "neighbours"))
        likes = ratings.rating >= model.like_threshold
        count, total = (np.bincount(rows, weight, minlength=len(movies)) for weight in (None, ratings.rating))
        return Factors(
            movies=movies, V=V, m=m, C=C, Q=Q, C_r=C_r, mu=mu, movie_bias=movie_bias,
            rating_count=count.astype(np.int32),
            rating_mean=(total / np.maximum(count, 1)).astype(np.float32),
            popular=popularity(ratings.take(likes), rows[likes], len(movies), model),
            w_start=W.indptr.astype(np.int64), w_movie=W.indices.astype(np.int32), w=W.data, model=model,
            facts={"trained_at": datetime.now(UTC).isoformat(timespec="seconds"), "ratings": len(ratings)},
        )  # fmt: skip

    def lists(self, factors: Factors, histories: Histories, n: int) -> ListColumns:
        """Return the n best movies for each user of `histories`, computed on Spark's executors."""
        return concatenate_lists(self.iter_lists(factors, histories, n))

    def iter_lists(self, factors: Factors, histories: Histories, n: int) -> Generator[ListColumns, None, None]:
        """Yield the lists of `lists` in batches of users while Spark computes the next ones; close it to stop early."""
        spark = self.start()
        with self._translate_errors(), require_executors(spark):
            yield from compute_lists(spark, factors, histories, n)

    def fit_ranker(
        self, ratings: Ratings, movies: Ints, model: ModelSettings, progress: Progress = ignore_progress
    ) -> tuple[Floats, Floats, Floats]:
        """Fit implicit ALS to the likes. Return V [f, k], and mean [k] and covariance [k, k] of the users' vectors."""
        self.start(len(ratings))  # pyspark's ALS needs a session to be constructed
        likes = ratings.rating >= model.like_threshold
        als = ALS(
            rank=model.ranker_rank, maxIter=model.ranker_iterations, regParam=model.ranker_reg,
            alpha=model.ranker_alpha, implicitPrefs=True, seed=model.seed,
        )  # fmt: skip
        columns = ratings.user[likes], ratings.movie[likes], np.ones(likes.sum(), np.float32)
        vectors, V = self._fit(als, columns, movies, partial(progress, "ranker"))
        return V, *mean_and_covariance(vectors)

    def _rater(
        self, ratings: Ratings, rows: Any, movies: Ints, model: ModelSettings, progress: Progress
    ) -> tuple[float, Floats, Floats, Floats]:
        """Fit explicit ALS to the residuals. Return mu, b_i [f], Q [f, h] and the covariance of the users' vectors."""
        residual, mu, b_i = residuals(ratings, rows, len(movies))
        als = ALS(rank=model.rater_rank, maxIter=model.rater_iterations, regParam=model.rater_reg, seed=model.seed)
        columns = ratings.user, ratings.movie, residual
        vectors, Q = self._fit(als, columns, movies, partial(progress, "rater"))
        _, C_r = mean_and_covariance(vectors)
        return mu, b_i.astype(np.float32), Q, C_r

    def _fit(self, als: ALS, columns: Columns, movies: Ints, report: Callable[[float], None]) -> tuple[Floats, Floats]:
        """Run ALS. Return the users' vectors and the factors of the whole catalogue."""
        vectors, rated, factors = fit(self.start(), self.settings, als, columns, report)
        return vectors, in_catalogue_rows(factors, rated, movies)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate the many exceptions of py4j and pyspark, when Spark fails or has died, into `EngineError`."""
        try:
            with translate_disk_full(spark_work_dir(self.settings)):
                yield
        except OperatorError:
            raise
        except Exception as error:
            if self._stopped:
                raise EngineError(STOPPED) from error
            if self._spark is not None and not alive(self._spark):
                ended = exit_reason(self._heap)
                raise EngineError(f"{ended}; the next training run starts another") from error
            if isinstance(error, Py4JError):
                raise EngineError(java_error_message(error)) from error
            raise


def main() -> None:
    """Run `spark-submit engine.py --ratings FOLDER --out FILE`: train from files to a file for `cli.py load`."""
    parser = argparse.ArgumentParser(description="Train on the ratings of a MovieLens set, without a database.")
    parser.add_argument("--ratings", type=Path, required=True, help="a folder that holds a MovieLens set")
    parser.add_argument("--out", type=Path, required=True, help="the generation file to write; cli.py load takes it")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        log_to_stderr(settings.log_level, settings.log_format)
        train_to_file(settings, arguments.ratings, arguments.out)
    except (OperatorError, OSError) as error:
        sys.exit(f"matinee: {error}")


def train_to_file(settings: Settings, folder: Path, out: Path) -> None:
    """Train on a MovieLens folder and write the generation to a file. Raises before training if it is not writable."""
    require_writable(out)
    engine = Engine(settings)
    try:
        data = train_folder(engine, folder).to_bytes()
    finally:
        engine.stop()
    write_atomically(out, data)
    log.info("wrote %s, %.1f MB", out, len(data) / 1e6)


def train_folder(engine: Engine, folder: Path) -> Factors:
    """Train on a MovieLens folder, without the held-out users. Raises `DatasetError`."""
    ratings, movies = read_dataset(folder)
    train_ratings, _ = split_held_out(ratings)
    model = engine.settings.model_for(len(ratings))
    factors = engine.train(train_ratings, movies, model, _log_progress)
    catalogue = sorted(read_movies(folder)[0], key=lambda movie: movie.movie_id)
    likes = count_ratings(train_ratings, movies, model.like_threshold)
    factors = with_content(factors, [content_of(movie) for movie in catalogue], likes)
    return replace(factors, facts={**factors.facts, **HELD_OUT_FACT})


def _log_progress(phase: str, done: float) -> None:
    log.info("%s: %.0f %%", phase, 100 * done)


if __name__ == "__main__":
    main()
