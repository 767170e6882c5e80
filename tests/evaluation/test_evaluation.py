"""Splits, intervals and the judgement of held-out people."""

import json
from dataclasses import replace

import numpy as np
import pytest
from handmade_model import IDS, two_tastes
from hypothesis import given
from hypothesis import strategies as st
from list_of_one import ranked
from synthetic_ratings import tastes

from evaluation import bootstrap, offline_metrics
from evaluation.diversity_curve import diversity_curve
from evaluation.held_out import MAX_EVALUATED_USERS, EvaluationSetting, evaluate_held_out, sample_users
from evaluation.held_out_result import GIVEN_N, HeldOutResult, mean_per_user, merge_results
from evaluation.protocol_result import ProtocolResult, mean
from evaluation.splits import (
    MOST_HELD_OUT,
    folds,
    held_out,
    history_positions,
    latest_mask,
    random_split,
    sort_by_user_and_time,
)
from ranking.batch_lists import build_lists, count_ratings, popular_lists, rank_locally, ratings_by_user
from ranking.popularity import popularity, popularity_by_clock
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.ratings import Ratings
from settings import ModelSettings

LIKED_ALIKE = np.array(IDS, np.int32)


def people(count: int = 30, movies: int = 40) -> Ratings:
    """Everybody has rated every movie: 5 for those of their parity, 1 for the others, in an order of their own."""
    rng = np.random.default_rng(1)
    user = np.repeat(np.arange(1, count + 1), movies)
    row = np.concatenate([rng.permutation(movies) for _ in range(count)])
    rating = np.where(row % 2 == user % 2, 5, 1)
    at = np.tile(np.arange(movies), count)
    return Ratings(
        user.astype(np.int32), LIKED_ALIKE[row], rating.astype(np.float32), (1_600_000_000 + at).astype(np.int64)
    )


@pytest.fixture(scope="module")
def judgement() -> HeldOutResult:
    return evaluate_held_out(EvaluationSetting(two_tastes(), people()), people())


def test_each_users_latest_fifth_is_split_off() -> None:
    ordered = sort_by_user_and_time(tastes())
    test = latest_mask(ordered, 0.2)
    for user in np.unique(ordered.user):
        theirs = ordered.user == user
        assert (theirs & test).sum() == 12
        assert ordered.at[theirs & ~test].max() < ordered.at[theirs & test].min()


def test_ratings_of_one_moment_are_not_put_in_the_order_of_their_movies() -> None:
    n = 200
    same = Ratings(np.ones(n, np.int32), np.arange(n, dtype=np.int32), np.ones(n, np.float32), np.zeros(n, np.int64))
    movie = sort_by_user_and_time(same).movie
    assert abs(np.corrcoef(movie, np.arange(n))[0, 1]) < 0.2
    shuffled = same.take(np.random.default_rng(0).permutation(n))
    assert np.array_equal(sort_by_user_and_time(shuffled).movie, movie)


def test_places_count_each_users_ratings_from_0() -> None:
    ordered = Ratings(np.array([3, 3, 3, 9, 9], np.int32), *[np.zeros(5)] * 3)  # type: ignore[arg-type]
    place, count = history_positions(ordered)
    assert place.tolist() == [0, 1, 2, 0, 1]
    assert count.tolist() == [3, 3, 3, 2, 2]


@given(st.integers(0, 500), st.integers(0, 3))
def test_a_random_split_keeps_training_and_test_apart(n: int, seed: int) -> None:
    train, test = random_split(n, seed)
    assert not (train & test).any()
    assert abs(train.sum() - 8 * n / 10) <= 1
    assert abs(test.sum() - n / 10) <= 1
    assert np.array_equal(test, random_split(n, seed)[1])


def test_folds_share_the_users_out_evenly() -> None:
    users = np.arange(10, 620, dtype=np.int32)
    parts = folds(users, 6, seed=1)
    assert np.array_equal(np.sort(np.concatenate(parts)), users)
    assert {len(part) for part in parts} <= {101, 102}
    assert not np.array_equal(parts[0], folds(users, 6, seed=2)[0])


