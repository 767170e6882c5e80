"""The batch against the slow twin of a single user: lists, scores, expected ratings and reasons."""

from dataclasses import replace

import numpy as np
import pytest
from random_model import F, K, histories_of, random_factors, twin_of
from single_user import SingleUser

from jobs.online_evaluation import predict_rating_and_rank
from ranking.batch_lists import rank_locally
from ranking.explanations import contributions, reasons, shares
from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rankings import PersonalRanking, ranking_for
from ranking.rating_histories import Histories, Times, count_newer
from ranking.ratings import Floats, Ints
from ranking.top_n import top_n, top_rows
from ranking.user_batch import batch_of_one, user_batches

N = 10


def assert_as_the_twin(factors: Factors, histories: Histories, n: int = N) -> None:
    """Lists must be equal but where scores are equal to rounding, and so must their expected ratings."""
    user, movie, expected = rank_locally(factors, histories, n)
    listed = histories.user[np.diff(histories.start) < F]
    assert list(dict.fromkeys(user.tolist())) == listed.tolist()
    for i, one in enumerate(histories.user):
        twin = twin_of(factors, histories, i)
        rows, score = np.searchsorted(factors.movies, movie[user == one]), twin.score()
        assert len(set(rows)) == len(rows) == min(n, F - twin.n)
        assert not set(rows) & set(twin.rows)
        assert np.allclose(score[rows], score[twin.list(n)], atol=1e-3)
        assert factors.well_known[rows].tolist() == factors.well_known[twin.list(n)].tolist()
        assert np.allclose(expected[user == one], twin.expected()[rows], atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_lists_of_a_batch_are_those_of_the_twin(seed: int) -> None:
    lengths = [0, 1, 2, 3, 5, K, K + 1, 13, 21, 34, 100, 0, 2, 60, F - 4, F]  # on both sides of the ranks
    factors = random_factors(seed)
    assert_as_the_twin(factors, histories_of(factors, lengths, seed))


def test_lists_do_not_depend_on_the_size_of_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ranking.user_batch.MOST_CELLS", 1000)
    assert_as_the_twin(random_factors(), histories_of(random_factors(), [4, 0, 30, 1, 1, 12, 50, 7]))


def test_batches_hold_every_user_with_ratings_once_and_no_more_cells_than_they_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ranking.user_batch.MOST_CELLS", 1000)
    factors, lengths = random_factors(), [3, 0, 9, 100, 1, 1, 2, 0, 40, 5] * 5
    histories = histories_of(factors, lengths)
    cut = list(user_batches(factors, histories))
    assert sorted(np.concatenate([some for some, _ in cut])) == np.flatnonzero(lengths).tolist()
    assert all(len(batch) == 1 or len(batch) * F <= 1000 for _, batch in cut)


def test_batches_hold_at_most_so_many_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ranking.user_batch.MOST_USERS", 4)
    factors = random_factors()
    histories = histories_of(factors, [2] * 10)
    assert [len(some) for some, _ in user_batches(factors, histories)] == [4, 4, 2]


@pytest.mark.parametrize("count", [1, 3, 20])
def test_the_pieces_of_histories_are_these_and_no_more(count: int) -> None:
    histories = histories_of(random_factors(), [3, 0, 9, 1, 1, 2, 0])
    parts = histories.pieces(count)
    assert len(parts) == count
    assert all(part.start[-1] == len(part.movies) == len(part.rating) for part in parts)
    for column in ("user", "movies", "rating", "at"):
        whole = np.concatenate([getattr(part, column) for part in parts])
        assert whole.tolist() == getattr(histories, column).tolist()
    assert np.concatenate([np.diff(part.start) for part in parts]).tolist() == np.diff(histories.start).tolist()


@pytest.mark.parametrize(
    "rating", [[0.5], [3.0], [5.0], np.repeat([0.5, 5.0], 6)], ids=["bad", "half", "good", "mixed"]
)
def test_users_who_like_nothing_or_everything_are_ranked_like_others(rating: list[float]) -> None:
    histories = histories_of(random_factors(), [6, 6])
    assert_as_the_twin(random_factors(), replace(histories, rating=np.broadcast_to(np.float32(rating), 12)))


@pytest.mark.parametrize("rank", [K, 2], ids=["full", "lower"])
def test_without_regularization_every_system_is_solvable(rank: int) -> None:
    """V'V has no inverse where fewer kinds of likes are known than there are dimensions."""
    f = random_factors()
    f = replace(f, V=f.V * (np.arange(K) < rank), model=replace(f.model, ranker_reg=0.0))
    f = replace(f, model=replace(f.model, plain_weight=0.0)) if rank < K else f  # of which the twin knows no digit
    assert_as_the_twin(f, histories_of(f, [0, 1, 4, K, 20, 6, 6]))
    ranking = personal(f, f.movies[:3], np.full(3, 5, np.float32))
    assert np.isfinite(ranking.folded_in().x).all()
    assert all(np.isfinite(share) for _, share in ranking.reasons(np.array([9]))[0])


def test_movies_that_the_factors_do_not_know_are_left_out() -> None:
    f = random_factors()
    batch = batch_of_one(f, np.array([10, 11, 12, 9999], np.int32), np.array([5, 1, 4, 1], np.float32), np.arange(4))
    assert batch.rows.tolist() == [[0, 1]]
    assert batch.rating.tolist() == [[5, 4]]
    assert batch.newer.tolist() == [[1, 0]]
    unknown = histories_of(f, [2, 1])
    unknown.movies[:2] = 11, 9999
    user, movie, _ = rank_locally(f, unknown, N)
    assert movie[user == 7].tolist() == rank_locally(f, histories_of(f, [0]), N)[1].tolist()


def test_lists_can_be_made_without_neighbours() -> None:
    none = random_factors(w_start=np.zeros(F + 1, np.int64), w_movie=np.empty(0, np.int32), w=np.empty(0, np.float32))
    assert_as_the_twin(none, histories_of(none, [0, 1, 4, 20]))


def test_a_part_that_is_flat_does_not_rank() -> None:
    flat = random_factors(V=np.ones((F, K), np.float32), m=np.zeros(K, np.float32))
    assert_as_the_twin(flat, histories_of(flat, [3, 20]))


def test_a_user_without_ratings_gets_the_popular_movies() -> None:
    f = random_factors(rating_count=np.full(F, 40, np.int32))
    ranking = ranking_for(Ranker(f), f.movies[:0], f.movie_bias[:0], np.empty(0, np.int64))
    assert ranking.best(N).tolist() == np.argsort(-f.popular)[:N].tolist()
    assert ranking.strategy == "popular"
    assert np.allclose(ranking.scores(np.arange(F)), f.popular, atol=1e-5)
    assert np.allclose(ranking.expected(np.arange(F)), np.clip(f.mu + f.movie_bias, 0.5, 5))


@pytest.mark.parametrize("n", [1, 10, 60, F - 3])
def test_the_scores_of_a_batch_of_one_are_those_of_the_twin(n: int) -> None:
    f = random_factors()
    twin, ranking = one(f, n)
    assert np.allclose(ranking.scores(np.arange(F)), twin.score(), atol=2e-3)
    assert np.allclose(ranking.expected(np.arange(F)), twin.expected(), atol=1e-3)
    assert ranking.best(2 * F).tolist() == twin.list(2 * F).tolist()


@pytest.mark.parametrize("n", [1, 5, 60])
def test_baseline_and_contributions_add_up_to_the_score(n: int) -> None:
    f = random_factors()
    twin, ranking = one(f, n)
    baseline, parts = contributions(Ranker(f), ranking.folded_in(), np.arange(F))
    assert parts.shape == (n, F)
    assert np.allclose(baseline + parts.sum(axis=0), twin.score(), atol=2e-3)


@pytest.mark.parametrize("n", [1, 5, 60])
def test_a_contribution_is_what_the_score_lacks_without_that_rating(n: int) -> None:
    """By brute force: with means, deviations and systems as they are, take one rating's target and terms away."""
    f = random_factors()
    twin, ranking = one(f, n)
    _, parts = contributions(Ranker(f), ranking.folded_in(), np.arange(F))
    V, (m, p, g) = f.V.astype(float), twin.parts()
    scale = [weight / twin.scored(s)[1] for weight, s in (m, p, g)]
    liked, y = twin.rating >= f.model.like_threshold, f.V[twin.rows] @ f.m
    V_p = V[twin.rows[liked]]
    A = V.T @ V + f.model.ranker_alpha * V_p.T @ V_p + f.model.ranker_reg * len(V_p) * np.eye(K)
    target = np.where(liked, 1.0, np.where(twin.rating >= 3, 0.5, 0.0))
    for i in range(n):
        lacking = target.copy()
        lacking[i] = y[i]  # the target that says nothing new
        lost = scale[0] * (m[1] - V @ twin.x_m(lacking))
        lost += scale[2] * twin.recency()[i] * (twin.rating[i] - 2.5) * twin.W()[twin.rows[i]]
        if liked[i]:
            lost += scale[1] * V @ np.linalg.solve(A, (1 + f.model.ranker_alpha) * V[twin.rows[i]])
        assert np.allclose(parts[i], lost, atol=2e-3)


def test_a_user_with_only_dislikes_has_reasons_too() -> None:
    f = random_factors()
    ranking = personal(f, f.movies[1:4], np.full(3, 0.5, np.float32))
    baseline, parts = contributions(Ranker(f), ranking.folded_in(), np.arange(F))
    assert np.allclose(baseline + parts.sum(axis=0), ranking.scores(np.arange(F)), atol=2e-3)


def test_shares_are_of_the_ratings_that_raise_a_score() -> None:
    parts = np.array([[3, -1], [1, -2], [-5, 0]], np.float32)
    assert shares(parts).tolist() == [[0.75, 0], [0.25, 0], [0, 0]]


@pytest.mark.parametrize("n", [1, 2, 60])
def test_the_reasons_for_a_movie_are_the_three_ratings_with_the_largest_shares(n: int) -> None:
    f, rows = random_factors(), np.arange(7, F, 9)
    _, ranking = one(f, n)
    share = shares(contributions(Ranker(f), ranking.folded_in(), rows)[1])
    for column, found in enumerate(reasons(Ranker(f), ranking.folded_in(), rows)):
        wanted = sorted(((float(s), -at) for at, s in enumerate(share[:, column]) if s > 0), reverse=True)[:3]
        assert found == [(-at, s) for s, at in wanted]
        assert sum(s for _, s in found) <= 1 + 1e-6


def test_what_lowers_a_score_is_no_reason() -> None:
    f = random_factors(w=np.zeros(5 * F, np.float32), V=np.zeros((F, K), np.float32))
    assert one(f, 4)[1].reasons(np.arange(3)) == [[]] * 3


def test_the_rating_behind_a_movie_is_the_reason_for_it() -> None:
    """Two kinds of movies without anything in common: a rating of one kind says nothing about the other."""
    f = random_factors()
    V = np.zeros_like(f.V)
    V[: F // 2, 0] = V[F // 2 :, 1] = 1
    f = random_factors(V=V, w=np.zeros_like(f.w), m=np.zeros_like(f.m), C=np.eye(K, dtype=np.float32))
    ranking = personal(f, f.movies[[0, F // 2]], np.array([5, 3], np.float32))
    _, parts = contributions(Ranker(f), ranking.folded_in(), np.array([1, F - 1]))
    assert np.allclose(shares(parts), np.eye(2), atol=1e-3)


def test_the_predicted_rank_is_the_place_in_the_whole_list() -> None:
    f = random_factors()
    twin, ranking = one(f, 9)
    everything = ranking.best(F)
    for place in (0, 5, 60, len(everything) - 1):
        expected, rank = predict_rating_and_rank(ranking, f.well_known, int(everything[place]))
        assert rank == place + 1
        assert expected == pytest.approx(twin.expected()[everything[place]], abs=1e-3)


def one(f: Factors, n: int) -> tuple[SingleUser, PersonalRanking]:
    """A user with n ratings, as the twin and as the product sees them."""
    histories = histories_of(f, [n])
    return twin_of(f, histories, 0), personal(f, histories.movies, histories.rating, histories.at)


def personal(f: Factors, movies: Ints, rating: Floats, at: Times | None = None) -> PersonalRanking:
    at = np.zeros(len(movies), np.int64) if at is None else at
    return PersonalRanking(Ranker(f), batch_of_one(f, movies, rating, at))


def test_newer_ratings_are_counted_by_user_and_second() -> None:
    at = np.array([5, 3, 5, 9, 7, 7, 7, 1])
    assert count_newer(np.array([0, 4, 4, 8]), at).tolist() == [1, 3, 1, 0, 0, 0, 0, 3]
    assert count_newer(np.array([0, 0]), at[:0]).tolist() == []
    f = random_factors()
    for user in (at[:4], at[4:]):
        batch = batch_of_one(f, f.movies[:4], np.ones(4, np.float32), user)
        assert batch.newer[0].tolist() == count_newer(np.array([0, 4]), user).tolist()


@pytest.mark.parametrize("n", [0, 1, 5, 10, 200])
def test_the_best_n_are_those_that_sorting_finds(n: int) -> None:
    rng = np.random.default_rng(3)
    s = rng.integers(0, 30, F).astype(np.float32)  # with many ties
    seen, preferred = rng.choice(F, 20, replace=False), rng.random(F) < 0.1
    rows = sorted(set(range(F)) - set(seen), key=lambda row: (not preferred[row], -s[row], row))
    assert top_n(s, n, seen, preferred).tolist() == rows[:n]


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
