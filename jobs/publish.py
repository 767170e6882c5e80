"""Evaluate a candidate, store it, and make it the live generation unless an operator holds another."""

import logging
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar, cast

import numpy as np
from sqlalchemy import Connection

from catalogue.recommendations import LIST_LENGTH
from engine import Engine
from evaluation.gate import judge_candidate
from jobs.job_run import OUTAGE_SECONDS, JobRun, retry
from ranking.batch_lists import ListColumns
from ranking.factors import Factors
from ranking.ratings import Ratings
from recommender import Recommender
from settings import OperatorError
from storage import generations, predictions, recommendations, runs
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)
T = TypeVar("T")

PublishOutcome = Literal["published", "done", "rejected"]
GENERATIONS_WITH_PREDICTIONS = 1000  # the predictions of this many are kept: eight days of training every 12 minutes


class SupersededError(OperatorError):
    """Another process has begun a training run meanwhile; the older result is not published."""


@dataclass(frozen=True)
class Candidate:
    """New factors before their evaluation.

    Attributes:
        train_ratings: the training ratings, or the base ratings among them.
        held_out: the ratings of the held-out users.
        user_snapshot: the users who get lists, with their histories.
        fingerprint: the fingerprint of data and settings; an equal one needs no new training run.
    """

    factors: Factors
    train_ratings: Ratings
    held_out: Ratings
    user_snapshot: Snapshot
    fingerprint: str


@dataclass(frozen=True)
class Publisher:
    """Evaluates candidates and makes accepted ones live."""

    database: Database
    engine: Engine
    recommender: Recommender
    keep_generations: int

    def judge_and_publish(self, run: JobRun, candidate: Candidate) -> PublishOutcome:
        """Evaluate a candidate against the live generation and store it; serve an accepted one.

        The outcome is "done" if an operator holds the live generation; then the accepted candidate is only stored.
        """
        run.advance("judge")
        model = self.recommender.model
        served = model.live.factors if model.live else None
        verdict, summary = judge_candidate(
            candidate.factors, served, candidate.train_ratings, candidate.held_out, model.movies.genre_shares_of
        )
        facts = {**candidate.factors.facts, "films": len(candidate.factors.movies)}
        details = {"facts": facts, "parameters": asdict(candidate.factors.model)}
        details |= {"seconds": run.seconds, "held_out": summary}
        word = "accepted" if verdict.accepted else "rejected"
        record = generations.GenerationRecord(run.id, word, verdict.reason, candidate.fingerprint, details)
        log.info("%s: %s", record.verdict, record.reason)
        if not verdict.accepted:
            self._end_run(run, record, lambda db: (generations.add(db, candidate.factors, record), "rejected"))
            outcome: PublishOutcome = "rejected"
        else:
            outcome = self._publish(run, candidate, record)
        self._prune()
        return outcome

    def _publish(self, run: JobRun, candidate: Candidate, record: generations.GenerationRecord) -> PublishOutcome:
        """Store all lists, then store the generation and make it live in one transaction, then serve it here.

        Each batch of lists has its own transaction, so that an erasure does not wait for all of them. Their generation
        id does not exist yet, so no request reads them. If publishing fails, the next published generation's cleanup
        deletes them.
        """
        run.advance("lists")
        generation_id = self._in_transaction(generations.reserve)
        if self._in_transaction(generations.held_id) is None:
            self._store_lists(run, candidate, generation_id)
        run.advance("publish")

        def write(db: Connection) -> tuple[int, PublishOutcome]:
            generations.add(db, candidate.factors, record, generation_id)
            return generation_id, "published" if generations.flip_unless_held(db, generation_id) else "done"

        outcome = self._end_run(run, record, write)
        if outcome == "done":
            log.info("generation %d is stored but not served: an operator holds the live one", generation_id)
            return outcome
        with suppress(DatabaseUnavailableError):  # it is published: the refresh of each second will serve it
            self.recommender.model.use(generation_id, candidate.factors)
        return outcome

    def _store_lists(self, run: JobRun, candidate: Candidate, generation_id: int) -> None:
        lists_of = self.engine.iter_lists(candidate.factors, candidate.user_snapshot.histories, LIST_LENGTH)
        with closing(lists_of) as pieces:
            for lists in pieces:
                run.advance("lists", self._store(generation_id, candidate.user_snapshot, lists))

    def _store(self, generation_id: int, user_snapshot: Snapshot, lists: ListColumns) -> float:
        """Store the lists of a batch of users; return the completed share of all users."""
        user, movie, expected = lists
        withdrawn = np.isin(movie, user_snapshot.withdrawn)
        if withdrawn.any():  # the lists of these users are computed on request, as after any change of the catalogue
            kept = ~np.isin(user, user[withdrawn])
            user, movie, expected = user[kept], movie[kept], expected[kept]
        place = np.searchsorted(user_snapshot.users, user)
        versions = user_snapshot.versions[place]
        catalogue = user_snapshot.catalogue_version
        self._in_transaction(
            lambda db: recommendations.store_lists(db, generation_id, user, versions, movie, expected, catalogue)
        )
        return float(place[-1] + 1) / len(user_snapshot.users) if len(place) else 0.0

    def _end_run(
        self,
        run: JobRun,
        record: generations.GenerationRecord,
        write: Callable[[Connection], tuple[int, PublishOutcome]],
    ) -> PublishOutcome:
        """End the run with the generation that `write` stores, and return the outcome.

        It need not check that the training lock is still held: a process that takes the lock and begins another run
        first closes this one.
        """

        def finish(db: Connection) -> PublishOutcome:
            if runs.lock_row(db, run.id) is not None:  # ended by an earlier attempt that lost the answer to its commit
                return cast("PublishOutcome", runs.outcome(db, run.id))
            generation_id, outcome = write(db)
            details = {"generation": generation_id, "reason": record.reason, "seconds": run.seconds, **run.notes}
            if not runs.end(db, run.id, outcome, details):
                raise SupersededError("another process has begun a training run meanwhile")
            return outcome

        return self._in_transaction(finish)

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        """Return the result of `work` in a transaction, retried while the database is unavailable.

        `work` may run again after a successful commit whose answer was lost.
        """

        def attempt() -> T:
            with self.database.background_transaction() as db:
                return work(db)

        return retry(attempt, OUTAGE_SECONDS)

    def _prune(self) -> None:
        try:
            with self.database.background_transaction() as db:
                recommendations.prune(db)
                generations.prune(db, self.keep_generations)
                predictions.prune(db, GENERATIONS_WITH_PREDICTIONS)
        except DatabaseUnavailableError as error:  # the run has ended already
            log.warning("old generations and lists are dropped after the next training run: %s", error)
