"""The products of all pairs of columns against a plain product of dense matrices."""

import numpy as np
import pytest
from scipy import sparse

from ranking import gram_matrix


def long_tailed(users: int = 300, movies: int = 70) -> sparse.csr_matrix:
    """Half steps from -2 to 2.5; busy users and known movies have most of the entries, one user and one movie none."""
    rng = np.random.default_rng(3)
    chance = np.outer(1 / np.linspace(1, 12, users), 1 / np.linspace(1, 30, movies))
    chance[5], chance[:, -1] = 0, 0
    there = rng.random((users, movies)) < chance
    return sparse.csr_matrix(np.where(there, rng.integers(-4, 6, there.shape) / 2, 0).astype(np.float32))


@pytest.mark.parametrize("share", [0.0, 0.1, 1.1], ids=["all dense", "some dense", "none dense"])
@pytest.mark.parametrize(("users", "tile"), [(16, 9), (128, 32), (1000, 1000)])
def test_the_products_are_exactly_those_of_dense_matrices(
    share: float, users: int, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gram_matrix, "DENSE_SHARE", share)
    monkeypatch.setattr(gram_matrix, "USERS", users)
    monkeypatch.setattr(gram_matrix, "TILE", tile)
    X, heard = long_tailed(), []
    whole = X.toarray().astype(float)
    assert np.array_equal(gram_matrix.gram_matrix(X, heard.append), whole.T @ whole)
    assert heard[-1] == 1


def test_columns_in_any_order_give_the_same_products() -> None:
    X = long_tailed()[:, np.random.default_rng(0).permutation(70)]
    whole = X.toarray().astype(float)
    assert np.array_equal(gram_matrix.gram_matrix(X, lambda done: None), whole.T @ whole)
