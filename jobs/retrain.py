"""Retrain: snapshot, train, check, publish. The live generation serves until the new one is complete."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from engine import JUDGES_KEPT_OUT, Engine
from jobs.compare import compare_new_views
from jobs.ingest import Filled, filled_from, load_base
from jobs.phases import SHARES
from jobs.publish import Candidate, Publisher
from jobs.run import Run, running
from recommender import Recommender
from scoring.factors import FORMAT, Factors, FactorsError, checksum
from scoring.ratings import Ints, Ratings, concatenate
from scoring.splits import judges_apart
from settings import USER_OFFSET, ModelSettings, Settings
from storage import foretold, generations, movies, snapshot
from storage.database import TRAINING_LOCK, Database
from storage.errors import UnknownGenerationError
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)

Outcome = Literal["busy", "unchanged", "published", "rejected"]


@dataclass(frozen=True)
class Known:
    """What there is to learn from at one moment.

    Attributes:
        filled: what the catalogue was filled from; its ratings are read when they are needed, for they may be many.
        taken: our users and their views.
        films: the catalogue, ascending, int32 [f].
        model: what it is learned with.
        fingerprint: of all this and of the settings that a training depends on: when it is the same, so is the result.
        learned: the fingerprint of the last training, None before the first.
    """

    filled: Filled
    taken: Snapshot
    films: Ints
    model: ModelSettings
    fingerprint: str
    learned: str | None


@dataclass(frozen=True)
class Trainer:
    """What a retrain needs; one for a process."""

    settings: Settings
    database: Database
    engine: Engine
    recommender: Recommender

    def warm_up(self) -> None:
        """Have Spark running, so that the next retrain need not wait for it."""
        self.engine.start(filled_from(self.database).ratings)

    def retrain(self, ordered: Callable[[int | None], object] | None = None) -> Outcome:
        """Train on what is known now and serve the result, unless another process trains or nothing has changed.

        Raises whatever went wrong; the run says so too, and the live generation goes on serving.

        Args:
            ordered: by somebody who is told the run's id, or None if another process trains, and who wants a training
                though nothing may have changed.
        """
        with self._alone() as run:
            if ordered:
                ordered(run.id if run else None)
            if run is None:
                log.info("no training: another process is at it")
                return "busy"
            known = self._known(run)
            readable = self._refresh()
            if known.fingerprint == known.learned and readable and not ordered:
                log.info("no training: nothing has changed since the last")
                run.discard()
                return "unchanged"
            self._compare(run, known.taken)
            return self._publisher.settle(run, self._train(run, known))

    def load(self, factors: Factors) -> Outcome:
        """Bring in factors that were trained elsewhere, through the same gate.

        Raises `FactorsError` if they are of another catalogue or have learned from the people who are to judge them.
        """
        with self._alone() as run:
            if run is None:
                return "busy"
            known = self._known(run)
            self._refresh()
            refuse_unfit(factors, known)
            self._compare(run, known.taken)
            # they have learned nothing of our users' views: their own mark leaves the next training due
            base = load_base(self.database, self.settings).ratings
            candidate = Candidate(factors, *judges_apart(base), known.taken, checksum(factors.to_bytes()))
            return self._publisher.settle(run, candidate)

    @contextmanager
    def _alone(self) -> Iterator[Run | None]:
        """A run of a training, if no other process trains now; nobody else will until the block ends."""
        with self.database.alone(TRAINING_LOCK) as mine:
            if mine:
                with running(self.database, "train", SHARES) as run:
                    yield run
            else:
                yield None

    def _known(self, run: Run) -> Known:
        run.advance("snapshot")
        filled = filled_from(self.database)
        with self.database.snapshot() as db:
            taken, films, learned = snapshot.take(db), movies.ids(db), generations.newest_fingerprint(db)
        model = self.settings.model_for(filled.ratings + len(taken.views))
        return Known(filled, taken, films, model, fingerprint(filled, taken, model), learned)

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

    def _compare(self, run: Run, taken: Snapshot) -> None:
        """Before anything new is learned, see what the live generation would have said of it."""
        run.advance("compare")
        live = self.recommender.live
        compare_new_views(self.database, taken, live, partial(run.advance, "compare"))
        with self.database.statement() as db:
            run.notes["live"] = foretold.of_generation(db, live.id) if live else None

    def _train(self, run: Run, known: Known) -> Candidate:
        base, judges = judges_apart(load_base(self.database, self.settings).ratings)
        facts = {"base_ratings": len(base), "views": len(known.taken.views), "users": len(known.taken.users)}
        ratings = together(base, known.taken.views)
        del base  # of 32 million ratings it is 600 MB
        run.advance("ranker")  # which is to begin with the start of Spark, if it has not been started
        factors = self.engine.train(ratings, known.films, known.model, run.advance)
        factors = replace(factors, facts={**factors.facts, **JUDGES_KEPT_OUT, **facts})
        return Candidate(factors, ratings, judges, known.taken, known.fingerprint)


def together(base: Ratings, views: Ratings) -> Ratings:
    """The base and our users' views, these under the ids by which the engine knows them.

    The base is brought forward in time until its newest rating is as new as our newest view: it stands for people of
    today. Left years behind, its users would weigh next to nothing beside our first few.
    """
    if len(base) and len(views):
        base = replace(base, at=base.at + max(0, int(views.at.max()) - int(base.at.max())))
    return concatenate(base, replace(views, user=views.user + np.int32(USER_OFFSET)))


def refuse_unfit(factors: Factors, known: Known) -> None:
    """Raise `FactorsError` unless these factors can be judged and served here."""
    if not np.array_equal(factors.films, known.films):
        raise FactorsError(
            f"they were trained for a catalogue of {len(factors.films):,} films, and this one's {len(known.films):,} "
            "are not the same; train them on the dataset that this catalogue was filled from"
        )
    if not JUDGES_KEPT_OUT.items() <= factors.facts.items():
        raise FactorsError("they have learned from the people who are kept out to judge by; train with engine.py")


def fingerprint(filled: Filled, taken: Snapshot, model: ModelSettings) -> str:
    """Of everything that a training depends on."""
    parts = (FORMAT, filled.fingerprint, taken.fingerprint, sorted(asdict(model).items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()
