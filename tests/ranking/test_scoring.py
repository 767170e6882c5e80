"""The arithmetic against slow and obvious twins."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import checkerboard
from random_model import F, H, K, planted, someone

from evaluation.online_prediction import predict_rating_and_rank
from ranking import fold_in
from ranking.biases import MOVIE_DAMPING, USER_DAMPING, damped_biases, residuals
from ranking.factors import Factors, FactorsError
from ranking.popularity import popularity, recent_likes
from ranking.rating_histories import ranked
from ranking.ratings import Ratings
from ranking.score import IndexedHistory, UserModel, expected_rating, index_history, rater_vector, spread, spread_along
from ranking.top_n import top_n
from ranking.user_prior import mean_and_covariance
from settings import ModelSettings


def test_both_forms_of_the_posterior_are_one() -> None:
    f = planted()
    for n in (1, K - 1, K, K + 1, 40):
        V_s, y = f.V[:n], np.linspace(0, 1, n).astype(np.float32)
        wide = f.m + f.C @ V_s.T @ np.linalg.inv(V_s @ f.C @ V_s.T + 0.1 * np.eye(n)) @ (y - V_s @ f.m)
        precision = np.linalg.inv(f.C) + V_s.T @ V_s / 0.1
        tall = f.m + np.linalg.solve(precision, V_s.T @ (y - V_s @ f.m) / 0.1)
        got = fold_in.posterior(V_s, y, f.m, f.C, f.C_inverse, 0.1)
        assert np.allclose(wide, tall, atol=1e-4)
        assert np.allclose(got, wide, atol=1e-3)


def test_of_nobody_the_posterior_is_the_average_user_and_the_plain_vector_is_zero() -> None:
    f = planted()
    empty = np.empty((0, K), np.float32)
    assert np.array_equal(fold_in.posterior(empty, np.empty(0, np.float32), f.m, f.C, f.C_inverse, 0.1), f.m)
    assert not fold_in.als_step(empty, f.VtV, 0.2, 0.06).any()


def test_the_plain_vector_minimizes_what_implicit_als_minimizes() -> None:
    f, alpha, reg = planted(), 0.2, 0.06
    liked = np.array([3, 10, 50])
    x = fold_in.als_step(f.V[liked], f.VtV, alpha, reg)

    def loss(x: np.ndarray) -> float:
        confidence, wanted = np.ones(F), np.zeros(F)
        confidence[liked], wanted[liked] = 1 + alpha, 1
        return float((confidence * (wanted - f.V @ x) ** 2).sum() + reg * len(liked) * x @ x)

    for step in np.vstack([np.eye(K), -np.eye(K)]) * 1e-2:
        assert loss(x) < loss(x + step)


SEEN = np.array([0, 7, 9])


def test_mean_and_deviation_are_over_the_unseen() -> None:
    s = np.random.default_rng(2).normal(3, 5, F).astype(np.float32)
    unseen = np.delete(s, SEEN)
    assert spread(s, SEEN) == pytest.approx((unseen.mean(), unseen.std()), rel=1e-5)
    assert spread(np.full(F, 2, np.float32), SEEN)[1] == np.inf
    assert spread(s, np.arange(F))[1] == np.inf


def test_mean_and_deviation_along_a_vector_need_no_look_at_every_movie() -> None:
    f, x = planted(), np.linspace(-1, 2, K).astype(np.float32)
    assert spread_along(x, f, f.V[SEEN]) == pytest.approx(spread(f.V @ x, SEEN), rel=1e-4)
    alike = planted(V=np.ones_like(f.V))
    assert spread_along(x, alike, alike.V[SEEN])[1] == np.inf
    assert spread_along(x, f, f.V)[1] == np.inf


def test_the_neighbour_score_is_a_sum_over_the_history() -> None:
    f, h = planted(), someone(7)
    W = np.zeros((F, F))
    for i in range(F):
        W[i, f.w_movie[f.w_start[i] : f.w_start[i + 1]]] = f.w[f.w_start[i] : f.w_start[i + 1]]
    assert np.allclose(UserModel(f, h).g, (h.rating - 2.5) @ W[h.rows], atol=1e-5)


def test_the_score_is_its_parts_with_weights_that_grow_with_the_history() -> None:
    f = planted()
    for n in (1, 10, 60):
        h = someone(n)
        y = np.where(h.rating >= 3.5, 1, np.where(h.rating == 3, 0.5, 0)).astype(np.float32)
        x_m = fold_in.posterior(f.V[h.rows], y, f.m, f.C, f.C_inverse, f.model.noise)
        x_p = fold_in.als_step(f.V[h.rows[h.rating >= 3.5]], f.VtV, f.model.ranker_alpha, f.model.ranker_reg)
        parts = [f.V @ x_m, f.V @ x_p, UserModel(f, h).g]
        w, b, c = 0.5 * n / (n + 50), 1.25 * n / (n + 50), 25 / (n + 25)
        unseen = [np.delete(part, h.rows) for part in parts]
        z = [(part - rest.mean()) / (rest.std() or 1) for part, rest in zip(parts, unseen, strict=True)]
        wanted = (1 - w) * z[0] + w * z[1] + b * z[2] + c * f.popular
        assert np.allclose(UserModel(f, h).score, wanted, atol=1e-4)


def test_who_has_rated_nothing_gets_what_is_popular_now() -> None:
    f = planted(rating_count=np.full(F, 40, np.int32))
    best = ranked(f, np.empty(0, np.int32), np.empty(0, np.float32), 10)
    assert np.array_equal(best.movies, f.movies[np.argsort(-f.popular)[:10]])


@pytest.mark.parametrize("n", [0, 1, 3, 20, F - 4])
@pytest.mark.parametrize("rating", [0.5, 3.0, 5.0])
def test_a_list_is_ten_unseen_movies_or_all_there_are(n: int, rating: float) -> None:
    f = planted()
    seen = f.movies[:n]
    best = ranked(f, seen, np.full(n, rating, np.float32), 10)
    assert len(best.movies) == min(10, F - n)
    assert len(set(best.movies)) == len(best.movies)
    assert not set(best.movies) & set(seen)
    assert (best.expected >= 0.5).all()
    assert (best.expected <= 5).all()


def test_movies_of_another_catalogue_are_passed_over() -> None:
    f = planted()
    movies, rating = np.array([10, 11, 12, 9999], np.int32), np.array([5, 1, 4, 1], np.float32)
    h = index_history(f, movies, rating)
    assert h.rows.tolist() == [0, 1]
    assert h.rating.tolist() == [5, 4]


def test_little_known_movies_come_after_all_others() -> None:
    f = planted()
    best = ranked(f, f.movies[:5], np.full(5, 4, np.float32), F)
    known = f.rating_count[np.searchsorted(f.movies, best.movies)] >= 25
    assert known[: known.sum()].all()
    assert len(best.movies) == F - 5


def test_the_floor_comes_down_in_a_small_catalogue() -> None:
    few = planted(rating_count=np.arange(F).astype(np.int32) // 10)
    assert few.well_known.sum() >= 50


@pytest.mark.parametrize("n", [0, 1, 5, 10, 200])
def test_the_best_n_are_those_that_sorting_finds(n: int) -> None:
    rng = np.random.default_rng(3)
    s = rng.integers(0, 30, F).astype(np.float32)  # with many ties
    seen, preferred = rng.choice(F, 20, replace=False), rng.random(F) < 0.1
    rows = sorted(set(range(F)) - set(seen), key=lambda row: (not preferred[row], -s[row], row))
    assert top_n(s, n, seen, preferred).tolist() == rows[:n]


def test_the_expected_rating_is_biases_residuals_and_neighbours() -> None:
    f, h = planted(), someone(9)
    residual = h.rating - f.mu - f.movie_bias[h.rows]
    b_u = residual.sum() / 19
    Q_s = f.Q[h.rows]
    p = f.C_r @ Q_s.T @ np.linalg.inv(Q_s @ f.C_r @ Q_s.T + 0.3 * np.eye(9)) @ (residual - b_u)
    rows = np.arange(F)
    g = UserModel(f, h).g - 0.3 * 9 / 29
    wanted = np.clip(f.mu + b_u + f.movie_bias + 0.75 * f.Q @ p + 0.4 * g, 0.5, 5)
    assert np.allclose(expected_rating(UserModel(f, h), rows), wanted, atol=1e-3)
    nobody = IndexedHistory(np.empty(0, np.intp), np.empty(0, np.float32))
    assert np.allclose(expected_rating(UserModel(f, nobody), rows), np.clip(f.mu + f.movie_bias, 0.5, 5))


def test_both_forms_of_the_raters_vector_are_one() -> None:
    f = planted()
    for n in (1, H, H + 1, 30):
        Q_s, r = f.Q[:n], np.linspace(-1, 1, n).astype(np.float32)
        wanted = f.C_r @ Q_s.T @ np.linalg.inv(Q_s @ f.C_r @ Q_s.T + 0.3 * np.eye(n)) @ r
        assert np.allclose(rater_vector(Q_s, r, f.C_r), wanted, atol=1e-4)


def test_what_the_biases_leave_does_not_depend_on_how_ratings_stand_together() -> None:
    board = checkerboard()
    movies = np.unique(board.movie)
    users, user = np.unique(board.user, return_inverse=True)
    rows = np.searchsorted(movies, board.movie)
    mu, b_u, b_i = damped_biases(user, rows, board.rating, len(users), len(movies))
    order = np.random.default_rng(1).permutation(len(board))
    left, mu_too, b_i_too = residuals(board.take(order), rows[order], len(movies))
    assert mu_too == pytest.approx(mu)
    assert np.allclose(b_i_too, b_i)
    assert np.allclose(left, (board.rating - mu - b_u[user] - b_i[rows])[order], atol=1e-5)


def test_biases_are_damped_means_found_by_turns() -> None:
    rng = np.random.default_rng(4)
    user, movie = rng.integers(0, 9, 200), rng.integers(0, 7, 200)
    rating = (rng.integers(1, 11, 200) / 2).astype(np.float32)
    mu, b_u, b_i = damped_biases(user, movie, rating, 9, 7)
    assert mu == pytest.approx(rating.mean())
    for i in range(7):  # at rest each is the damped mean of what the others leave
        rest = rating[movie == i] - mu - b_u[user[movie == i]]
        assert b_i[i] == pytest.approx(rest.sum() / (len(rest) + MOVIE_DAMPING), abs=1e-3)
    for u in range(9):
        rest = rating[user == u] - mu - b_i[movie[user == u]]
        assert b_u[u] == pytest.approx(rest.sum() / (len(rest) + USER_DAMPING), abs=1e-6)


def test_a_like_counts_half_after_a_half_life() -> None:
    assert recent_likes(LIKES, np.array([0, 0, 1]), 3, 365).tolist() == [1.25, 1.0, 0.0]


def test_popularity_is_of_all_time_and_lately_by_their_shares() -> None:
    rows = np.array([0, 0, 1])
    of_all_time, lately = np.log1p([2, 1, 0]), np.log1p([1.25, 1, 0])
    for share in (0.0, 0.25, 1.0):
        parts = [(x - x.mean()) / max(x.std(), 0.5) for x in (of_all_time, lately)]
        mixed = popularity(LIKES, rows, 3, ModelSettings(recent_share=share))
        assert np.allclose(mixed, (1 - share) * parts[0] + share * parts[1], atol=1e-6)


def test_where_all_movies_are_about_as_popular_popularity_says_little() -> None:
    movie = np.repeat(np.arange(50), 24 + np.arange(50) % 2)
    ones = np.ones(len(movie))
    likes = Ratings(ones.astype(np.int32), movie.astype(np.int32), ones.astype(np.float32), ones.astype(np.int64))
    assert np.abs(popularity(likes, movie, 50, ModelSettings())).max() < 0.1


LIKES = Ratings(
    np.array([1, 2, 3], np.int32),
    np.array([5, 5, 6], np.int32),
    np.full(3, 4, np.float32),
    np.array([0, 730, 730]) * 86400,
)


def test_the_average_user_is_a_mean_and_a_covariance() -> None:
    vectors = np.random.default_rng(5).normal(size=(40, K)).astype(np.float32)
    m, C = mean_and_covariance(vectors)
    assert np.allclose(m, vectors.mean(axis=0), atol=1e-6)
    assert np.allclose(C, np.cov(vectors.T, ddof=0), atol=1e-5)


def test_factors_come_back_from_their_bytes() -> None:
    f = planted()
    again = Factors.from_bytes(f.to_bytes())
    assert np.array_equal(again.V, f.V)
    assert np.array_equal(again.w, f.w)
    assert (again.mu, again.model, again.facts) == (f.mu, f.model, f.facts)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04]."], ids=["nothing", "half a zip", "a pickle"])
def test_bytes_that_are_not_factors_are_refused(data: bytes) -> None:
    with pytest.raises(FactorsError):
        Factors.from_bytes(data)


def test_factors_that_were_cut_short_are_refused() -> None:
    whole = planted().to_bytes()
    with pytest.raises(FactorsError):
        Factors.from_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("name", ["V", "m", "C", "Q", "C_r", "movie_bias", "rating_mean", "popular", "w"])
def test_a_number_that_is_not_finite_is_refused_by_name(name: str) -> None:
    f = planted()
    broken = getattr(f, name).copy()
    broken.flat[0] = np.nan
    with pytest.raises(FactorsError, match=f"^{name} "):
        replace(f, **{name: broken}).check()


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    f = planted()
    with pytest.raises(FactorsError, match="movie_bias"):
        replace(f, movie_bias=f.movie_bias[1:]).check()
    with pytest.raises(FactorsError, match="ascending"):
        replace(f, movies=f.movies[::-1]).check()
    with pytest.raises(FactorsError, match="cut short"):
        replace(f, w=f.w[1:]).check()


def test_settings_travel_with_the_factors() -> None:
    model = ModelSettings(ranker_rank=K, noise=0.3)
    assert Factors.from_bytes(planted(model=model).to_bytes()).model == model


def test_the_rank_foretold_is_the_place_in_the_whole_list() -> None:
    f, h = planted(), someone(9)
    everything = ranked(f, f.movies[h.rows], h.rating, F)
    for place in (0, 5, 60, len(everything.movies) - 1):
        row = int(np.searchsorted(f.movies, everything.movies[place]))
        said = predict_rating_and_rank(f, h, row)
        assert said.rank == place + 1
        assert said.expected_rating == pytest.approx(everything.expected[place], abs=1e-5)
