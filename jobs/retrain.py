"""Retrain: snapshot, train, check, publish. The live generation serves until the new one is complete."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from engine import JUDGES_KEPT_OUT, USER_OFFSET, Engine
from jobs.compare import compare_new_views
from jobs.ingest import Base, load_base
from jobs.publish import Candidate, Publisher
from jobs.run import Run, running
from recommender import Recommender
from scoring.factors import FORMAT, Factors, FactorsError
from scoring.ratings import Ints, Ratings, concatenate
from scoring.splits import judges_apart
from settings import ModelSettings, Settings
from storage import generations, movies, snapshot
from storage.database import TRAINING_LOCK, Database
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)

Outcome = Literal["busy", "unchanged", "published", "rejected"]

# each phase with its share of a run as measured on ml-latest-small: what progress is reckoned by
SHARES = {
    "snapshot": 0.02,
    "ranker": 0.47,
    "rater": 0.27,
    "neighbours": 0.12,
    "judge": 0.05,
    "lists": 0.05,
    "publish": 0.02,
}


@dataclass(frozen=True)
class Known:
    """What there is to learn from at one moment.

    Attributes:
        base: the ratings of the dataset.
        taken: our users and their views.
        films: the catalogue, ascending, int32 [f].
        fingerprint: of all this and of the settings that a training depends on: when it is the same, so is the result.
        learned: the fingerprint of the last training, None before the first.
    """

    base: Base
    taken: Snapshot
    films: Ints
    fingerprint: str
    learned: str | None


@dataclass(frozen=True)
class Trainer:
    """What a retrain needs; one for a process."""

    settings: Settings
    database: Database
    engine: Engine
    recommender: Recommender

    def retrain(self) -> Outcome:
        """Train on what is known now and serve the result, unless another process trains or nothing has changed.

        Raises whatever went wrong; the run says so too, and the live generation goes on serving.
        """
        with self._alone() as known:
            if known is None:
                log.info("no training: another process is at it")
                return "busy"
            if known.fingerprint == known.learned:
                log.info("no training: nothing has changed since the last")
                return "unchanged"
            with running(self.database, "train", SHARES) as run:
                self._compare(known.taken)
                return self._publisher.settle(run, self._train(run, known))

    def load(self, factors: Factors) -> Outcome:
        """Bring in factors that were trained elsewhere, through the same gate.

        Raises `FactorsError` if they are of another catalogue or have learned from the people who are to judge them.
        """
        with self._alone() as known:
            if known is None:
                return "busy"
            refuse_unfit(factors, known)
            with running(self.database, "train", SHARES) as run:
                self._compare(known.taken)
                _, judges = judges_apart(known.base.ratings)
                return self._publisher.settle(run, Candidate(factors, judges, known.taken, known.fingerprint))

    @contextmanager
    def _alone(self) -> Iterator[Known | None]:
        """What is known, if no other process trains now; nobody else will until the block ends."""
        with self.database.alone(TRAINING_LOCK) as mine:
            if not mine:
                yield None
                return
            base = load_base(self.database, self.settings)
            with self.database.snapshot() as db:
                taken, films, learned = snapshot.take(db), movies.ids(db), generations.newest_fingerprint(db)
            yield Known(base, taken, films, fingerprint(base, taken, self.settings.model), learned)

    @property
    def _publisher(self) -> Publisher:
        return Publisher(self.database, self.engine, self.recommender, self.settings.keep_generations)

    def _compare(self, taken: Snapshot) -> None:
        with suppress(FactorsError):  # a live generation that cannot be read is none to compare with
            self.recommender.refresh()
        compare_new_views(self.database, taken, self.recommender.live)

    def _train(self, run: Run, known: Known) -> Candidate:
        run.advance("snapshot")
        learners, judges = judges_apart(known.base.ratings)
        ratings = together(learners, known.taken.views)
        factors = self.engine.train(ratings, known.films, self.settings.model, run.advance)
        facts = {"base_ratings": len(learners), "views": len(known.taken.views), "users": len(known.taken.users)}
        return Candidate(
            replace(factors, facts={**factors.facts, **JUDGES_KEPT_OUT, **facts}),
            judges,
            known.taken,
            known.fingerprint,
        )


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


def fingerprint(base: Base, taken: Snapshot, model: ModelSettings) -> str:
    """Of everything that a training depends on."""
    parts = (FORMAT, base.fingerprint, taken.fingerprint, sorted(asdict(model).items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()
