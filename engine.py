"""The Spark side of Matinee: ratings in, Factors out, and the lists of many users at once.

`Engine` keeps one warm Spark session, because a cold JVM costs more than the fits on a small set.
"""

import argparse
import logging
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import runtime.one_thread  # noqa: F401 - before numpy is loaded

# isort: split
import numpy as np
from py4j.protocol import Py4JError
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

from runtime.als import Columns, fit, placed
from runtime.cluster import ClusterError, manned
from runtime.disk import FullDiskError, room_in
from runtime.java import JavaError
from runtime.logs import log_to_stderr
from runtime.memory import Heap
from runtime.movielens import DatasetError, read_set
from runtime.new_file import refuse_unwritable, write_whole
from runtime.session_files import shelf
from runtime.spark import (
    alive,
    close_session,
    heap_of,
    open_session,
    told_by_java,
    usable,
    why_ended,
)
from runtime.spark_lists import made
from scoring.biases import residuals
from scoring.factors import Factors
from scoring.lists import Histories
from scoring.many import Lists, together
from scoring.neighbours import by_source, fit_neighbours
from scoring.popularity import popularity
from scoring.prior import moments
from scoring.ratings import Floats, Ints, Ratings
from scoring.splits import judges_apart
from settings import ModelSettings, Settings, SettingsError
from settings import load as load_settings

log = logging.getLogger(__name__)

JUDGES_KEPT_OUT = {"judges_kept_out": True}  # the fact of a training that may be judged on the held-out people
STOPPED = "it was stopped, with the process that it worked for"

Progress = Callable[[str, float], None]
"""Called with the phase of a training and how much of that phase is done, 0 to 1."""


class EngineError(RuntimeError):
    """Spark could not do what was asked."""