def test_a_tenth_of_movielens_users_is_held_out_and_none_of_ours() -> None:
    users = np.arange(1, 20_001, dtype=np.int32)
    chosen = held_out(users)
    assert 0.09 < chosen.mean() < 0.11
    assert not held_out(users + 1_000_000).any()
    both = np.concatenate([users, users + 1_000_000])
    assert np.array_equal(held_out(both), np.concatenate([chosen, np.zeros(20_000, bool)]))


def test_who_is_held_out_stays_held_out_when_others_come() -> None:
    users = np.arange(1, 2001, dtype=np.int32)
    assert np.array_equal(held_out(users[:500]), held_out(users)[:500])
    assert np.array_equal(held_out(users[::-1]), held_out(users)[::-1])


def test_nobody_is_held_out_of_a_few_and_at_most_ten_thousand_of_many() -> None:
    assert not held_out(np.arange(99, dtype=np.int32)).any()
    assert held_out(np.arange(300_000, dtype=np.int32)).sum() == MOST_HELD_OUT


def test_at_most_a_thousand_are_judged_and_always_the_same() -> None:
    users = np.arange(3000, dtype=np.int32)
    ratings = Ratings(users, users, np.ones(3000, np.float32), np.zeros(3000, np.int64))
    chosen = sample_users(ratings)
    assert len(np.unique(chosen.user)) == MAX_EVALUATED_USERS
    assert np.array_equal(chosen.user, sample_users(ratings).user)
    assert len(sample_users(ratings.take(np.arange(50)))) == 50


def test_an_interval_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    draws = [bootstrap.mean(rng.exponential(size=80)) for _ in range(200)]
    held = np.mean([estimate.low < 1 < estimate.high for estimate in draws])
    assert 0.88 < held < 0.99


def test_pairing_finds_a_difference_that_is_small_beside_that_between_people() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(0, 1, 200)
    b = a - 0.05 + rng.normal(0, 0.1, 200)
    assert bootstrap.mean(a).low < bootstrap.mean(b).value < bootstrap.mean(a).high
    difference = bootstrap.paired_difference(a, b)
    assert 0 < difference.low < 0.05 < difference.high


def test_values_that_are_missing_are_left_out() -> None:
    values = np.array([1.0, np.nan, 3.0])
    assert bootstrap.mean(values).value == 2.0
    assert bootstrap.paired_difference(values, np.array([0.0, 0.0, np.nan])).value == 1.0
    assert bootstrap.mean(np.array([np.nan])).rounded() == [None, None, None]
    assert bootstrap.mean(np.empty(0)).rounded() == [None, None, None]


def test_a_difference_in_rmse_is_that_of_the_two_rmses() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1.0, (50, 20)), rng.normal(0, 0.9, (50, 20))
    found = bootstrap.paired_rmse_difference((a**2).sum(axis=1), (b**2).sum(axis=1), np.full(50, 20.0))
    assert found.value == pytest.approx(np.sqrt((a**2).mean()) - np.sqrt((b**2).mean()))
    assert found.low > 0


