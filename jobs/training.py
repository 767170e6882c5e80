"""Retrain: snapshot, train, check, publish. The live generation serves until the new one is complete."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from engine import HELD_OUT_FACT, Engine
from evaluation.splits import split_held_out
from jobs.ingest import CatalogueSource, catalogue_source, load_base_ratings
from jobs.job_run import JobRun, record_run
from jobs.online_evaluation import evaluate_new_ratings
from jobs.phases import PHASE_SHARES
from jobs.publish import Candidate, Publisher
from ranking.factors import FORMAT, Factors, FactorsError, checksum
from ranking.ratings import Ints, Ratings, concatenate
from recommender import Recommender
from settings import USER_OFFSET, ModelSettings, Settings
from storage import generations, movies, predictions, snapshot
from storage.database import TRAINING_LOCK, Database
from storage.errors import UnknownGenerationError
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)

Outcome = Literal["busy", "unchanged", "published", "rejected"]


@dataclass(frozen=True)
class TrainingInput:
    """What there is to learn from at one moment.

    Attributes:
        filled: what the catalogue was filled from; its ratings are read when they are needed, for they may be many.
        user_snapshot: our users and their views.
        movie_ids: the catalogue, ascending, int32 [f].
        model: what it is learned with.
        fingerprint: of all this and of the settings that a training depends on: when it is the same, so is the result.
        last_fingerprint: the fingerprint of the last training, None before the first.
    """

    filled: CatalogueSource
    user_snapshot: Snapshot
    movie_ids: Ints
    model: ModelSettings
    fingerprint: str
    last_fingerprint: str | None


@dataclass(frozen=True)
class Trainer:
    """What a retrain needs; one for a process."""

    settings: Settings
    database: Database
    engine: Engine
    recommender: Recommender

    def warm_up(self) -> None:
        """Have Spark running, so that the next retrain need not wait for it."""
        self.engine.start(catalogue_source(self.database).ratings)

    def retrain(self, on_accepted: Callable[[int | None], object] | None = None) -> Outcome:
        """Train on the current ratings and serve the result, unless another process trains or nothing has changed.

        Raises whatever went wrong; the run says so too, and the live generation goes on serving.

        Args:
            on_accepted: by somebody who is told the run's id, or None if another process trains, and who wants a training
                though nothing may have changed.
        """
        with self._training_run() as run:
            if on_accepted:
                on_accepted(run.id if run else None)
            if run is None:
                log.info("no training: another process is at it")
                return "busy"
            training_input = self._read_training_input(run)
            readable = self._refresh()
            if training_input.fingerprint == training_input.last_fingerprint and readable and not on_accepted:
                log.info("no training: nothing has changed since the last")
                run.discard()
                return "unchanged"
            self._compare(run, training_input.user_snapshot)
            return self._publisher.judge_and_publish(run, self._train(run, training_input))

    def load(self, factors: Factors) -> Outcome:
        """Bring in factors that were trained elsewhere, through the same gate.

        Raises `FactorsError` if they are of another catalogue or have learned from the people who are to judge them.
        """
        with self._training_run() as run:
            if run is None:
                return "busy"
            training_input = self._read_training_input(run)
            self._refresh()
            check_factors(factors, training_input)
            self._compare(run, training_input.user_snapshot)
            # they have learned nothing of our users' views: their own mark leaves the next training due
            base = load_base_ratings(self.database, self.settings).ratings
            candidate = Candidate(
                factors, *split_held_out(base), training_input.user_snapshot, checksum(factors.to_bytes())
            )
            return self._publisher.judge_and_publish(run, candidate)

    @contextmanager
    def _training_run(self) -> Iterator[JobRun | None]:
        """A run of a training, if no other process trains now; nobody else will until the block ends."""
        with self.database.try_lock(TRAINING_LOCK) as mine:
            if mine:
                with record_run(self.database, "train", PHASE_SHARES) as run:
                    yield run
            else:
                yield None

    def _read_training_input(self, run: JobRun) -> TrainingInput:
        run.advance("snapshot")
        filled = catalogue_source(self.database)
        with self.database.snapshot() as db:
            user_snapshot, movie_ids, learned = snapshot.take(db), movies.ids(db), generations.newest_fingerprint(db)
        model = self.settings.model_for(filled.ratings + len(user_snapshot.views))
        return TrainingInput(
            filled, user_snapshot, movie_ids, model, fingerprint(filled, user_snapshot, model), learned
        )

    def _refresh(self) -> bool:
        """Have the live generation in memory, or what stands in for it; False if it cannot be read."""
        try:
            self.recommender.refresh()
        except (FactorsError, UnknownGenerationError):
            return False
        return True

    @property
    def _publisher(self) -> Publisher:
        return Publisher(self.database, self.engine, self.recommender, self.settings.keep_generations)

    def _compare(self, run: JobRun, user_snapshot: Snapshot) -> None:
        """Before anything new is learned, see what the live generation would have said of it."""
        run.advance("compare")
        live = self.recommender.live
        evaluate_new_ratings(self.database, user_snapshot, live, partial(run.advance, "compare"))
        with self.database.statement() as db:
            run.notes["live"] = predictions.metrics_of_generation(db, live.id) if live else None

    def _train(self, run: JobRun, training_input: TrainingInput) -> Candidate:
        base, held_out = split_held_out(load_base_ratings(self.database, self.settings).ratings)
        facts = {
            "base_ratings": len(base),
            "views": len(training_input.user_snapshot.views),
            "users": len(training_input.user_snapshot.users),
        }
        ratings = combine_ratings(base, training_input.user_snapshot.views)
        del base  # of 32 million ratings it is 600 MB
        run.advance("ranker")  # which is to begin with the start of Spark, if it has not been started
        factors = self.engine.train(ratings, training_input.movie_ids, training_input.model, run.advance)
        factors = replace(factors, facts={**factors.facts, **HELD_OUT_FACT, **facts})
        return Candidate(factors, ratings, held_out, training_input.user_snapshot, training_input.fingerprint)


def combine_ratings(base: Ratings, views: Ratings) -> Ratings:
    """The base and our users' views, these under the ids by which the engine knows them.

    The base is brought forward in time until its newest rating is as new as our newest view: it stands for people of
    today. Left years behind, its users would weigh next to nothing beside our first few.
    """
    if len(base) and len(views):
        base = replace(base, at=base.at + max(0, int(views.at.max()) - int(base.at.max())))
    return concatenate(base, replace(views, user=views.user + np.int32(USER_OFFSET)))


def check_factors(factors: Factors, training_input: TrainingInput) -> None:
    """Raise `FactorsError` unless these factors can be judged and served here."""
    if not np.array_equal(factors.movies, training_input.movie_ids):
        raise FactorsError(
            f"they were trained for a catalogue of {len(factors.movies):,} movies, and this one's {len(training_input.movie_ids):,} "
            "are not the same; train them on the dataset that this catalogue was filled from"
        )
    if not HELD_OUT_FACT.items() <= factors.facts.items():
        raise FactorsError("they have learned from the people who are kept out to judge by; train with engine.py")


def fingerprint(filled: CatalogueSource, user_snapshot: Snapshot, model: ModelSettings) -> str:
    """Of everything that a training depends on."""
    parts = (FORMAT, filled.fingerprint, user_snapshot.fingerprint, sorted(asdict(model).items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()