class Engine:
    """One Spark session and the work it does, for one caller at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._spark: SparkSession | None = None
        self._ratings, self._heap = 0, ""
        self._starting = threading.Lock()
        self._stopped = False

    def start(self, ratings: int = 0) -> SparkSession:
        """The warm session; a new one if there is none or the last one has died or lost all its executors.

        It has a heap for so many ratings, or for more if a training had more.

        Raises `EngineError` once stopped, and where there is no cluster to work for us.
        """
        with self._starting:
            if self._stopped:
                raise EngineError(STOPPED)
            self._ratings = max(self._ratings, ratings)
            heap = self.settings.heap_for(self._ratings)
            if self._spark is not None and (heap != self._heap or not usable(self._spark)):
                close_session(self._spark)
                self._spark = None
            if self._spark is None:
                try:
                    with room_in(shelf(self.settings)):
                        self._spark = open_session(replace(self.settings, spark_driver_memory=heap))
                        self._heap = heap
                except ClusterError as error:
                    raise EngineError(str(error)) from error
            return self._spark

    def stop(self) -> None:
        """End the session and its JVM for good; a training that is under way fails."""
        self._stopped = True
        spark, self._spark = self._spark, None
        if spark is not None:
            close_session(spark)

    def heap(self) -> Heap | None:
        """The memory of the session's JVM; None while there is none."""
        return None if self._spark is None else heap_of()

    def train(self, ratings: Ratings, films: Ints, model: ModelSettings, progress: Progress) -> Factors:
        """Fit ranker, rater and neighbours to ratings of the films of a catalogue.

        Args:
            ratings: of MovieLens users and, with USER_OFFSET added to their ids, of ours; in a settled order, for
                the fits depend on it in the last digits.
            films: the whole catalogue, ascending ids; every rated film is one of it.
            progress: told of the phases "ranker", "rater" and "neighbours".

        Raises:
            EngineError: there is nothing to learn from.
        """
        if not (ratings.rating >= model.like_threshold).any():
            raise EngineError(f"no rating reaches {model.like_threshold}, so there is nothing to learn from")
        rows = np.searchsorted(films, ratings.film)
        with self._explained():
            V, m, C = self.fit_ranker(ratings, films, model, progress)
            mu, film_bias, Q, C_r = self._rater(ratings, rows, films, model, progress)
            W = fit_neighbours(ratings, rows, len(films), model, partial(progress, "neighbours"))
        likes = np.flatnonzero(ratings.rating >= model.like_threshold)
        count = np.bincount(rows, minlength=len(films))
        total = np.bincount(rows, ratings.rating, minlength=len(films))
        w_start, w_film, w = by_source(W, len(films))
        return Factors(
            films=films, V=V, m=m, C=C, Q=Q, C_r=C_r, mu=mu, film_bias=film_bias,
            rating_count=count.astype(np.int32),
            rating_mean=(total / np.maximum(count, 1)).astype(np.float32),
            popular=popularity(ratings.take(likes), rows[likes], len(films), model),
            w_start=w_start, w_film=w_film, w=w, model=model,
            facts={"trained_at": datetime.now(UTC).isoformat(timespec="seconds"), "ratings": len(ratings)},
        )  # fmt: skip

    def lists(self, factors: Factors, histories: Histories, n: int) -> Lists:
        """The n best films for every user of `histories`, computed where Spark's executors are."""
        return together(self.lists_in_pieces(factors, histories, n))

    def lists_in_pieces(self, factors: Factors, histories: Histories, n: int) -> Generator[Lists, None, None]:
        """The same, of some users after the others, and more made meanwhile; close it if you do not take them all."""
        spark = self.start()
        with self._explained(), manned(spark):
            yield from made(spark, factors, histories, n)

    def fit_ranker(
        self, ratings: Ratings, films: Ints, model: ModelSettings, progress: Progress
    ) -> tuple[Floats, Floats, Floats]:
        """Implicit ALS on likes: V [f, k], and mean [k] and covariance [k, k] of its users' vectors."""
        self.start(len(ratings))  # without a session there is no ALS
        likes = ratings.rating >= model.like_threshold
        als = ALS(
            rank=model.ranker_rank, maxIter=model.ranker_iterations, regParam=model.ranker_reg,
            alpha=model.ranker_alpha, implicitPrefs=True, seed=model.seed,
        )  # fmt: skip
        columns = ratings.user[likes], ratings.film[likes], np.ones(likes.sum(), np.float32)
        vectors, V = self._fit(als, columns, films, partial(progress, "ranker"))
        return V, *moments(vectors)

    def _rater(
        self, ratings: Ratings, rows: Any, films: Ints, model: ModelSettings, progress: Progress
    ) -> tuple[float, Floats, Floats, Floats]:
        """Explicit ALS on what biases leave: mu, b_i [f], Q [f, h] and the covariance of its users' vectors."""
        residual, mu, b_i = residuals(ratings, rows, len(films))
        als = ALS(rank=model.rater_rank, maxIter=model.rater_iterations, regParam=model.rater_reg, seed=model.seed)
        columns = ratings.user, ratings.film, residual
        vectors, Q = self._fit(als, columns, films, partial(progress, "rater"))
        _, C_r = moments(vectors)
        return mu, b_i.astype(np.float32), Q, C_r

    def _fit(self, als: ALS, columns: Columns, films: Ints, report: Callable[[float], None]) -> tuple[Floats, Floats]:
        """Run ALS: the users' vectors, and the factors of the whole catalogue."""
        vectors, rated, factors = fit(self.start(), self.settings, als, columns, report)
        return vectors, placed(factors, rated, films)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what it means when Spark does not answer any more, or fails, which py4j and pyspark do in many ways."""
        try:
            with room_in(shelf(self.settings)):
                yield
        except FullDiskError:
            raise
        except ClusterError as error:
            raise EngineError(str(error)) from error
        except Exception as error:
            if self._stopped:
                raise EngineError(STOPPED) from error
            if self._spark is not None and not alive(self._spark):
                ended = why_ended(self._heap)
                raise EngineError(f"{ended}; the next training starts another") from error
            if isinstance(error, Py4JError):
                raise EngineError(told_by_java(error)) from error
            raise


def main() -> None:
    """`spark-submit engine.py --ratings FOLDER --out FILE`: a training from files to a file, for `cli.py load`."""
    parser = argparse.ArgumentParser(description="Train on the ratings of a MovieLens set, without a database.")
    parser.add_argument("--ratings", type=Path, required=True, help="a folder that holds a MovieLens set")
    parser.add_argument("--out", type=Path, required=True, help="the generation file to write; cli.py load takes it")
    given = parser.parse_args()
    try:
        settings = load_settings()
        log_to_stderr(settings.log_level, settings.log_format)
        train_to_file(settings, given.ratings, given.out)
    except (DatasetError, EngineError, JavaError, OSError, SettingsError) as error:
        sys.exit(f"matinee: {error}")


def train_to_file(settings: Settings, folder: Path, out: Path) -> None:
    """Train on a MovieLens folder and write the generation to a file. Raises before it trains if that cannot be."""
    refuse_unwritable(out)
    engine = Engine(settings)
    try:
        data = train_folder(engine, folder).to_bytes()
    finally:
        engine.stop()
    write_whole(out, data)
    log.info("wrote %s, %.1f MB", out, len(data) / 1e6)


def train_folder(engine: Engine, folder: Path) -> Factors:
    """Train on a MovieLens folder, without the people who are held out to judge by. Raises `DatasetError`."""
    ratings, films = read_set(folder)
    learners, _ = judges_apart(ratings)
    factors = engine.train(learners, films, engine.settings.model_for(len(ratings)), _tell)
    return replace(factors, facts={**factors.facts, **JUDGES_KEPT_OUT})


def _tell(phase: str, done: float) -> None:
    log.info("%s: %.0f %%", phase, 100 * done)


if __name__ == "__main__":
    main()
