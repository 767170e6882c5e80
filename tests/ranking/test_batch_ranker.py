"""Lists made a block of users at a time, against the same lists made one by one."""

from dataclasses import replace

import numpy as np
import pytest

from ranking.batch_lists import rank_locally
from ranking.batch_ranker import user_batches
from ranking.factors import Factors
from ranking.rating_histories import Histories, ranked
from ranking.score import deviations, spread
from ranking.top_n import top_n, top_rows
from settings import ModelSettings

F, K, H, N = 300, 8, 4, 10


def made_up(seed: int = 0, floor: int = 25) -> Factors:
    """Random factors of 300 movies with ten neighbours each, of which about a third have few ratings."""
    rng = np.random.default_rng(seed)
    V, Q = rng.normal(size=(F, K)).astype(np.float32), rng.normal(scale=0.3, size=(F, H)).astype(np.float32)
    spread = np.eye(K, dtype=np.float32) + 0.1
    return Factors(
        movies=np.arange(10, 10 + 3 * F, 3, dtype=np.int32), V=V, m=V[:9].mean(axis=0), C=spread, Q=Q,
        C_r=np.eye(H, dtype=np.float32), mu=3.5, movie_bias=rng.normal(scale=0.3, size=F).astype(np.float32),
        rating_count=rng.integers(0, 80, F).astype(np.int32), rating_mean=np.full(F, 3.5, np.float32),
        popular=rng.normal(size=F).astype(np.float32), w_start=np.arange(0, 10 * F + 1, 10),
        w_movie=rng.permuted(np.tile(np.arange(F, dtype=np.int32), (F, 1)), axis=1)[:, :10].reshape(-1),
        w=rng.normal(scale=0.1, size=10 * F).astype(np.float32),
        model=ModelSettings(ranker_rank=K, rater_rank=H, min_ratings=floor),
    )  # fmt: skip


def people(factors: Factors, lengths: list[int], seed: int = 1) -> Histories:
    """Users with so many ratings each, from all over the scale."""
    rng = np.random.default_rng(seed)
    movies = [rng.choice(factors.movies, n, replace=False) for n in lengths]
    rating = rng.integers(1, 11, sum(lengths)) / 2
    start = np.cumsum([0, *lengths]).astype(np.int64)
    user = 7 + 2 * np.arange(len(lengths), dtype=np.int32)
    return Histories(user, start, np.concatenate(movies).astype(np.int32), rating.astype(np.float32))


