"""Fit the neighbour weights: a sparse ridge regression of each movie's ratings on those of its nearest neighbours.

SLIM (Ning, Karypis, 2011) in the closed form of EASE (Steck, 2019), restricted to a hundred candidates for each movie,
so that its cost grows with the number of movies and not with its square. X has a row for each user and another for each
50 consecutive ratings of a user, because movies rated at the same time predict each other better than movies rated
years apart.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ranking.biases import numbered
from ranking.gram_matrix import gram_matrix
from ranking.ratings import Floats, Ints, Ratings
from ranking.score import NEUTRAL_RATING
from settings import ModelSettings

FEWEST_RATINGS = 5
MOST_MOVIES = 16_000  # only the most rated movies are fitted; the Gram matrix of 16,000 takes 1 GB
SHRINKAGE = 20.0
BLOCK = 32  # movies solved in one call, which holds the GIL for about 10 ms
WINDOW = 50  # consecutive ratings of a user in a window

LAST = np.int64(2**31 - 1)

Places = npt.NDArray[np.int64]
ProgressCallback = Callable[[float], None]


def fit_neighbours(
    ratings: Ratings, rows: npt.NDArray[np.intp], movies: int, model: ModelSettings, report: ProgressCallback
) -> sparse.csr_matrix:
    """Return W float32 [movies, movies]: in row i, column j the weight of a user's rating of i in the score of j.

    Columns of movies with few ratings are empty. `rows` [len(ratings)] has the movie of each rating; `report` takes the
    completed share, 0 to 1.
    """
    head = _head(rows, movies)
    if model.neighbours == 0 or len(head) < 2:
        return sparse.csr_matrix((movies, movies), dtype=np.float32)
    place = np.full(movies, -1, np.int32)
    place[head] = np.arange(len(head), dtype=np.int32)
    user, _ = numbered(ratings.user)
    X = _matrix(ratings, user, place[rows])
    near = _candidates(gram_matrix(_likes(X, model), lambda done: report(0.4 * done)), head, model.neighbours)
    windows = bool(ratings.at.min() < ratings.at.max())  # only ratings with times have windows
    if windows:
        X = sparse.vstack([X, _matrix(ratings, _windows(user, ratings.at), place[rows])], "csr")
    G = gram_matrix(X, lambda done: report(0.4 + 0.5 * done))
    reg = model.neighbour_reg * (1 + windows)  # doubled with windows, because every rating is then in X twice
    values = np.empty(near.shape, np.float32)
    for a in range(0, len(head), BLOCK):
        values[a : a + BLOCK] = _solved(G, np.arange(a, min(a + BLOCK, len(head))), near[a : a + BLOCK], reg)
        report(0.9 + 0.1 * a / len(head))
    target, at = np.nonzero(near >= 0)
    return sparse.csr_matrix((values[target, at], (head[near[target, at]], head[target])), (movies, movies))


def _head(rows: npt.NDArray[np.intp], movies: int) -> npt.NDArray[np.int32]:
    """Return the rows of the movies with enough ratings to be fitted, the most rated first."""
    count = np.bincount(rows, minlength=movies)
    most = np.argsort(-count, kind="stable")[:MOST_MOVIES]
    return most[count[most] >= FEWEST_RATINGS].astype(np.int32)


def _matrix(ratings: Ratings, row: Ints, place: npt.NDArray[np.int32]) -> sparse.csr_matrix:
    """Return the ratings of the head minus the neutral rating; a neutral rating is an explicit 0.

    `row` and `place` [len(ratings)] are the row and column of each rating; `place` is -1 outside the head.
    """
    kept = place >= 0
    value = ratings.rating[kept] - np.float32(NEUTRAL_RATING)
    shape = (int(row.max()) + 1, int(place.max()) + 1)
    return sparse.csr_matrix((value, (row[kept], place[kept])), shape)


def _windows(user: Ints, at: npt.NDArray[np.int64]) -> Ints:
    """Return the number of each rating's window: a user's first 50 ratings by time, the next 50, and so on."""
    key = user.astype(np.int64)  # one key for user and time sorts in half the time of a lexsort
    key <<= 32
    key += at
    key -= at.min()
    order = np.argsort(key, kind="stable")
    del key  # it takes 256 MB for 32 million ratings
    first = np.flatnonzero(np.diff(user[order], prepend=-1))
    position = np.arange(len(order), dtype=np.int32)
    position -= np.repeat(first.astype(np.int32), np.diff(first, append=len(order)))
    window = np.empty(len(order), np.int32)
    window[order] = np.cumsum(position % WINDOW == 0, dtype=np.int32) - np.int32(1)
    return window


def _likes(X: sparse.csr_matrix, model: ModelSettings) -> sparse.csr_matrix:
    """Return a matrix with 1 for each like."""
    liked = (X.data >= model.like_threshold - NEUTRAL_RATING).astype(np.float32)
    L = sparse.csr_matrix((liked, X.indices.copy(), X.indptr.copy()), X.shape)
    L.eliminate_zeros()
    return L


def _candidates(co_likes: Floats, head: npt.NDArray[np.int32], most: int) -> Places:
    """Return the indexes [f, most] into the head of the nearest movies to each movie; -1 if there are fewer."""
    likes = co_likes.diagonal().copy()
    most = min(most, len(likes) - 1)
    nearest = np.empty((len(likes), most), np.int64)
    for a in range(0, len(likes), BLOCK):
        block = np.arange(a, min(a + BLOCK, len(likes)))
        # co(c, j) / (sqrt(l_c l_j) + 20)
        near = co_likes[block] / (np.sqrt(likes * likes[block, None]) + np.float32(SHRINKAGE))
        near[np.arange(len(block)), block] = 0
        # positive floats sort like their bits; ties go to the movie that comes first in the catalogue
        key = near.view(np.int32).astype(np.int64) << 32 | (LAST - head)
        best = np.argpartition(key, -most, axis=1)[:, -most:]
        best[np.take_along_axis(near, best, axis=1) == 0] = -1
        nearest[block] = best
    return nearest


def _solved(G: Floats, movies: Places, near: Places, reg: float) -> Floats:
    """Return the weights [b, most] of the `near` movies for these movies; 0 in empty places."""
    filled = near >= 0
    # (X_c'X_c + reg I) w = X_c'x_j
    products = G[near[:, :, None], near[:, None, :]]
    products *= filled[:, :, None] & filled[:, None, :]
    products += np.float32(reg) * np.eye(near.shape[1], dtype=np.float32)
    right = np.where(filled, G[near, movies[:, None]], np.float32(0))
    return np.linalg.solve(products, right[:, :, None])[:, :, 0]
