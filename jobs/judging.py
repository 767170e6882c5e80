"""Whether what a training yielded may serve: judged on people it has never seen, beside what serves now."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring import metrics
from scoring.factors import Factors, FactorsError
from scoring.gate import Change, Verdict, verdict
from scoring.holdout import LENGTH, judge, sample
from scoring.judgement import Judgement
from scoring.many import Rank, here
from scoring.ratings import Ratings

log = logging.getLogger(__name__)

FEW_PEOPLE = 200  # up to here their lists are made in this thread before Spark would have begun


@dataclass(frozen=True)
class Judged:
    """The verdict, and what it rests on as JSON has it."""

    verdict: Verdict
    summary: dict[str, Any]


def judged(candidate: Factors, live: Factors | None, held_out: Ratings, rank: Rank) -> Judged:
    """Judge a candidate on the ratings of held-out people; `rank` makes many lists elsewhere than in this thread."""
    try:
        candidate.check()
    except FactorsError as error:
        return Judged(Verdict(False, f"{error}; what served before goes on serving"), {})
    people = sample(held_out)
    if len(np.unique(people.user)) <= FEW_PEOPLE:
        rank = here
    found = judge(candidate, people, candidate.rating_count.astype(np.float32), rank)
    if live is None:
        return Judged(verdict(found), {"candidate": found.summary()})
    before = judge(live, people, live.rating_count.astype(np.float32), rank)
    summary = {"candidate": found.summary(), "live": before.summary()}
    return Judged(verdict(found, before, _change(candidate, live, found, before)), summary)


def _change(candidate: Factors, live: Factors, found: Judgement, before: Judgement) -> Change | None:
    """How much the lists changed; other settings are meant to change them."""
    if candidate.model != live.model:
        return None
    ratings, ratings_before = (int(factors.rating_count.sum()) for factors in (candidate, live))
    new = abs(ratings - ratings_before) / max(ratings, 1)
    return Change(metrics.overlap(found.lists.reshape(-1, LENGTH), before.lists.reshape(-1, LENGTH)), new)
