"""Train simple recommenders in numpy and scipy, for comparison.

Most keep a movie-by-movie matrix in memory, which is acceptable for ten thousand movies.
"""

import numpy as np
from compare_interface import FOLDED_IN, LIST_LENGTH, TRAINED, Rows, Scores, Split, Trained, recommend_by_scores
from scipy import sparse

from ranking.ratings import Floats

NEIGHBOURS, SHRINKAGE = 100, 20.0


def popularity(split: Split, seed: int) -> Trained:
    """Rank by the number of ratings, equally for all users."""
    count = np.bincount(split.movie, minlength=len(split.movies)).astype(np.float32)
    return _by_scores(split, lambda row: count, TRAINED)


def item_knn(split: Split, seed: int) -> Trained:
    """Sum the shrunk cosine of the likes of two movies over the user's likes; each movie keeps its 100 nearest."""
    split.refuse_many_movies()
    L, liked = drop_empty_columns(split.likes)
    together = (L.T @ L).toarray()
    count = np.diag(together).copy()
    similar = together / (np.sqrt(np.outer(count, count)) + SHRINKAGE)
    np.fill_diagonal(similar, 0)
    least = np.partition(similar, -NEIGHBOURS, axis=0)[-NEIGHBOURS]
    similar[similar < least] = 0
    return _by_scores(split, lambda row: _placed(L[row] @ similar, liked, len(split.movies)), FOLDED_IN)


def ease_on_likes(split: Split, seed: int) -> Trained:
    """Train EASE on 1 for a like (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019)."""
    return _ease(split, split.likes, 200.0)


def ease_on_ratings(split: Split, seed: int) -> Trained:
    """Train EASE on r - 2.5, which includes dislikes."""
    all_ratings = np.ones(len(split.train), bool)
    return _ease(split, split.matrix(split.train.rating - np.float32(2.5), all_ratings), 400.0)


def _ease(split: Split, X: sparse.csr_matrix, reg: float) -> Trained:
    split.refuse_many_movies()
    X, kept = drop_empty_columns(X)
    G = (X.T @ X).toarray()
    G[np.diag_indices(len(kept))] += reg
    P = np.linalg.inv(G)
    # B = I - P diag(1 / diag(P))
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0)
    return _by_scores(split, lambda row: _placed(X[row] @ B, kept, len(split.movies)), FOLDED_IN)


def drop_empty_columns(X: sparse.csr_matrix) -> tuple[sparse.csr_matrix, Rows]:
    """Return X without its empty columns, and the indices of the columns that remain."""
    used = np.flatnonzero(X.getnnz(axis=0))
    return X[:, used], used


def _by_scores(split: Split, scores: Scores, way: str) -> Trained:
    recommend = recommend_by_scores(split, scores)
    return Trained(recommend, {way: lambda row: recommend(row, LIST_LENGTH)})


def _placed(score: Floats, used: Rows, movies: int) -> Floats:
    placed = np.full(movies, -np.inf, np.float32)
    placed[used] = np.ravel(score)
    return placed
