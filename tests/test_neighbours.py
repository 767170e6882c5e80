"""The neighbour weights against a slow twin that holds every matrix whole."""

from dataclasses import replace

import numpy as np
import pytest

from scoring import neighbours
from scoring.neighbours import NeighbourFit, by_source
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


def fitted(ratings: Ratings, model: ModelSettings, parts: int = 1) -> np.ndarray:
    fit = NeighbourFit(ratings, ratings.film.astype(np.intp), FILMS, model)
    W = np.zeros((FILMS, FILMS))
    for part in np.array_split(fit.targets, parts):
        weights = fit.fit(part)
        W[weights.source, weights.target] = weights.value
    return W


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("all_products_at_once", [True, False])
def test_the_weights_are_those_of_the_slow_twin(
    seed: int, all_products_at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not all_products_at_once:
        monkeypatch.setattr(neighbours, "DENSE_FILMS", 0)
    ratings = sparse_ratings(seed)
    assert np.allclose(fitted(ratings, MODEL), slow_weights(ratings, MODEL), atol=1e-5)


def test_it_does_not_matter_how_the_films_are_shared_out() -> None:
    ratings = sparse_ratings()
    assert np.allclose(fitted(ratings, MODEL), fitted(ratings, MODEL, parts=6), atol=1e-7)


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
    fit = NeighbourFit(ratings, ratings.film.astype(np.intp), FILMS, MODEL)
    start, film, value = by_source(fit.fit(fit.targets), FILMS)
    W = np.zeros((FILMS, FILMS))
    for source in range(FILMS):
        cut = slice(start[source], start[source + 1])
        W[source, film[cut]] = value[cut]
    assert np.allclose(W, slow_weights(ratings, MODEL), atol=1e-5)
