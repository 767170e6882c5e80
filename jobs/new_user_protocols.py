"""Protocols for users who are new to the model, as every user is at first; the same for the same seed.

Each held-out user gets the popularity of their own time: see `evaluation.held_out`.
"""

from dataclasses import replace

import numpy as np

from engine import Engine
from evaluation import offline_metrics
from evaluation.held_out import evaluate_held_out
from evaluation.held_out_result import GIVEN_N, HeldOutResult, merge_results
from evaluation.protocol_result import LONGEST, ProtocolResult, Row
from evaluation.splits import folds, history_positions, sort_by_user_and_time
from jobs.protocols import CALENDAR_SHARES
from ranking.batch_lists import build_lists, ratings_by_user
from ranking.ratings import Ints, Ratings, concatenate
from settings import ModelSettings

FOLDS = 6
GIVEN_20 = GIVEN_N.index(20)  # the column of users who have given 20 ratings


def new_users(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Train without a sixth of the users, give the model their first n ratings, test on the next 50; six times."""
    model = replace(model, seed=seed)
    judged = []
    for fold in folds(np.unique(ratings.user), FOLDS, seed):
        theirs = np.isin(ratings.user, fold)
        judged.append(
            _judged(engine, sort_by_user_and_time(ratings.take(~theirs)), ratings.take(theirs), movies, model)
        )
    return ProtocolResult(
        "new-users", (seed,), by_given(merge_results(judged)), {"users": len(np.unique(ratings.user))}
    )


def newcomers(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Train on what was known on a day, judge on the tenth of the users who came next; five times."""
    model = replace(model, seed=seed)
    users, user = np.unique(ratings.user, return_inverse=True)
    came = np.full(len(users), np.iinfo(np.int64).max)
    np.minimum.at(came, user, ratings.at)
    judged = []
    for share in CALENDAR_SHARES:
        day, end = np.quantile(came, [share, min(1.0, share + 0.1)])
        theirs = ratings.take((came[user] >= day) & (came[user] <= end))
        known = sort_by_user_and_time(ratings.take(ratings.at < day))
        judged.append(_judged(engine, known, theirs, movies, model))
    return ProtocolResult(
        "newcomers", (seed,), by_given(merge_results(judged)), {"users": sum(len(j.users) for j in judged)}
    )


def steadiness(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Measure what fold-in loses against a full training run, and how much the lists of two seeds differ.

    A sixth of the users give 20 ratings to a model that was trained without them, and to one trained with these 20;
    both are tested on the next 50. The others get lists from two models of different seeds.
    """
    model = replace(model, seed=seed)
    theirs = np.isin(ratings.user, folds(np.unique(ratings.user), FOLDS, seed)[0])
    new, known = sort_by_user_and_time(ratings.take(theirs)), sort_by_user_and_time(ratings.take(~theirs))
    given_20 = new.take(history_positions(new)[0] < GIVEN_N[GIVEN_20])
    folded_in = engine.train(known, movies, model)
    retrained = engine.train(sort_by_user_and_time(concatenate(known, given_20)), movies, model)
    other = engine.train(known, movies, replace(model, seed=seed + 1))
    measures = [evaluate_held_out(factors, known, new).measures(GIVEN_20) for factors in (folded_in, retrained)]
    given = ratings_by_user(known, np.unique(known.user))
    lists = [build_lists(factors, given, LONGEST // 2, engine.lists) for factors in (folded_in, other)]
    shown = ("NDCG@10", "RMSE")
    rows: dict[str, Row] = {
        "folded in": {name: measures[0][name] for name in shown},
        "retrained": {name: measures[1][name] for name in shown},
        "difference": {name: measures[0][name] - measures[1][name] for name in shown},
        "two seeds": {"overlap@10": offline_metrics.overlap(*lists)},
    }
    return ProtocolResult(
        "steadiness", (seed,), rows, {"new users": int(measures[0]["users"]), "known users": len(given)}
    )


def by_given(judgement: HeldOutResult) -> dict[str, Row]:
    """Return the measures on held-out users, a row for each number of ratings given."""
    return {f"n = {n}": judgement.measures(at) for at, n in enumerate(GIVEN_N)}


def _judged(engine: Engine, train: Ratings, test: Ratings, movies: Ints, model: ModelSettings) -> HeldOutResult:
    factors = engine.train(train, movies, model)
    return evaluate_held_out(factors, train, test)
