"""The neighbour weights against a slow twin that holds every matrix whole."""

from dataclasses import replace

import numpy as np
import pytest

from ranking import neighbours
from ranking.neighbours import fit_neighbours
from ranking.ratings import Ratings
from settings import ModelSettings

USERS, MOVIES = 80, 40
MODEL = ModelSettings(neighbours=7, neighbour_reg=15.0)


def sparse_ratings(seed: int = 0, *, times: bool = True) -> Ratings:
    """A third of all pairs rated; the last five movies by few, and nobody likes movie 3."""
    rng = np.random.default_rng(seed)
    user, movie = np.nonzero(rng.random((USERS, MOVIES)) < np.where(np.arange(MOVIES) < MOVIES - 5, 0.35, 0.03))
    rating = rng.integers(1, 11, len(user)) / 2
    rating[movie == 3] = 2.0
    at = rng.integers(0, 10**6, len(user)) if times else np.zeros(len(user), int)
    return Ratings(user.astype(np.int32), movie.astype(np.int32), rating.astype(np.float32), at)


def slow_weights(ratings: Ratings, model: ModelSettings) -> np.ndarray:
    """W [movie of the history, movie predicted] by loops over dense matrices."""
    X, L = np.zeros((USERS, MOVIES)), np.zeros((USERS, MOVIES))
    X[ratings.user, ratings.movie] = ratings.rating - 2.5
    reg = model.neighbour_reg
    if ratings.at.any():
        X, reg = np.vstack([X, *windows(ratings)]), 2 * reg
    L[ratings.user, ratings.movie] = ratings.rating >= model.like_threshold
    rated = np.bincount(ratings.movie, minlength=MOVIES) >= 5
    W = np.zeros((MOVIES, MOVIES))
    for j in np.flatnonzero(rated):
        near = {}
        for c in np.flatnonzero(rated):
            together = L[:, c] @ L[:, j]
            if c != j and together > 0:
                near[c] = together / (np.sqrt(L[:, c].sum() * L[:, j].sum()) + 20)
        best = sorted(near, key=lambda c: (-near[c].astype(np.float32), c))[: model.neighbours]
        if best:
            X_c = X[:, best]
            W[best, j] = np.linalg.inv(X_c.T @ X_c + reg * np.eye(len(best))) @ X_c.T @ X[:, j]
    return W


def windows(ratings: Ratings) -> list[np.ndarray]:
    """Each run of 50 of a user's ratings by time as one more row."""
    rows = []
    for user in np.unique(ratings.user):
        mine = np.flatnonzero(ratings.user == user)
        mine = mine[np.argsort(ratings.at[mine], kind="stable")]
        for first in range(0, len(mine), neighbours.WINDOW):
            row, run = np.zeros(MOVIES), mine[first : first + neighbours.WINDOW]
            row[ratings.movie[run]] = ratings.rating[run] - 2.5
            rows.append(row)
    return rows


def ignore(done: float) -> None:
    pass


def fitted(ratings: Ratings, model: ModelSettings) -> np.ndarray:
    return fit_neighbours(ratings, ratings.movie.astype(np.intp), MOVIES, model, ignore).toarray()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("neighbours", [7, 100])
@pytest.mark.parametrize("times", [True, False], ids=["with times", "without"])
def test_the_weights_are_those_of_the_slow_twin(
    seed: int, neighbours: int, times: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ranking.neighbours.WINDOW", 5)
    ratings, model = sparse_ratings(seed, times=times), replace(MODEL, neighbours=neighbours)
    assert np.allclose(fitted(ratings, model), slow_weights(ratings, model), atol=1e-5)


def test_of_too_many_movies_the_most_rated_are_fitted_as_if_there_were_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ratings = sparse_ratings()
    most = np.argsort(-np.bincount(ratings.movie, minlength=MOVIES), kind="stable")[:20]
    monkeypatch.setattr(neighbours, "MOST_MOVIES", 20)
    found = fitted(ratings, MODEL)
    assert found.any()
    assert np.allclose(found, slow_weights(ratings.take(np.isin(ratings.movie, most)), MODEL), atol=1e-5)


def test_progress_grows_and_ends_near_the_end() -> None:
    ratings, heard = sparse_ratings(), []
    fit_neighbours(ratings, ratings.movie.astype(np.intp), MOVIES, MODEL, heard.append)
    assert heard == sorted(heard)
    assert 0.9 <= heard[-1] <= 1


def test_without_neighbours_to_find_there_are_no_weights() -> None:
    ratings = sparse_ratings()
    assert not fitted(ratings, replace(MODEL, neighbours=0)).any()
    assert not fitted(ratings.take(np.flatnonzero(ratings.movie == 0)), MODEL).any()


def test_no_movie_is_its_own_neighbour_and_rarely_rated_movies_have_none() -> None:
    ratings = sparse_ratings()
    W = fitted(ratings, MODEL)
    rare = np.bincount(ratings.movie, minlength=MOVIES) < 5
    assert rare.any()
    assert (np.diag(W) == 0).all()
    assert ((W != 0).sum(axis=0) <= MODEL.neighbours).all()
    assert (W[:, rare] == 0).all()
    assert (W[:, 3] == 0).all()


def test_a_stronger_ridge_makes_smaller_weights() -> None:
    ratings = sparse_ratings()
    strong = fitted(ratings, replace(MODEL, neighbour_reg=1000.0))
    assert np.abs(strong).sum() < 0.2 * np.abs(fitted(ratings, MODEL)).sum()
