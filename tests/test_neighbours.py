"""The neighbour weights against a slow twin that holds every matrix whole."""

from dataclasses import replace

import numpy as np
import pytest

from scoring import neighbours
from scoring.neighbours import by_source, fit_neighbours
from scoring.ratings import Ratings
from settings import ModelSettings

USERS, FILMS = 80, 40
MODEL = ModelSettings(neighbours=7, neighbour_reg=15.0)


def sparse_ratings(seed: int = 0) -> Ratings:
    """A third of all pairs rated; the last five films by few, and nobody likes film 3."""
    rng = np.random.default_rng(seed)
    user, film = np.nonzero(rng.random((USERS, FILMS)) < np.where(np.arange(FILMS) < FILMS - 5, 0.35, 0.03))
    rating = rng.integers(1, 11, len(user)) / 2
    rating[film == 3] = 2.0
    return Ratings(user.astype(np.int32), film.astype(np.int32), rating.astype(np.float32), np.zeros(len(user), int))


def slow_weights(ratings: Ratings, model: ModelSettings) -> np.ndarray:
    """W [film of the history, film foretold] by loops over dense matrices."""
    X, L = np.zeros((USERS, FILMS)), np.zeros((USERS, FILMS))
    X[ratings.user, ratings.film] = ratings.rating - 2.5
    L[ratings.user, ratings.film] = ratings.rating >= model.like_threshold
    rated = np.bincount(ratings.film, minlength=FILMS) >= 5
    W = np.zeros((FILMS, FILMS))
    for j in np.flatnonzero(rated):
        near = {}
        for c in np.flatnonzero(rated):
            together = L[:, c] @ L[:, j]
            if c != j and together > 0:
                near[c] = together / (np.sqrt(L[:, c].sum() * L[:, j].sum()) + 20)
        best = sorted(near, key=lambda c: (-near[c].astype(np.float32), c))[: model.neighbours]
        if best:
            X_c = X[:, best]
            W[best, j] = np.linalg.inv(X_c.T @ X_c + model.neighbour_reg * np.eye(len(best))) @ X_c.T @ X[:, j]
    return W


def ignore(done: float) -> None:
    pass


def fitted(ratings: Ratings, model: ModelSettings) -> np.ndarray:
    weights = fit_neighbours(ratings, ratings.film.astype(np.intp), FILMS, model, ignore)
    W = np.zeros((FILMS, FILMS))
    W[weights.source, weights.target] = weights.value
    return W


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("neighbours", [7, 100])
def test_the_weights_are_those_of_the_slow_twin(seed: int, neighbours: int) -> None:
    ratings, model = sparse_ratings(seed), replace(MODEL, neighbours=neighbours)
    assert np.allclose(fitted(ratings, model), slow_weights(ratings, model), atol=1e-5)


def test_of_too_many_films_the_most_rated_are_fitted_as_if_there_were_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ratings = sparse_ratings()
    most = np.argsort(-np.bincount(ratings.film, minlength=FILMS), kind="stable")[:20]
    monkeypatch.setattr(neighbours, "MOST_FILMS", 20)
    found = fitted(ratings, MODEL)
    assert found.any()
    assert np.allclose(found, slow_weights(ratings.take(np.isin(ratings.film, most)), MODEL), atol=1e-5)


def test_progress_grows_and_ends_near_the_end() -> None:
    ratings, heard = sparse_ratings(), []
    fit_neighbours(ratings, ratings.film.astype(np.intp), FILMS, MODEL, heard.append)
    assert heard == sorted(heard)
    assert 0.9 <= heard[-1] <= 1


def test_without_neighbours_to_find_there_are_no_weights() -> None:
    ratings = sparse_ratings()
    assert not fitted(ratings, replace(MODEL, neighbours=0)).any()
    assert not fitted(ratings.take(np.flatnonzero(ratings.film == 0)), MODEL).any()


def test_no_film_is_its_own_neighbour_and_rarely_rated_films_have_none() -> None:
    ratings = sparse_ratings()
    W = fitted(ratings, MODEL)
    rare = np.bincount(ratings.film, minlength=FILMS) < 5
    assert rare.any()
    assert (np.diag(W) == 0).all()
    assert ((W != 0).sum(axis=0) <= MODEL.neighbours).all()
    assert (W[:, rare] == 0).all()
    assert (W[:, 3] == 0).all()


def test_a_stronger_ridge_makes_smaller_weights() -> None:
    ratings = sparse_ratings()
    strong = fitted(ratings, replace(MODEL, neighbour_reg=1000.0))
    assert np.abs(strong).sum() < 0.2 * np.abs(fitted(ratings, MODEL)).sum()


def test_weights_stored_by_film_of_the_history_are_the_same_matrix() -> None:
    ratings = sparse_ratings()
    weights = fit_neighbours(ratings, ratings.film.astype(np.intp), FILMS, MODEL, ignore)
    start, film, value = by_source(weights, FILMS)
    W = np.zeros((FILMS, FILMS))
    for source in range(FILMS):
        cut = slice(start[source], start[source + 1])
        W[source, film[cut]] = value[cut]
    assert np.allclose(W, slow_weights(ratings, MODEL), atol=1e-5)
