"""Retrain: snapshot, train, check, publish. The live generation serves until the new one is complete."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from catalogue.content_features import features_of
from catalogue.movie_table import MovieTable
from engine import HELD_OUT_FACT, Engine
from evaluation.splits import split_held_out
from jobs.changes import anything_to_learn, catalogue_source, training_fingerprint
from jobs.ingest import load_base_ratings
from jobs.job_run import JobRun, record_run
from jobs.online_evaluation import evaluate_new_ratings
from jobs.publish import Candidate, Publisher
from ranking.batch_lists import count_ratings
from ranking.content import with_content
from ranking.factors import Factors, FactorsError, checksum
from ranking.ratings import Ratings, concatenate, without_future
from recommender import Recommender
from settings import USER_OFFSET, ModelSettings, Settings
from storage import movies, predictions, runs, snapshot
from storage.database import TRAINING_LOCK, Database
from storage.errors import UnknownGenerationError
from storage.movie_changes import FIRST_OWN_ID
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)

Outcome = Literal["busy", "unchanged", "published", "done", "rejected"]


@dataclass(frozen=True)
class TrainingInput:
    """What there is to learn from at one moment.

    Attributes:
        user_snapshot: our users and their ratings; those of the dataset are read when they are needed.
        movies: the catalogue.
        model: the settings to learn with.
        fingerprint: of all this: when it is the same, so is the result.
    """

    user_snapshot: Snapshot
    movies: MovieTable
    model: ModelSettings
    fingerprint: str


@dataclass(frozen=True)
class Trainer:
    """What a retrain needs; one for a process."""

    settings: Settings
    database: Database
    engine: Engine
    recommender: Recommender

    def retrain(self, run_id: int | None = None, ordered: bool = False) -> Outcome:
        """Train on the current ratings and serve the result, unless another process trains.

        Raise whatever went wrong; the run says so too, and the live generation goes on serving.

        Args:
            run_id: the queued run to take up; without one a run is opened, unless nothing has changed since the last.
            ordered: train though nothing may have changed.
        """
        if run_id is None and not ordered and self._refresh() and not anything_to_learn(self.database, self.settings):
            log.info("no training: nothing has changed since the last")
            return "unchanged"
        with self._training_run(run_id) as run:
            if run is None:
                log.info("no training: another process trains")
                return "busy"
            training_input = self._read_training_input(run)
            return self._publisher.judge_and_publish(run, self._train(run, training_input))

    def load(self, factors: Factors) -> Outcome:
        """Bring in factors that were trained elsewhere, through the same gate.

        Raises `FactorsError` if they are of another catalogue or have learned from the held-out users.
        """
        with self._training_run() as run:
            if run is None:
                return "busy"
            training_input = self._read_training_input(run)
            check_factors(factors, training_input)
            base, held_out = split_held_out(load_base_ratings(self.database, self.settings))
            # they learned nothing from our users: with this fingerprint the next check still queues a training run
            fingerprint = checksum(factors.to_bytes())
            candidate = Candidate(factors, base, held_out, training_input.user_snapshot, fingerprint)
            return self._publisher.judge_and_publish(run, candidate)

    @contextmanager
    def _training_run(self, queued: int | None = None) -> Iterator[JobRun | None]:
        """Open a run, or take up the queued one, and keep all others from training until the block ends.

        Yield None if another process trains, or has taken up that run.
        """
        with self.database.try_lock(TRAINING_LOCK) as mine:
            if mine and queued is not None:
                with self.database.statement() as db:
                    mine = runs.take_up(db, queued)
            if mine:
                with record_run(self.database, "train", runs.TRAINING_PHASES, queued) as run:
                    yield run
            else:
                yield None

    def _read_training_input(self, run: JobRun) -> TrainingInput:
        """Read what there is to learn, after the live generation has been compared with what is new in it."""
        run.advance("snapshot")
        source = catalogue_source(self.database)
        with self.database.snapshot() as db:
            user_snapshot, table = snapshot.take(db), movies.table(db)
            model = self.settings.model_for(source.ratings + len(user_snapshot.views))
            found = TrainingInput(user_snapshot, table, model, training_fingerprint(db, source, model))
        self._refresh()
        run.advance("compare")
        live = self.recommender.model.live
        evaluate_new_ratings(self.database, user_snapshot, live, partial(run.advance, "compare"))
        with self.database.statement() as db:
            run.notes["live"] = predictions.metrics_of_generation(db, live.id) if live else None
        return found

    def _refresh(self) -> bool:
        """Have the live generation in memory, or what stands in for it; False if it cannot be read."""
        try:
            self.recommender.model.refresh()
        except (FactorsError, UnknownGenerationError):
            return False
        return True

    @property
    def _publisher(self) -> Publisher:
        return Publisher(self.database, self.engine, self.recommender, self.settings.keep_generations)

    def _train(self, run: JobRun, training_input: TrainingInput) -> Candidate:
        base = load_base_ratings(self.database, self.settings)
        views = training_input.user_snapshot.learned
        base, held_out = split_held_out(bring_forward(base, views))
        facts = {"base_ratings": len(base), "views": len(views), "users": len(training_input.user_snapshot.users)}
        ratings = combine_ratings(base, views)
        del base  # of 32 million ratings it is 600 MB
        run.advance("ranker")  # which is to begin with the start of Spark, if it has not been started
        catalogue, model = training_input.movies, training_input.model
        factors = self.engine.train(ratings, catalogue.movies, model, run.advance)
        likes = count_ratings(ratings, catalogue.movies, model.like_threshold)
        factors = with_content(factors, [features_of(catalogue, row) for row in range(len(catalogue))], likes)
        factors = replace(factors, facts={**factors.facts, **HELD_OUT_FACT, **facts})
        return Candidate(factors, ratings, held_out, training_input.user_snapshot, training_input.fingerprint)


def bring_forward(base: Ratings, views: Ratings) -> Ratings:
    """Return the base with its newest rating moved to the time of our newest view, and all others by as much.

    It stands for users of today: left years behind, its likes would weigh next to nothing beside our first few.
    """
    base = without_future(base, int(time.time()))
    if len(base) == 0 or len(views) == 0:
        return base
    return replace(base, at=base.at + max(0, int(views.at.max()) - int(base.at.max())))


def combine_ratings(base: Ratings, views: Ratings) -> Ratings:
    """Return the base and our users' views, these under the ids by which the engine knows them."""
    return concatenate(base, replace(views, user=views.user + np.int32(USER_OFFSET)))


def check_factors(factors: Factors, training_input: TrainingInput) -> None:
    """Raise `FactorsError` unless these factors can be judged and served here."""
    dataset_ids = training_input.movies.movies[training_input.movies.movies < FIRST_OWN_ID]
    if not np.array_equal(factors.movies[factors.movies < FIRST_OWN_ID], dataset_ids):
        raise FactorsError(
            f"they were trained for a catalogue of {len(factors.movies):,} movies, and this one's "
            f"{len(training_input.movies):,} "
            "are not the same; train them on the dataset that this catalogue was filled from"
        )
    if not HELD_OUT_FACT.items() <= factors.facts.items():
        raise FactorsError("these factors were trained on the held-out users' ratings; train them with engine.py")