def assert_as_one_by_one(factors: Factors, histories: Histories, n: int = N) -> None:
    user, movie, expected = rank_locally(factors, histories, n)
    assert list(dict.fromkeys(user.tolist())) == histories.user.tolist()
    for i, one in enumerate(histories.user):
        cut = slice(*histories.start[i : i + 2])
        alone = ranked(factors, histories.movies[cut], histories.rating[cut], n)
        assert movie[user == one].tolist() == alone.movies.tolist()
        assert np.allclose(expected[user == one], alone.expected, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_lists_made_in_blocks_are_those_made_one_by_one(seed: int) -> None:
    lengths = [0, 1, 2, 3, 5, 8, K, K + 1, 13, 21, 34, 100, 0, 2, 60]  # on both sides of the ranks
    assert_as_one_by_one(made_up(seed), people(made_up(seed), lengths, seed))


def test_so_they_are_however_small_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ranking.batch_ranker.CELLS", 1000)
    assert_as_one_by_one(made_up(), people(made_up(), [4, 0, 30, 1, 1, 12, 50, 7]))


def test_blocks_hold_every_user_with_ratings_once_and_no_more_cells_than_they_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ranking.batch_ranker.CELLS", 3000)
    factors, lengths = made_up(), [3, 0, 9, 200, 1, 1, 2, 0, 40, 5] * 5
    histories = people(factors, lengths)
    rows, _ = factors.rows(histories.movies)
    cut = list(user_batches(factors, histories.start, rows, histories.rating))
    assert sorted(np.concatenate([some for some, _ in cut])) == np.flatnonzero(lengths).tolist()
    assert all(len(block) == 1 or len(block) * F <= 3000 for _, block in cut)


def test_blocks_hold_no_more_users_than_stay_near_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ranking.batch_ranker.USERS", 4)
    factors = made_up()
    histories = people(factors, [2] * 10)
    rows, _ = factors.rows(histories.movies)
    assert [len(some) for some, _ in user_batches(factors, histories.start, rows, histories.rating)] == [4, 4, 2]


@pytest.mark.parametrize("count", [1, 3, 20])
def test_the_pieces_of_histories_are_these_and_no_more(count: int) -> None:
    histories = people(made_up(), [3, 0, 9, 1, 1, 2, 0])
    parts = histories.pieces(count)
    assert len(parts) == count
    assert all(part.start[-1] == len(part.movies) == len(part.rating) for part in parts)
    for column in ("user", "movies", "rating"):
        whole = np.concatenate([getattr(part, column) for part in parts])
        assert whole.tolist() == getattr(histories, column).tolist()
    assert np.concatenate([np.diff(part.start) for part in parts]).tolist() == np.diff(histories.start).tolist()


def test_who_likes_nothing_and_who_likes_everything_are_listed_like_others() -> None:
    factors = made_up()
    histories = people(factors, [6, 6])
    for rating in (0.5, 3.0, 5.0):
        assert_as_one_by_one(factors, replace(histories, rating=np.full(12, rating, np.float32)))
    mixed = np.repeat([0.5, 5.0], 6).astype(np.float32)  # in one block, who likes nothing beside who likes everything
    assert_as_one_by_one(factors, replace(histories, rating=mixed))


def test_lists_are_the_same_without_regularization() -> None:
    factors = made_up()
    bare = replace(factors, model=replace(factors.model, ranker_reg=0.0))
    assert_as_one_by_one(bare, people(bare, [0, 1, 4, K, 20]))
    assert_as_one_by_one(bare, replace(people(bare, [6, 6]), rating=np.repeat([0.5, 5.0], 6).astype(np.float32)))


def test_a_list_goes_on_with_little_known_movies_where_the_others_have_all_been_seen() -> None:
    factors = made_up()
    known = factors.movies[factors.well_known]
    rating = np.full(len(known) - 4 + 3, 4, np.float32)
    seen = np.concatenate([known[4:], known[:3]])
    histories = Histories(np.array([1, 2], np.int32), np.array([0, len(known) - 4, len(seen)]), seen, rating)
    assert_as_one_by_one(factors, histories)


def test_a_list_may_be_longer_than_there_are_movies() -> None:
    factors = made_up()
    user, movie, _ = rank_locally(factors, people(factors, [5, 0]), 2 * F)
    assert np.bincount(user)[[7, 9]].tolist() == [F - 5, F]
    assert len(set(movie[user == 7])) == F - 5


def test_movies_that_the_factors_do_not_know_are_passed_over() -> None:
    histories = people(made_up(), [3, 2, 4])
    movies = histories.movies.copy()
    movies[[0, 3, 4]] = 11, 1, 10_000  # the second user is left with nothing
    assert_as_one_by_one(made_up(), replace(histories, movies=movies))


def test_lists_can_be_made_without_neighbours() -> None:
    bare = replace(
        made_up(), w_start=np.zeros(F + 1, np.int64), w_movie=np.empty(0, np.int32), w=np.empty(0, np.float32)
    )
    assert_as_one_by_one(bare, people(bare, [0, 1, 4, 20]))


def test_flat_scores_are_no_reason_to_rank() -> None:
    flat = replace(made_up(), V=np.ones((F, K), np.float32))
    assert_as_one_by_one(flat, people(flat, [3, 20]))


def test_the_deviations_of_many_are_those_of_each_with_none_where_all_is_flat_or_seen() -> None:
    rng = np.random.default_rng(4)
    scores = [rng.normal(size=50).astype(np.float32), np.full(50, 3, np.float32), np.zeros(50, np.float32)]
    seen = [np.arange(n) for n in (0, 7, 40, 50)]
    alone = [spread(score, some)[1] for score in scores for some in seen]
    rest = [np.delete(score, some).astype(np.float64) for score in scores for some in seen]
    n, total, square = (np.array([f(x) for x in rest]) for f in (len, np.sum, lambda x: x @ x))
    assert np.allclose(deviations(n, total, square), alone, rtol=1e-4)
    assert np.isfinite(alone).tolist() == [True, True, True, False] + [False] * 8


def test_the_best_of_each_row_are_those_of_each_row_alone() -> None:
    rng = np.random.default_rng(3)
    score = rng.integers(0, 6, (40, 96)).astype(np.float32)  # many are equal
    score[rng.random(score.shape) < 0.3] = -np.inf
    score[7], score[8, 5:] = -np.inf, -np.inf
    for groups in (12, 32, 96):
        columns, there = top_rows(score, N, groups)
        for row, values in enumerate(score):
            alone = top_n(values, N, np.flatnonzero(values == -np.inf), np.ones(96, bool))
            assert columns[row][there[row]].tolist() == alone.tolist()
