"""The recommenders that Matinee is compared with: ratings in, a score for every film and user out.

Each is a function (train) -> score of one user's row, on matrices of users by films; they hold whole matrices in
memory, which is fine for a benchmark of ten thousand films.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from scoring.baselines import explicit_als
from scoring.ratings import Ratings

Scores = Callable[[int], npt.NDArray[np.float32]]
"""The scores of all films for the user in this row."""

LIKE = 3.5
NEIGHBOURS, SHRINKAGE = 100, 20.0


def seed_model(train: Ratings, user: npt.NDArray[np.intp], film: npt.NDArray[np.intp], films: int, seed: int) -> Scores:
    """Explicit ALS of rank 8 with lambda .1, ranked by the predicted rating: what Matinee replaced."""
    P, Q = explicit_als(user, film, train.rating, (user.max() + 1, films), seed)
    unrated = np.bincount(film, minlength=films) == 0
    return lambda row: np.where(unrated, -np.inf, Q @ P[row]).astype(np.float32)


def popularity(train: Ratings, user: npt.NDArray[np.intp], film: npt.NDArray[np.intp], films: int, seed: int) -> Scores:
    """The number of ratings, the same for everybody."""
    count = np.bincount(film, minlength=films).astype(np.float32)
    return lambda row: count


def item_knn(train: Ratings, user: npt.NDArray[np.intp], film: npt.NDArray[np.intp], films: int, seed: int) -> Scores:
    """Shrunk cosine between the likes of films, summed over the user's likes; the 100 nearest of each film."""
    L, liked = only_used(likes(train, user, film, films))
    together = (L.T @ L).toarray()
    count = np.diag(together).copy()
    similar = together / (np.sqrt(np.outer(count, count)) + SHRINKAGE)
    np.fill_diagonal(similar, 0)
    least = np.partition(similar, -NEIGHBOURS, axis=0)[-NEIGHBOURS]
    similar[similar < least] = 0
    return lambda row: _placed(L[row] @ similar, liked, films)


def ease_on_likes(
    train: Ratings, user: npt.NDArray[np.intp], film: npt.NDArray[np.intp], films: int, seed: int
) -> Scores:
    """EASE on 1 for a like (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019)."""
    return _ease(likes(train, user, film, films), 200.0)


def ease_on_ratings(
    train: Ratings, user: npt.NDArray[np.intp], film: npt.NDArray[np.intp], films: int, seed: int
) -> Scores:
    """EASE on r - 2.5, which tells it what was disliked."""
    return _ease(sparse.csr_matrix((train.rating - np.float32(2.5), (user, film)), (user.max() + 1, films)), 400.0)


def _ease(X: sparse.csr_matrix, reg: float) -> Scores:
    films = X.shape[1]
    X, kept = only_used(X)
    G = (X.T @ X).toarray()
    G[np.diag_indices(len(kept))] += reg
    P = np.linalg.inv(G)
    # B = I - P diag(1 / diag(P))
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0)
    return lambda row: _placed(X[row] @ B, kept, films)


def implicit_als(
    train: Ratings, user: npt.NDArray[np.intp], film: npt.NDArray[np.intp], films: int, seed: int
) -> Scores:
    """The ALS of the library `implicit` on likes, with its own default settings. ImportError if it is missing."""
    from implicit.als import AlternatingLeastSquares  # type: ignore[import-not-found]  # optional: see requirements.txt

    model = AlternatingLeastSquares(random_state=seed, num_threads=1)
    model.fit(likes(train, user, film, films), show_progress=False)
    return lambda row: np.asarray(model.item_factors @ model.user_factors[row], np.float32)


def likes(train: Ratings, user: npt.NDArray[np.intp], film: npt.NDArray[np.intp], films: int) -> sparse.csr_matrix:
    """1 where a user likes a film, users by films."""
    liked = train.rating >= LIKE
    ones = np.ones(liked.sum(), np.float32)
    return sparse.csr_matrix((ones, (user[liked], film[liked])), (user.max() + 1, films))


def only_used(X: sparse.csr_matrix) -> tuple[sparse.csr_matrix, npt.NDArray[np.intp]]:
    """X without the films of which it says nothing, and which films those are that remain."""
    used = np.flatnonzero(X.getnnz(axis=0))
    return X[:, used], used


def _placed(score: npt.NDArray[np.floating], liked: npt.NDArray[np.intp], films: int) -> npt.NDArray[np.float32]:
    placed = np.full(films, -np.inf, np.float32)
    placed[liked] = np.ravel(score)
    return placed


SEEDLESS = {"popularity", "item-kNN", "EASE on likes", "EASE on ratings"}  # the same whatever the seed
ALL = {
    "ALS r8 λ.1 by predicted rating (the seed)": seed_model,
    "popularity": popularity,
    "item-kNN": item_knn,
    "EASE on likes": ease_on_likes,
    "EASE on ratings": ease_on_ratings,
    "implicit's ALS, its defaults": implicit_als,
}
