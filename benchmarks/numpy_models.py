"""Recommenders of a few lines of numpy and scipy that Matinee is compared with.

Most hold a whole matrix of movies by movies in memory, which is fine for a benchmark of ten thousand movies.
"""

import numpy as np
from compare_interface import KNOWN, LIST_LENGTH, TOLD, Rows, Scores, Split, Trained, best_by
from scipy import sparse

from ranking.ratings import Floats

NEIGHBOURS, SHRINKAGE = 100, 20.0


def popularity(split: Split, seed: int) -> Trained:
    """The number of ratings, the same for everybody."""
    count = np.bincount(split.movie, minlength=len(split.movies)).astype(np.float32)
    return _by_scores(split, lambda row: count, KNOWN)


def item_knn(split: Split, seed: int) -> Trained:
    """Shrunk cosine between the likes of movies, summed over the user's likes; the 100 nearest of each movie."""
    split.refuse_many_movies()
    L, liked = only_used(split.likes)
    together = (L.T @ L).toarray()
    count = np.diag(together).copy()
    similar = together / (np.sqrt(np.outer(count, count)) + SHRINKAGE)
    np.fill_diagonal(similar, 0)
    least = np.partition(similar, -NEIGHBOURS, axis=0)[-NEIGHBOURS]
    similar[similar < least] = 0
    return _by_scores(split, lambda row: _placed(L[row] @ similar, liked, len(split.movies)), TOLD)


def ease_on_likes(split: Split, seed: int) -> Trained:
    """EASE on 1 for a like (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019)."""
    return _ease(split, split.likes, 200.0)


def ease_on_ratings(split: Split, seed: int) -> Trained:
    """EASE on r - 2.5, which tells it what was disliked."""
    every = np.ones(len(split.train), bool)
    return _ease(split, split.matrix(split.train.rating - np.float32(2.5), every), 400.0)


def _ease(split: Split, X: sparse.csr_matrix, reg: float) -> Trained:
    split.refuse_many_movies()
    X, kept = only_used(X)
    G = (X.T @ X).toarray()
    G[np.diag_indices(len(kept))] += reg
    P = np.linalg.inv(G)
    # B = I - P diag(1 / diag(P))
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0)
    return _by_scores(split, lambda row: _placed(X[row] @ B, kept, len(split.movies)), TOLD)


def only_used(X: sparse.csr_matrix) -> tuple[sparse.csr_matrix, Rows]:
    """X without the movies of which it says nothing, and which movies those are that remain."""
    used = np.flatnonzero(X.getnnz(axis=0))
    return X[:, used], used


def _by_scores(split: Split, scores: Scores, way: str) -> Trained:
    listed = best_by(split, scores)
    return Trained(listed, {way: lambda row: listed(row, LIST_LENGTH)})


def _placed(score: Floats, used: Rows, movies: int) -> Floats:
    placed = np.full(movies, -np.inf, np.float32)
    placed[used] = np.ravel(score)
    return placed
