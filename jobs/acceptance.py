"""Whether what a training yielded may serve: judged on people it has never seen, beside what serves now."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation import offline_metrics
from evaluation.gate import ListChange, Verdict, verdict
from evaluation.held_out import EVALUATED_LIST_LENGTH, evaluate_held_out, sample_users
from evaluation.offline_metrics import RELEVANT
from ranking.batch_lists import RankFunction, build_lists, count_ratings, rank_locally, ratings_by_user
from ranking.factors import Factors, FactorsError
from ranking.ratings import Ratings

IN_PROCESS_USERS = 200  # up to here their lists are made in this thread before Spark would have begun


@dataclass(frozen=True)
class AcceptanceResult:
    """The verdict, and what it rests on as JSON has it."""

    verdict: Verdict
    summary: dict[str, Any]


def judge_candidate(
    candidate: Factors, live: Factors | None, train_ratings: Ratings, held_out: Ratings, rank: RankFunction
) -> AcceptanceResult:
    """Judge a candidate.

    Args:
        train_ratings: what it learned from; whose lists must not have changed beyond reason.
        held_out: ratings of people it has never seen; who say how good it is.
        rank: makes the lists of many people elsewhere than in this thread.
    """
    try:
        candidate.check()
    except FactorsError as error:
        return AcceptanceResult(Verdict(False, f"{error}; what served before goes on serving"), {})
    people = sample_users(held_out)
    if len(np.unique(people.user)) <= IN_PROCESS_USERS:
        rank = rank_locally
    found = evaluate_held_out(candidate, people, count_ratings(train_ratings, candidate.movies, RELEVANT), rank)
    if live is None:
        return AcceptanceResult(verdict(found), {"candidate": found.summary()})
    before = evaluate_held_out(live, people, count_ratings(train_ratings, live.movies, RELEVANT), rank)
    summary = {"candidate": found.summary(), "live": before.summary()}
    return AcceptanceResult(verdict(found, before, change(candidate, live, train_ratings)), summary)


def change(candidate: Factors, live: Factors, train_ratings: Ratings) -> ListChange | None:
    """How much the lists of people who were learned from changed; None if other settings are meant to change them."""
    if candidate.model != live.model:
        return None
    some = sample_users(train_ratings, IN_PROCESS_USERS)
    given = ratings_by_user(some, np.unique(some.user))
    overlap = offline_metrics.overlap(
        *(build_lists(factors, given, EVALUATED_LIST_LENGTH, rank_locally) for factors in (live, candidate))
    )
    ratings, ratings_before = (int(factors.rating_count.sum()) for factors in (candidate, live))
    return ListChange(overlap, abs(ratings - ratings_before) / max(ratings, 1))