def test_a_judgement_tests_on_the_next_ratings_through_what_serves(judgement: HeldOutResult) -> None:
    factors, ordered = two_tastes(), sort_by_user_and_time(people())
    for u in (0, 7):
        theirs = ordered.take(ordered.user == judgement.users[u])
        for g, n in enumerate(GIVEN_N):
            if n >= len(theirs):
                assert np.isnan(judgement.ndcg[u, g])
                assert judgement.tested[u, g] == 0
                continue
            told, asked = theirs.take(np.arange(n)), theirs.take(np.arange(n, len(theirs)))
            then = replace(factors, popular=popularity_then(theirs.at[max(n - 1, 0)]))
            shown = ranked(then, told.movie, told.rating, 10, told.at).movies
            relevant = asked.movie[asked.rating >= 4]
            assert judgement.lists[u, g][: len(shown)].tolist() == shown.tolist()
            assert judgement.recall[u, g] == pytest.approx(np.isin(shown, relevant).sum() / len(relevant))
            ranking = ranking_for(Ranker(factors), told.movie, told.rating, told.at)
            error = ranking.expected(factors.rows(asked.movie)[0]) - asked.rating
            assert judgement.squared_errors[u, g] == pytest.approx(error @ error, rel=1e-5)
            rows = factors.rows(asked.movie)[0]
            error = factors.mu + factors.movie_bias[rows] - asked.rating
            assert judgement.baseline_squared_errors[u, g] == pytest.approx(error @ error, rel=1e-5)


def popularity_then(clock: int) -> np.ndarray:
    """Popularity as the user met it: of the likes up to their last given rating."""
    likes = people().take((people().rating >= 3.5) & (people().at <= clock))
    return popularity(likes, np.searchsorted(LIKED_ALIKE, likes.movie), 40, ModelSettings())


def test_the_diversity_curve_begins_at_the_lists_that_are_served_and_comes_nearer_to_what_is_liked(
    judgement: HeldOutResult,
) -> None:
    genres = np.random.default_rng(2).dirichlet(np.full(4, 0.3), 40).astype(np.float32)
    curve = diversity_curve(EvaluationSetting(two_tastes(), people()), people(), genres)
    assert list(curve) == ["0", "0.5", "1"]
    assert curve["0"]["NDCG@10"] == pytest.approx(np.nanmean(judgement.ndcg[:, GIVEN_N.index(20)]))
    assert curve["0"]["miscalibration"] > curve["0.5"]["miscalibration"] > curve["1"]["miscalibration"]
    assert curve["1"]["median popularity"] == 50  # of each of these movies
    few = people().take(people().at < 1_600_000_020)
    assert diversity_curve(EvaluationSetting(two_tastes(), people()), few, genres) == {}


def test_only_the_next_fifty_are_tested() -> None:
    factors = two_tastes(movies=list(range(100, 180)))
    rng = np.random.default_rng(0)
    n = 80
    ratings = Ratings(
        np.ones(n, np.int32), (100 + rng.permutation(n)).astype(np.int32), np.full(n, 5, np.float32), np.arange(n)
    )
    assert evaluate_held_out(EvaluationSetting(factors, ratings), ratings).tested[0].tolist() == [
        50,
        50,
        50,
        50,
        50,
        50,
        30,
    ]


def test_knowing_a_taste_beats_popularity_once_there_is_something_to_know(judgement: HeldOutResult) -> None:
    gain = judgement.estimates(GIVEN_N.index(5))["gain"]
    assert gain.low > 0.2


def test_ratings_of_unknown_movies_are_passed_over() -> None:
    more = people()
    strange = Ratings(more.user, more.movie + 1, more.rating, more.at)
    alone = evaluate_held_out(EvaluationSetting(two_tastes(), strange), strange)
    assert len(alone.users) == 0
    assert alone.summary()["users"] == 0


def test_a_summary_is_json_without_single_people(judgement: HeldOutResult) -> None:
    summary = json.loads(json.dumps(judgement.summary(), allow_nan=False))
    assert len(json.dumps(summary)) < 5000
    assert summary["given"]["3"]["NDCG@10"][0] == pytest.approx(np.nanmean(judgement.ndcg[:, 2]), abs=1e-5)
    assert summary["given"]["50"]["NDCG@10"] == [None, None, None]


def test_judgements_of_different_people_can_be_joined(judgement: HeldOutResult) -> None:
    both = merge_results([judgement, judgement])
    assert len(both.users) == 2 * len(judgement.users)
    assert both.estimates(3)["RMSE"].value == pytest.approx(judgement.estimates(3)["RMSE"].value)


