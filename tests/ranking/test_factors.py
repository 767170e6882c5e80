"""The arithmetic against slow and obvious twins."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import checkerboard
from random_model import F, K, random_factors

from ranking.biases import MOVIE_DAMPING, USER_DAMPING, damped_biases, residuals
from ranking.factors import Factors, FactorsError
from ranking.fold_in import mean_and_covariance
from ranking.popularity import popularity, recent_likes
from ranking.ratings import Ratings, without_future
from settings import ModelSettings


def test_the_floor_comes_down_in_a_small_catalogue() -> None:
    few = random_factors(rating_count=np.arange(F).astype(np.int32) // 10)
    assert few.well_known.sum() >= 50


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


def test_popularity_is_the_standardized_logarithm_of_recent_likes() -> None:
    x = np.log1p([1.25, 1, 0])
    found = popularity(LIKES, np.array([0, 0, 1]), 3, ModelSettings())
    assert np.allclose(found, (x - x.mean()) / max(x.std(), 0.5), atol=1e-6)


def test_a_date_in_the_future_counts_as_the_newest_of_the_others() -> None:
    wrong = replace(LIKES, at=np.array([0, 730 * 86400, 4_102_444_800]))
    assert without_future(wrong, 1_700_000_000).at.tolist() == [0, 730 * 86400, 730 * 86400]
    assert without_future(LIKES, 1_700_000_000) is LIKES


def test_a_generation_of_format_1_serves_by_its_own_equations() -> None:
    """The first edition wrote "film", had no recency, and mixed recent with all-time popularity at weight 1."""
    f = random_factors()
    with np.load(io.BytesIO(f.to_bytes())) as archive:
        arrays = {name.replace("movie", "film"): archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes())
    header["format"], model = 1, header["model"]
    for name in ("recency_exponent", "popularity_weight", "plain_exponent"):
        del model[name]
    model |= {"recent_share": 0.25, "plain_weight": 0.5}
    out = io.BytesIO()
    np.savez(out, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    old = Factors.from_bytes(out.getvalue())
    assert np.array_equal(old.movies, f.movies)
    assert (old.model.plain_weight, old.model.recency_exponent, old.model.popularity_weight) == (0.5, 0.0, 1.0)
    assert old.model.plain_exponent == 1.0
    assert Factors.from_bytes(old.to_bytes()).model == old.model


@pytest.mark.parametrize(("number", "lacking"), [(2, {"features", "B", "content", "R"}), (3, {"R"})])
def test_a_generation_of_an_earlier_format_serves_without_what_it_lacks(number: int, lacking: set[str]) -> None:
    f = random_factors()
    with np.load(io.BytesIO(f.to_bytes())) as archive:
        arrays = {name: archive[name] for name in archive.files if name not in lacking}
    header = json.loads(arrays.pop("header").tobytes()) | {"format": number}
    out = io.BytesIO()
    np.savez(out, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    old = Factors.from_bytes(out.getvalue())
    assert (old.has_content, old.model) == (False, f.model)
    assert old.V_ranked is old.V


def test_factors_of_a_later_format_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ranking.factors.FORMAT", 5)
    later = random_factors().to_bytes()
    monkeypatch.undo()
    with pytest.raises(FactorsError, match="format 5; this version reads up to 4"):
        Factors.from_bytes(later)


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
    f = random_factors()
    again = Factors.from_bytes(f.to_bytes())
    assert np.array_equal(again.V, f.V)
    assert np.array_equal(again.w, f.w)
    assert (again.mu, again.model, again.facts) == (f.mu, f.model, f.facts)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04]."], ids=["nothing", "half a zip", "a pickle"])
def test_bytes_that_are_not_factors_are_refused(data: bytes) -> None:
    with pytest.raises(FactorsError):
        Factors.from_bytes(data)


def test_factors_that_were_cut_short_are_refused() -> None:
    whole = random_factors().to_bytes()
    with pytest.raises(FactorsError):
        Factors.from_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("name", ["V", "m", "C", "Q", "C_r", "movie_bias", "rating_mean", "popular", "w"])
def test_a_number_that_is_not_finite_is_refused_by_name(name: str) -> None:
    f = random_factors()
    broken = getattr(f, name).copy()
    broken.flat[0] = np.nan
    with pytest.raises(FactorsError, match=f"^{name} "):
        replace(f, **{name: broken}).check()


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    f = random_factors()
    with pytest.raises(FactorsError, match="movie_bias"):
        replace(f, movie_bias=f.movie_bias[1:]).check()
    with pytest.raises(FactorsError, match="ascending"):
        replace(f, movies=f.movies[::-1]).check()
    with pytest.raises(FactorsError, match="cut short"):
        replace(f, w=f.w[1:]).check()


def test_settings_travel_with_the_factors() -> None:
    model = ModelSettings(ranker_rank=K, noise=0.3)
    assert Factors.from_bytes(random_factors(model=model).to_bytes()).model == model
