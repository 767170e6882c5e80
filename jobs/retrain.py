"""Retrain: snapshot, train, check, publish. The live generation serves until the new one is complete."""

import hashlib
import logging
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from engine import USER_OFFSET, Engine
from jobs.ingest import Base, load_base
from jobs.run import Run, running
from recommender import LISTED, Recommender
from scoring.factors import FORMAT, Factors
from scoring.ratings import Ints, Ratings, concatenate
from settings import ModelSettings, Settings
from storage import generations, movies, recommendations, runs, snapshot
from storage.database import TRAINING_LOCK, Database
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)

Outcome = Literal["busy", "unchanged", "published"]

# each phase with its share of a run as measured on ml-latest-small: what progress is reckoned by
SHARES = {"snapshot": 0.02, "ranker": 0.5, "rater": 0.28, "neighbours": 0.12, "lists": 0.05, "publish": 0.03}


class SupersededError(RuntimeError):
    """Another process has begun a training since; what this one made is older and is not published."""


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
        with self.database.alone(TRAINING_LOCK) as mine:
            if not mine:
                log.info("no training: another process is at it")
                return "busy"
            base = load_base(self.database, self.settings)
            with self.database.snapshot() as db:
                taken, films, last = snapshot.take(db), movies.ids(db), generations.newest_fingerprint(db)
            mark = fingerprint(base, taken, self.settings.model)
            if mark == last:
                log.info("no training: nothing has changed since the last")
                return "unchanged"
            with running(self.database, "train", SHARES) as run:
                factors = self._train(run, base, taken, films)
                generation_id = self._publish(run, factors, taken, mark)
                self.recommender.use(generation_id, factors)
        self._prune()
        return "published"

    def _train(self, run: Run, base: Base, taken: Snapshot, films: Ints) -> Factors:
        run.advance("snapshot")
        ratings = together(base.ratings, taken.views)
        factors = self.engine.train(ratings, films, self.settings.model, run.advance)
        facts = {
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "base_ratings": len(base.ratings),
            "views": len(taken.views),
            "users": len(taken.users),
        }
        factors = replace(factors, facts=facts)
        factors.check()
        return factors

    def _publish(self, run: Run, factors: Factors, taken: Snapshot, mark: str) -> int:
        """Make the generation and everybody's list visible at one stroke."""
        run.advance("lists")
        user, film, expected = self.engine.lists(factors, taken.histories, LISTED)
        versions = taken.versions[np.searchsorted(taken.users, user)]
        run.advance("publish")
        details: dict[str, Any] = {"facts": dict(factors.facts), "seconds": run.seconds}
        with self.database.transaction() as db:
            record = generations.Record(run.id, "accepted", "the first check: all numbers are finite", mark, details)
            generation_id = generations.add(db, factors, record)
            recommendations.publish(db, generation_id, user, versions, film, expected)
            generations.flip(db, generation_id)
            if not runs.end(db, run.id, "published", details | {"generation": generation_id}):
                raise SupersededError("another process has begun a training since")
        return generation_id

    def _prune(self) -> None:
        with self.database.transaction() as db:
            recommendations.prune(db)
            generations.prune(db, self.settings.keep_generations)


def together(base: Ratings, views: Ratings) -> Ratings:
    """The base and our users' views, these under the ids by which the engine knows them.

    The base is brought forward in time until its newest rating is as new as our newest view: it stands for people of
    today. Left years behind, its users would weigh next to nothing beside our first few.
    """
    if len(base) and len(views):
        base = replace(base, at=base.at + max(0, int(views.at.max()) - int(base.at.max())))
    return concatenate(base, replace(views, user=views.user + np.int32(USER_OFFSET)))


def fingerprint(base: Base, taken: Snapshot, model: ModelSettings) -> str:
    """Of everything that a training depends on: when it is the same, so would be the result."""
    parts = (FORMAT, base.fingerprint, taken.fingerprint, sorted(asdict(model).items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()
