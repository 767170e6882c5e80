"""Retrain: snapshot, train, evaluate, publish. The live generation serves until the new one is complete."""

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
from jobs.changes import catalogue_source, training_fingerprint, training_is_due
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
    """The inputs of a training run, from one snapshot.

    Attributes:
        user_snapshot: the users and their ratings; the base ratings are read when they are needed.
        movies: the catalogue.
        model: the settings of the training.
        fingerprint: the fingerprint of all inputs; equal inputs give equal results.
    """

    user_snapshot: Snapshot
    movies: MovieTable
    model: ModelSettings
    fingerprint: str


@dataclass(frozen=True)
class Trainer:
    """The parts that a training run uses; one for each process."""

    settings: Settings
    database: Database
    engine: Engine
    recommender: Recommender

    def retrain(self, run_id: int | None = None, ordered: bool = False) -> Outcome:
        """Train on the current ratings and publish the result, unless another process trains.

        Errors are recorded in the run and raised; the live generation keeps serving.

        Args:
            run_id: the queued run to take up; None opens a run if anything has changed since the last one.
            ordered: train even if nothing has changed.
        """
        if run_id is None and not ordered and self._refresh() and not training_is_due(self.database, self.settings):
            log.info("no training run: nothing has changed since the last one")
            return "unchanged"
        with self._training_run(run_id) as run:
            if run is None:
                log.info("no training run: another process trains")
                return "busy"
            training_input = self._read_training_input(run)
            return self._publisher.judge_and_publish(run, self._train(run, training_input))

    def load(self, factors: Factors) -> Outcome:
        """Evaluate and publish factors that were trained elsewhere.

        Raises `FactorsError` if they are for another catalogue or were trained on the held-out users.
        """
        with self._training_run() as run:
            if run is None:
                return "busy"
            training_input = self._read_training_input(run)
            check_factors(factors, training_input)
            base, held_out = split_held_out(load_base_ratings(self.database, self.settings))
            # the factors lack the service's users; with this fingerprint the next check queues a training run
            fingerprint = checksum(factors.to_bytes())
            candidate = Candidate(factors, base, held_out, training_input.user_snapshot, fingerprint)
            return self._publisher.judge_and_publish(run, candidate)

    @contextmanager
    def _training_run(self, queued: int | None = None) -> Iterator[JobRun | None]:
        """Open a run, or take up the queued one, and hold the training lock during the block.

        Yields None if another process trains, or has taken up the run.
        """
        with self.database.try_lock(TRAINING_LOCK) as acquired:
            if acquired and queued is not None:
                with self.database.statement() as db:
                    acquired = runs.take_up(db, queued)
            if acquired:
                with record_run(self.database, "train", runs.TRAINING_PHASES, queued) as run:
                    yield run
            else:
                yield None

    def _read_training_input(self, run: JobRun) -> TrainingInput:
        """Return the inputs of a training run, and evaluate the live generation on the new ratings among them."""
        run.advance("snapshot")
        source = catalogue_source(self.database)
        with self.database.snapshot() as db:
            user_snapshot, table = snapshot.take(db), movies.table(db)
            model = self.settings.model_for(source.ratings + len(user_snapshot.views))
            training_input = TrainingInput(user_snapshot, table, model, training_fingerprint(db, source, model))
        self._refresh()
        run.advance("compare")
        live = self.recommender.model.live
        evaluate_new_ratings(self.database, user_snapshot, live, partial(run.advance, "compare"))
        with self.database.statement() as db:
            run.notes["live"] = predictions.metrics_of_generation(db, live.id) if live else None
        return training_input

    def _refresh(self) -> bool:
        """Load the live generation or its fallback; return False if the live generation cannot be read."""
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
        del base  # it takes 600 MB for 32 million ratings
        run.advance("ranker")  # this phase includes the start of Spark
        catalogue, model = training_input.movies, training_input.model
        factors = self.engine.train(ratings, catalogue.movies, model, run.advance)
        likes = count_ratings(ratings, catalogue.movies, model.like_threshold)
        factors = with_content(factors, [features_of(catalogue, row) for row in range(len(catalogue))], likes)
        factors = replace(factors, facts={**factors.facts, **HELD_OUT_FACT, **facts})
        return Candidate(factors, ratings, held_out, training_input.user_snapshot, training_input.fingerprint)


def bring_forward(base: Ratings, views: Ratings) -> Ratings:
    """Return the base ratings with all times shifted so that the newest is as new as the newest view.

    Popularity decays with age: without the shift, years-old base ratings would weigh almost nothing beside a few views.
    """
    base = without_future(base, int(time.time()))
    if len(base) == 0 or len(views) == 0:
        return base
    return replace(base, at=base.at + max(0, int(views.at.max()) - int(base.at.max())))


def combine_ratings(base: Ratings, views: Ratings) -> Ratings:
    """Return base ratings and views together, with `USER_OFFSET` added to the user ids of the views."""
    return concatenate(base, replace(views, user=views.user + np.int32(USER_OFFSET)))


def check_factors(factors: Factors, training_input: TrainingInput) -> None:
    """Raise `FactorsError` unless these factors can be evaluated and served here."""
    dataset_ids = training_input.movies.movies[training_input.movies.movies < FIRST_OWN_ID]
    if not np.array_equal(factors.movies[factors.movies < FIRST_OWN_ID], dataset_ids):
        raise FactorsError(
            f"the factors were trained for {len(factors.movies):,} movies, which are not the "
            f"{len(training_input.movies):,} "
            "of this catalogue; train them on the dataset that this catalogue was filled from"
        )
    if not HELD_OUT_FACT.items() <= factors.facts.items():
        raise FactorsError("these factors were trained on the held-out users' ratings; train them with engine.py")
