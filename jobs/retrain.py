"""Retrain: snapshot, train, check, publish. The live generation serves until the new one is complete."""

import hashlib
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from sqlalchemy import Connection

from engine import USER_OFFSET, Engine
from jobs.compare import compare_new_views
from jobs.ingest import Base, load_base
from jobs.judging import Judged, judged
from jobs.run import Run, running
from recommender import LISTED, Recommender
from scoring.factors import FORMAT, Factors, FactorsError
from scoring.ratings import Ints, Ratings, concatenate
from scoring.splits import held_out
from settings import ModelSettings, Settings
from storage import generations, movies, recommendations, runs, snapshot
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
                self._compare(taken)
                factors, held_out = self._train(run, base, taken, films)
                judged = self._judge(run, factors, held_out)
                record = generations.Record(
                    run.id,
                    "accepted" if judged.verdict.accepted else "rejected",
                    judged.verdict.reason,
                    mark,
                    {"facts": dict(factors.facts), "seconds": run.seconds, "held_out": judged.summary},
                )
                if not judged.verdict.accepted:
                    self._reject(run, factors, record)
                    return "rejected"
                self._publish(run, factors, taken, record)
        self._prune()
        return "published"

    def _compare(self, taken: Snapshot) -> None:
        with suppress(FactorsError):  # a live generation that cannot be read is none to compare with
            self.recommender.refresh()
        compare_new_views(self.database, taken, self.recommender.live)

    def _train(self, run: Run, base: Base, taken: Snapshot, films: Ints) -> tuple[Factors, Ratings]:
        """Factors, and the ratings of those people of the base who were kept out to judge them by."""
        run.advance("snapshot")
        people = np.unique(base.ratings.user)
        out = np.isin(base.ratings.user, people[held_out(people)])
        ratings = together(base.ratings.take(~out), taken.views)
        factors = self.engine.train(ratings, films, self.settings.model, run.advance)
        facts = {
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "base_ratings": int((~out).sum()),
            "views": len(taken.views),
            "users": len(taken.users),
        }
        return replace(factors, facts=facts), base.ratings.take(out)

    def _judge(self, run: Run, factors: Factors, held_out: Ratings) -> Judged:
        run.advance("judge")
        live = self.recommender.live
        return judged(factors, live.factors if live else None, held_out, self.engine.lists)

    def _reject(self, run: Run, factors: Factors, record: generations.Record) -> None:
        """Keep what was trained, to be looked at and perhaps activated by hand; serve what was served."""
        log.warning("rejected: %s", record.reason)
        with self.database.transaction() as db:
            generation_id = generations.add(db, factors, record)
            self._end(db, run, "rejected", record, generation_id)

    def _publish(self, run: Run, factors: Factors, taken: Snapshot, record: generations.Record) -> None:
        """Make the generation and everybody's list visible at one stroke, then move this process's readers."""
        run.advance("lists")
        user, film, expected = self.engine.lists(factors, taken.histories, LISTED)
        versions = taken.versions[np.searchsorted(taken.users, user)]
        run.advance("publish")
        with self.database.transaction() as db:
            generation_id = generations.add(db, factors, record)
            recommendations.publish(db, generation_id, user, versions, film, expected)
            generations.flip(db, generation_id)
            self._end(db, run, "published", record, generation_id)
        self.recommender.use(generation_id, factors)

    def _end(self, db: Connection, run: Run, outcome: str, record: generations.Record, generation_id: int) -> None:
        details = {"generation": generation_id, "reason": record.reason, "seconds": run.seconds}
        if not runs.end(db, run.id, outcome, details):
            raise SupersededError("another process has begun a training since")

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
