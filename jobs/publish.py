"""From what a training yielded to a generation that serves, or to one that is kept as rejected."""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import Connection

from engine import Engine
from jobs.judging import judged
from jobs.run import Run
from recommender import LISTED, Recommender
from scoring.factors import Factors
from scoring.ratings import Ratings
from storage import generations, recommendations, runs
from storage.database import Database
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)

Verdict = Literal["published", "rejected"]


class SupersededError(RuntimeError):
    """Another process has begun a training since; what this one made is older and is not published."""


@dataclass(frozen=True)
class Candidate:
    """Factors that want to serve.

    Attributes:
        learners: the ratings they were trained on, or those of the base of them.
        held_out: ratings of people they were not trained on.
        taken: the users whose lists are to be made, with their histories.
        fingerprint: of what they were trained with; the same one is not trained again.
    """

    factors: Factors
    learners: Ratings
    held_out: Ratings
    taken: Snapshot
    fingerprint: str


@dataclass(frozen=True)
class Publisher:
    """Judges candidates and makes the good ones live."""

    database: Database
    engine: Engine
    recommender: Recommender
    keep_generations: int

    def settle(self, run: Run, candidate: Candidate) -> Verdict:
        """Judge a candidate beside the live generation, then publish it or keep it as rejected."""
        run.advance("judge")
        live = self.recommender.live
        served = live.factors if live else None
        found = judged(candidate.factors, served, candidate.learners, candidate.held_out, self.engine.lists)
        details = {"facts": dict(candidate.factors.facts), "seconds": run.seconds, "held_out": found.summary}
        verdict = "accepted" if found.verdict.accepted else "rejected"
        record = generations.Record(run.id, verdict, found.verdict.reason, candidate.fingerprint, details)
        log.info("%s: %s", record.verdict, record.reason)
        if not found.verdict.accepted:
            self._keep_rejected(run, candidate.factors, record)
            return "rejected"
        self._publish(run, candidate, record)
        self._prune()
        return "published"

    def _keep_rejected(self, run: Run, factors: Factors, record: generations.Record) -> None:
        with self.database.transaction() as db:
            _end(db, run, "rejected", record, generations.add(db, factors, record))

    def _publish(self, run: Run, candidate: Candidate, record: generations.Record) -> None:
        """Make the generation and everybody's list visible at one stroke, then move this process's readers."""
        run.advance("lists")
        taken = candidate.taken
        user, film, expected = self.engine.lists(candidate.factors, taken.histories, LISTED)
        versions = taken.versions[np.searchsorted(taken.users, user)]
        run.advance("publish")
        with self.database.transaction() as db:
            generation_id = generations.add(db, candidate.factors, record)
            recommendations.publish(db, generation_id, user, versions, film, expected)
            generations.flip(db, generation_id)
            _end(db, run, "published", record, generation_id)
        self.recommender.use(generation_id, candidate.factors)

    def _prune(self) -> None:
        with self.database.transaction() as db:
            recommendations.prune(db)
            generations.prune(db, self.keep_generations)


def _end(db: Connection, run: Run, outcome: Verdict, record: generations.Record, generation_id: int) -> None:
    details = {"generation": generation_id, "reason": record.reason, "seconds": run.seconds, **run.notes}
    if not runs.end(db, run.id, outcome, details):
        raise SupersededError("another process has begun a training since")