def test_pooling_is_a_mean_over_what_there_is() -> None:
    assert mean_per_user(np.array([[1.0, np.nan, 3.0], [np.nan] * 3])).tolist()[0] == 2.0
    assert np.isnan(mean_per_user(np.array([[np.nan, np.nan]]))).all()


def test_popularity_at_a_time_is_that_of_the_likes_up_to_it() -> None:
    rng = np.random.default_rng(2)
    n, days = 200, 86400
    movie, at = rng.integers(0, 9, n), np.sort(rng.integers(0, 3000, n)) * days
    likes = Ratings(np.ones(n, np.int32), movie.astype(np.int32), np.full(n, 4, np.float32), at)
    clocks = np.sort(rng.integers(-50, 3200, 12)) * days
    for clock, found in zip(clocks, popularity_by_clock(likes, movie, 9, clocks, 365), strict=True):
        upto = at <= clock
        assert np.allclose(found, popularity(likes.take(upto), movie[upto], 9, ModelSettings()), atol=1e-5)


def test_popular_lists_leave_out_what_was_seen() -> None:
    movies, n = np.array([5, 7, 9], np.int32), np.zeros(4)
    ratings = Ratings(np.array([1, 2, 2, 2]), np.array([7, 5, 7, 9], np.int32), n, n)
    given = ratings_by_user(ratings, np.array([1, 2]))
    lists = popular_lists(movies, np.array([1, 3, 2], np.float32), given, 2)
    assert lists.tolist() == [[9, 5], [offline_metrics.PADDING, offline_metrics.PADDING]]


def test_ratings_are_counted_by_movie_from_a_rating_on() -> None:
    ratings = Ratings(np.arange(3), np.array([5, 5, 9], np.int32), np.array([4, 3, 5], np.float32), np.zeros(3))
    assert count_ratings(ratings, np.array([5, 7, 9], np.int32), 4).tolist() == [1, 0, 1]
    assert count_ratings(ratings, np.array([5, 7, 9], np.int32), 0).tolist() == [2, 0, 1]


def test_lists_come_back_in_the_order_of_their_people_whatever_order_they_were_made_in() -> None:
    factors = two_tastes()
    given_ = ratings_by_user(people(6), np.array([2, 1, 99, 6], np.int32))

    def backwards(*asked):  # type: ignore[no-untyped-def]
        user, movie, expected = rank_locally(*asked)
        order = np.argsort(-user, kind="stable")
        return user[order], movie[order], expected[order]

    few = [part.take(np.arange(min(4, len(part)))) for part in given_]
    lists = build_lists(factors, few, 10, backwards)
    for part, movies in zip(few, lists, strict=True):
        assert ranked(factors, part.movie, part.rating, 10, part.at).movies.tolist() == movies.tolist()


def test_a_result_prints_as_a_table_and_is_stored_as_json() -> None:
    result = ProtocolResult(
        "temporal", (1,), {"ours": {"NDCG@10": 0.125, "users": 610.0}, "theirs": {"NDCG@10": 0.1}}, {"n": 3}
    )
    lines = str(result).splitlines()
    assert lines[0] == "temporal, seed 1: n 3"
    assert lines[1].split() == ["NDCG@10", "users"]
    assert lines[2].split() == ["ours", "0.1250", "610"]
    assert lines[3].split() == ["theirs", "0.1000", "-"]
    assert json.loads(json.dumps(result.to_json()))["rows"]["ours"]["NDCG@10"] == 0.125


def test_the_mean_of_results_is_taken_number_by_number() -> None:
    one = ProtocolResult("random", (1,), {"ours": {"RMSE": 0.8}})
    two = replace(one, seeds=(2,), rows={"ours": {"RMSE": 0.9}})
    assert mean([one, two]).rows["ours"]["RMSE"] == pytest.approx(0.85)
    assert mean([one, two]).seeds == (1, 2)
