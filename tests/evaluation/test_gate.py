"""Which generations may serve: real trainings on planted tastes, sound ones and spoilt ones."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_ratings import CATALOGUE, MODEL, USERS, tastes

from engine import Engine
from evaluation import offline_metrics
from evaluation.gate import ListChange, verdict
from evaluation.held_out import EvaluationSetting, evaluate_held_out
from evaluation.held_out_result import HeldOutResult
from evaluation.splits import held_out
from ranking.batch_lists import build_lists, rank_locally, ratings_by_user
from ranking.factors import Factors
from ranking.ratings import Ratings

USERS = np.arange(1, USERS + 1, dtype=np.int32)
APART = USERS[held_out(USERS)]
ALL = tastes()
TRAIN, TEST = ALL.take(~np.isin(ALL.user, APART)), ALL.take(np.isin(ALL.user, APART))


def ignore(phase: str, done: float) -> None:
    pass


def trained(engine: Engine, ratings: Ratings, seed: int) -> Factors:
    return engine.train(ratings, CATALOGUE, replace(MODEL, seed=seed), ignore)


def judged(factors: Factors) -> HeldOutResult:
    return evaluate_held_out(EvaluationSetting(factors, TRAIN), TEST)


def change(live: Factors, candidate: Factors, new_ratings: float = 0.0) -> ListChange:
    given = ratings_by_user(TRAIN, np.unique(TRAIN.user))
    before, after = (build_lists(factors, given, 10, rank_locally) for factors in (live, candidate))
    return ListChange(offline_metrics.overlap(before, after), new_ratings)


@pytest.fixture(scope="module")
def live(engine: Engine) -> Factors:
    return trained(engine, TRAIN, 1)


@pytest.fixture(scope="module")
def live_judged(live: Factors) -> HeldOutResult:
    return judged(live)


@pytest.fixture(scope="module")
def shuffled(engine: Engine) -> Factors:
    """Trained on ratings of which nobody knows any more what movies they are of."""
    movies = np.random.default_rng(0).permutation(TRAIN.movie)
    pairs = np.unique(np.stack([TRAIN.user, movies]), axis=1, return_index=True)[1]
    return trained(engine, replace(TRAIN, movie=movies).take(np.sort(pairs)), 1)


def test_the_first_generation_serves_if_it_beats_popularity(live_judged: HeldOutResult) -> None:
    found = verdict(live_judged)
    assert found.accepted
    assert "against popularity" in found.reason


def test_a_training_with_another_seed_is_accepted(engine: Engine, live: Factors, live_judged: HeldOutResult) -> None:
    other = trained(engine, TRAIN, 2)
    found = verdict(judged(other), live_judged, change(live, other))
    assert found.accepted, found.reason


def test_a_training_on_shuffled_ratings_is_rejected_for_its_lists(
    live_judged: HeldOutResult, shuffled: Factors
) -> None:
    found = verdict(judged(shuffled), live_judged)
    assert not found.accepted
    assert "its lists are worse" in found.reason


def test_a_training_on_shuffled_ratings_is_rejected_where_nobody_was_held_out(
    live: Factors, live_judged: HeldOutResult, shuffled: Factors
) -> None:
    nobody = evaluate_held_out(EvaluationSetting(shuffled, TRAIN), TEST.take(np.arange(0)))
    found = verdict(nobody, live_judged, change(live, shuffled))
    assert not found.accepted
    assert "share" in found.reason


def test_a_first_generation_that_puts_the_best_movies_last_leaves_popularity_to_serve(live: Factors) -> None:
    upside_down = replace(live, V=np.zeros_like(live.V), w=-live.w, popular=-live.popular)
    found = verdict(judged(upside_down))
    assert not found.accepted
    assert "popularity keeps serving" in found.reason


def test_ratings_shown_further_off_are_a_reason_to_reject(live: Factors, live_judged: HeldOutResult) -> None:
    off = judged(replace(live, mu=live.mu + 0.5))
    found = verdict(off, live_judged)
    assert not found.accepted
    assert "RMSE" in found.reason


def test_lists_that_have_collapsed_to_a_few_movies_are_rejected(live_judged: HeldOutResult) -> None:
    same_for_all = np.broadcast_to(live_judged.lists[:1, :1], live_judged.lists.shape)
    found = verdict(replace(live_judged, lists=same_for_all), live_judged)
    assert not found.accepted
    assert "cover" in found.reason


def test_lost_movies_are_a_reason_to_reject(live_judged: HeldOutResult) -> None:
    found = verdict(replace(live_judged, rated_movies=200), live_judged)
    assert not found.accepted
    assert "200 rated movies" in found.reason


def test_new_ratings_may_change_the_lists_and_chance_may_not(live_judged: HeldOutResult) -> None:
    assert verdict(live_judged, live_judged, ListChange(0.8, 0.0)).accepted
    assert not verdict(live_judged, live_judged, ListChange(0.5, 0.0)).accepted
    assert verdict(live_judged, live_judged, ListChange(0.5, 0.2)).accepted
    assert not verdict(live_judged, live_judged, ListChange(0.1, 1.0)).accepted


def test_where_nobody_was_held_out_the_verdict_says_so(live: Factors) -> None:
    nobody = evaluate_held_out(EvaluationSetting(live, TRAIN), TEST.take(np.arange(0)))
    assert "no users were held out" in verdict(nobody).reason
    assert "no users were held out" in verdict(nobody, nobody, ListChange(0.9, 0.0)).reason
