"""Which generations may serve: real trainings on planted tastes, sound ones and spoilt ones."""

from dataclasses import replace

import numpy as np
import pytest
from tastes import CATALOGUE, MODEL, PEOPLE, tastes

from engine import Engine
from scoring import metrics
from scoring.factors import Factors
from scoring.gate import Change, verdict
from scoring.holdout import judge
from scoring.judgement import Judgement
from scoring.many import counted, here, lists_of, of_each
from scoring.ratings import Ratings
from scoring.splits import held_out

USERS = np.arange(1, PEOPLE + 1, dtype=np.int32)
APART = USERS[held_out(USERS)]
ALL = tastes()
TRAIN, TEST = ALL.take(~np.isin(ALL.user, APART)), ALL.take(np.isin(ALL.user, APART))


def ignore(phase: str, done: float) -> None:
    pass


def trained(engine: Engine, ratings: Ratings, seed: int) -> Factors:
    return engine.train(ratings, CATALOGUE, replace(MODEL, seed=seed), ignore)


def judged(factors: Factors) -> Judgement:
    return judge(factors, TEST, counted(TRAIN, CATALOGUE, 4))


def change(live: Factors, candidate: Factors, new_ratings: float = 0.0) -> Change:
    given = of_each(TRAIN, np.unique(TRAIN.user))
    before, after = (lists_of(factors, given, 10, here) for factors in (live, candidate))
    return Change(metrics.overlap(before, after), new_ratings)


@pytest.fixture(scope="module")
def live(engine: Engine) -> Factors:
    return trained(engine, TRAIN, 1)


@pytest.fixture(scope="module")
def live_judged(live: Factors) -> Judgement:
    return judged(live)


@pytest.fixture(scope="module")
def shuffled(engine: Engine) -> Factors:
    """Trained on ratings of which nobody knows any more what films they are of."""
    films = np.random.default_rng(0).permutation(TRAIN.film)
    pairs = np.unique(np.stack([TRAIN.user, films]), axis=1, return_index=True)[1]
    return trained(engine, replace(TRAIN, film=films).take(np.sort(pairs)), 1)


def test_the_first_generation_serves_if_it_beats_popularity(live_judged: Judgement) -> None:
    found = verdict(live_judged)
    assert found.accepted
    assert "against popularity" in found.reason


def test_a_training_with_another_seed_is_accepted(engine: Engine, live: Factors, live_judged: Judgement) -> None:
    other = trained(engine, TRAIN, 2)
    found = verdict(judged(other), live_judged, change(live, other))
    assert found.accepted, found.reason


def test_a_training_on_shuffled_ratings_is_rejected_for_its_lists(live_judged: Judgement, shuffled: Factors) -> None:
    found = verdict(judged(shuffled), live_judged)
    assert not found.accepted
    assert "its lists are worse" in found.reason


def test_a_training_on_shuffled_ratings_is_rejected_where_nobody_was_held_out(
    live: Factors, live_judged: Judgement, shuffled: Factors
) -> None:
    nobody = judge(shuffled, TEST.take(np.arange(0)), counted(TRAIN, CATALOGUE, 4))
    found = verdict(nobody, live_judged, change(live, shuffled))
    assert not found.accepted
    assert "share" in found.reason


def test_a_first_generation_that_puts_the_best_films_last_leaves_popularity_to_serve(live: Factors) -> None:
    upside_down = replace(live, V=np.zeros_like(live.V), w=-live.w, popular=-live.popular)
    found = verdict(judged(upside_down))
    assert not found.accepted
    assert "popularity goes on serving" in found.reason


def test_ratings_shown_further_off_are_a_reason_to_reject(live: Factors, live_judged: Judgement) -> None:
    off = judged(replace(live, mu=live.mu + 0.5))
    found = verdict(off, live_judged)
    assert not found.accepted
    assert "RMSE" in found.reason


def test_lists_that_have_collapsed_to_a_few_films_are_rejected(live_judged: Judgement) -> None:
    same_for_all = np.broadcast_to(live_judged.lists[:1, :1], live_judged.lists.shape)
    found = verdict(replace(live_judged, lists=same_for_all), live_judged)
    assert not found.accepted
    assert "cover" in found.reason


def test_lost_films_are_a_reason_to_reject(live_judged: Judgement) -> None:
    found = verdict(replace(live_judged, rated_films=200), live_judged)
    assert not found.accepted
    assert "200 rated films" in found.reason


def test_new_ratings_may_change_the_lists_and_chance_may_not(live_judged: Judgement) -> None:
    assert verdict(live_judged, live_judged, Change(0.8, 0.0)).accepted
    assert not verdict(live_judged, live_judged, Change(0.5, 0.0)).accepted
    assert verdict(live_judged, live_judged, Change(0.5, 0.2)).accepted
    assert not verdict(live_judged, live_judged, Change(0.1, 1.0)).accepted


def test_where_nobody_was_held_out_the_verdict_says_so(live: Factors) -> None:
    nobody = judge(live, TEST.take(np.arange(0)), counted(TRAIN, CATALOGUE, 4))
    assert "nobody was held out" in verdict(nobody).reason
    assert "nobody was held out" in verdict(nobody, nobody, Change(0.9, 0.0)).reason
