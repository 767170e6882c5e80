"""Whether what a training yielded may serve: judged on people it has never seen, beside what serves now."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring import metrics
from scoring.factors import Factors, FactorsError
from scoring.gate import Change, Verdict, verdict
from scoring.holdout import LENGTH, judge, sample
from scoring.many import Rank, counted, here, lists_of, of_each
from scoring.metrics import RELEVANT
from scoring.ratings import Ratings

FEW_PEOPLE = 200  # up to here their lists are made in this thread before Spark would have begun


@dataclass(frozen=True)
class Judged:
    """The verdict, and what it rests on as JSON has it."""

    verdict: Verdict
    summary: dict[str, Any]


def judged(candidate: Factors, live: Factors | None, learners: Ratings, held_out: Ratings, rank: Rank) -> Judged:
    """Judge a candidate.

    Args:
        learners: what it learned from; whose lists must not have changed beyond reason.
        held_out: ratings of people it has never seen; who say how good it is.
        rank: makes the lists of many people elsewhere than in this thread.
    """
    try:
        candidate.check()
    except FactorsError as error:
        return Judged(Verdict(False, f"{error}; what served before goes on serving"), {})
    people = sample(held_out)
    if len(np.unique(people.user)) <= FEW_PEOPLE:
        rank = here
    found = judge(candidate, people, counted(learners, candidate.films, RELEVANT), rank)
    if live is None:
        return Judged(verdict(found), {"candidate": found.summary()})
    before = judge(live, people, counted(learners, live.films, RELEVANT), rank)
    summary = {"candidate": found.summary(), "live": before.summary()}
    return Judged(verdict(found, before, change(candidate, live, learners)), summary)


def change(candidate: Factors, live: Factors, learners: Ratings) -> Change | None:
    """How much the lists of people who were learned from changed; None if other settings are meant to change them."""
    if candidate.model != live.model:
        return None
    some = sample(learners, FEW_PEOPLE)
    given = of_each(some, np.unique(some.user))
    overlap = metrics.overlap(*(lists_of(factors, given, LENGTH, here) for factors in (live, candidate)))
    ratings, ratings_before = (int(factors.rating_count.sum()) for factors in (candidate, live))
    return Change(overlap, abs(ratings - ratings_before) / max(ratings, 1))
