"""What Matinee is compared with when it predicts ratings: three biases, and the model it replaced."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ranking.biases import damped_biases
from ranking.ratings import HIGHEST, LOWEST, Floats, Ratings

RANK, REG, ITERATIONS = 8, 0.1, 10


def bias_predictions(train: Ratings, test: Ratings) -> Floats:
    """mu + b_u + b_i for each rating of `test`, clipped; a user or movie that `train` lacks has the bias 0."""
    users, movies = _numbered(train.user, test.user), _numbered(train.movie, test.movie)
    mu, b_u, b_i = damped_biases(users[0], movies[0], train.rating, users[2], movies[2])
    return np.clip(mu + b_u[users[1]] + b_i[movies[1]], LOWEST, HIGHEST).astype(np.float32)


def als_predictions(train: Ratings, test: Ratings, seed: int) -> Floats:
    """What an explicit ALS of rank 8 with lambda .1, as Spark computes it, predicts for each rating of `test`.

    A user or movie that `train` lacks is predicted 0; Spark says nan.
    """
    users, movies = _numbered(train.user, test.user), _numbered(train.movie, test.movie)
    P, Q = explicit_als(users[0], movies[0], train.rating, (users[2], movies[2]), seed)
    predicted: Floats = np.einsum("nk,nk->n", P[users[1]], Q[movies[1]])
    return predicted


def explicit_als(
    user: npt.NDArray[np.intp], movie: npt.NDArray[np.intp], rating: Floats, shape: tuple[int, int], seed: int
) -> tuple[Floats, Floats]:
    """Factors of users [u, 8] and movies [f, 8] with P Q' near the ratings, by alternating least squares.

    Zhou et al., "Large-scale Parallel Collaborative Filtering for the Netflix Prize" (2008): lambda is multiplied by
    the number of ratings, which is what Spark does.
    """
    R = sparse.csr_matrix((rating, (user, movie)), shape)
    start = np.random.default_rng(seed).normal(size=(shape[0], RANK))
    P = start / np.linalg.norm(start, axis=1, keepdims=True)
    for _ in range(ITERATIONS):
        Q = half_step(R.T.tocsr(), P)
        P = half_step(R, Q)
    return P.astype(np.float32), Q.astype(np.float32)


def half_step(R: sparse.csr_matrix, Q: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The best vector for each row of R [u, f], given those of its columns [f, k]; zeros for an empty row."""
    k = Q.shape[1]
    pattern = sparse.csr_matrix((np.ones(len(R.data)), R.indices, R.indptr), R.shape)
    count = np.diff(R.indptr)
    # p = (Q_s'Q_s + lambda n I)^-1 Q_s' r
    A = (pattern @ np.einsum("fi,fj->fij", Q, Q).reshape(-1, k * k)).reshape(-1, k, k)
    A += (REG * np.maximum(count, 1))[:, None, None] * np.eye(k)
    solved: npt.NDArray[np.float64] = np.linalg.solve(A, (R @ Q)[:, :, None])[:, :, 0]
    return solved


def _numbered(
    train: npt.NDArray[np.int32], test: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], int]:
    """Ids of both as numbers from 0, and how many there are."""
    ids, number = np.unique(np.concatenate([train, test]), return_inverse=True)
    return number[: len(train)], number[len(train) :], len(ids)
