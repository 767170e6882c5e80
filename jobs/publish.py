"""From what a training yielded to a generation that serves, or to one that is kept as rejected."""

import logging
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection

from catalogue.recommendations import LIST_LENGTH
from engine import Engine
from jobs.acceptance import judge_candidate
from jobs.job_run import OUTAGE_SECONDS, JobRun, retry
from ranking.batch_lists import ListColumns
from ranking.factors import Factors
from ranking.ratings import Ratings
from recommender import Recommender
from storage import generations, predictions, recommendations, runs
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)

PublishOutcome = Literal["published", "rejected"]
GENERATIONS_WITH_PREDICTIONS = (
    1000  # generations whose every comparison with a view is kept: eight days of a training every 12 minutes
)


class SupersededError(RuntimeError):
    """Another process has begun a training since; what this one made is older and is not published."""


@dataclass(frozen=True)
class Candidate:
    """Factors that want to serve.

    Attributes:
        train_ratings: the ratings they were trained on, or those of the base of them.
        held_out: ratings of people they were not trained on.
        user_snapshot: the users whose lists are to be made, with their histories.
        fingerprint: of what they were trained with; the same one is not trained again.
    """

    factors: Factors
    train_ratings: Ratings
    held_out: Ratings
    user_snapshot: Snapshot
    fingerprint: str


@dataclass(frozen=True)
class Publisher:
    """Judges candidates and makes the good ones live."""

    database: Database
    engine: Engine
    recommender: Recommender
    keep_generations: int

    def judge_and_publish(self, run: JobRun, candidate: Candidate) -> PublishOutcome:
        """Judge a candidate beside the live generation, then publish it or keep it as rejected."""
        run.advance("judge")
        live = self.recommender.live
        served = live.factors if live else None
        found = judge_candidate(
            candidate.factors, served, candidate.train_ratings, candidate.held_out, self.engine.lists
        )
        details = {**described(candidate.factors), "seconds": run.seconds, "held_out": found.summary}
        verdict = "accepted" if found.verdict.accepted else "rejected"
        record = generations.GenerationRecord(run.id, verdict, found.verdict.reason, candidate.fingerprint, details)
        log.info("%s: %s", record.verdict, record.reason)
        if not found.verdict.accepted:
            self._keep_rejected(run, candidate.factors, record)
            return "rejected"
        self._publish(run, candidate, record)
        self._prune()
        return "published"

    def _keep_rejected(self, run: JobRun, factors: Factors, record: generations.GenerationRecord) -> None:
        self._end_run(run, "rejected", record, lambda db: generations.add(db, factors, record))

    def _publish(self, run: JobRun, candidate: Candidate, record: generations.GenerationRecord) -> None:
        """Make everybody's list, then the generation and with it all of them visible, then move this process's readers.

        Lists are stored as they are made: each piece in a transaction of its own, so that nobody who is erased waits
        for all of them, and under the id of a generation that is not there, so that nobody reads them. If it never
        comes, they go when the next one has been published.
        """
        run.advance("lists")
        generation_id = self._in_transaction(generations.reserve)
        with closing(
            self.engine.iter_lists(candidate.factors, candidate.user_snapshot.histories, LIST_LENGTH)
        ) as pieces:
            for lists in pieces:
                run.advance("lists", self._store(generation_id, candidate.user_snapshot, lists))
        run.advance("publish")

        def write(db: Connection) -> int:
            generations.add(db, candidate.factors, record, generation_id)
            generations.flip(db, generation_id)
            return generation_id

        self._end_run(run, "published", record, write)
        with suppress(DatabaseUnavailableError):  # it is published; the refresh that comes each second makes up for it
            self.recommender.use(generation_id, candidate.factors)

    def _store(self, generation_id: int, user_snapshot: Snapshot, lists: ListColumns) -> float:
        """Store lists of some of those who were `user_snapshot`; how much of all is done with these."""
        user, movie, expected = lists
        place = np.searchsorted(user_snapshot.users, user)
        versions = user_snapshot.versions[place]
        self._in_transaction(lambda db: recommendations.store_lists(db, generation_id, user, versions, movie, expected))
        return float(place[-1] + 1) / len(user_snapshot.users) if len(place) else 0.0

    def _end_run(
        self,
        run: JobRun,
        outcome: PublishOutcome,
        record: generations.GenerationRecord,
        write: Callable[[Connection], int],
    ) -> int:
        """The generation with which the run ends: what `write` stores, once.

        Whether the training's lock was lost with a connection does not matter here: who got it since has closed the
        run when beginning another.
        """

        def settle(db: Connection) -> int:
            done = runs.lock_row(db, run.id)
            if done is not None:  # by an attempt whose commit succeeded and whose answer was lost
                return done
            generation_id = write(db)
            _end(db, run, outcome, record, generation_id)
            return generation_id

        return self._in_transaction(settle)

    def _in_transaction(self, work: Callable[[Connection], int]) -> int:
        """What `work` returns in a transaction of its own, though the database be away for a while.

        It may have been carried out once before, if the answer to the commit was lost.
        """

        def attempt() -> int:
            with self.database.background_transaction() as db:
                return work(db)

        return retry(attempt, OUTAGE_SECONDS)

    def _prune(self) -> None:
        try:
            with self.database.background_transaction() as db:
                recommendations.prune(db)
                generations.prune(db, self.keep_generations)
                predictions.prune(db, GENERATIONS_WITH_PREDICTIONS)
        except DatabaseUnavailableError as error:  # no failure of a run that has published
            log.warning("what is no longer served will be cleared away after the next training: %s", error)


def described(factors: Factors) -> dict[str, Any]:
    """What factors were made of, and with which settings, as JSON has it."""
    return {"facts": {**factors.facts, "films": len(factors.movies)}, "parameters": asdict(factors.model)}


def _end(
    db: Connection, run: JobRun, outcome: PublishOutcome, record: generations.GenerationRecord, generation_id: int
) -> None:
    details = {"generation": generation_id, "reason": record.reason, "seconds": run.seconds, **run.notes}
    if not runs.end(db, run.id, outcome, details):
        raise SupersededError("another process has begun a training since")
