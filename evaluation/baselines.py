"""Baseline models for the comparison with Matinee."""

from collections.abc import Sequence

import numpy as np
from scipy import linalg, sparse

from ranking.biases import damped_biases
from ranking.ratings import HIGHEST, LOWEST, PADDING, Floats, Ints, Ratings
from ranking.top_n import top_n

MOST_MOVIES = 12_000  # EASE inverts a matrix [movies, movies]


def bias_predictions(train: Ratings, test: Ratings) -> Floats:
    """Return mu + b_u + b_i for each rating of `test`, clipped; the bias of a user or movie not in `train` is 0."""
    users, user = np.unique(np.concatenate([train.user, test.user]), return_inverse=True)
    movies, movie = np.unique(np.concatenate([train.movie, test.movie]), return_inverse=True)
    n = len(train)
    mu, b_u, b_i = damped_biases(user[:n], movie[:n], train.rating, len(users), len(movies))
    return np.clip(mu + b_u[user[n:]] + b_i[movie[n:]], LOWEST, HIGHEST).astype(np.float32)


def ease_lists(train: Ratings, given: Sequence[Ratings], n: int, neutral: float, reg: float) -> Ints | None:
    """Return the n best movies by EASE for users with these histories, int32 [len(given), n]; None if too many movies.

    Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019), on X = r - neutral.
    """
    movies = np.unique(train.movie)
    if len(movies) > MOST_MOVIES:
        return None
    X = _rows(np.unique(train.user, return_inverse=True)[1], train, movies, neutral)
    G = (X.T @ X).toarray().astype(np.float32)
    G[np.diag_indices(len(movies))] += reg
    # B = I - P diag(1 / diag(P)) with P = (X'X + reg I)^-1
    P = linalg.inv(G, overwrite_a=True, assume_a="pos")  # by Cholesky, at half the cost of a general inverse
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0)
    lists, every = np.full((len(given), n), PADDING, np.int32), np.ones(len(movies), bool)
    for at, history in enumerate(given):
        x = _rows(np.zeros(len(history), int), history, movies, neutral)
        best = top_n((x @ B)[0], n, x.indices, every)
        lists[at, : len(best)] = movies[best]
    return lists


def _rows(row: np.ndarray, ratings: Ratings, movies: Ints, neutral: float) -> sparse.csr_matrix:
    """Return r - neutral as a matrix [users, movies]."""
    value = ratings.rating - np.float32(neutral)
    return sparse.csr_matrix((value, (row, np.searchsorted(movies, ratings.movie))), (int(row.max()) + 1, len(movies)))
