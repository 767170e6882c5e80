"""The neighbour weights: a sparse ridge regression of each movie's ratings on those of its nearest neighbours.

SLIM (Ning, Karypis, 2011) in the closed form of EASE (Steck, 2019), restricted to a hundred candidates a movie so
that its cost grows with the number of movies and not with its square. Each user counts as a whole and once more as runs
of 50 ratings by time: movies that are rated together say more about each other than movies rated years apart.
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
MOST_MOVIES = 16_000  # the most rated ones are fitted, no others: the Gram matrix of so many takes 1 GB
SHRINKAGE = 20.0
BLOCK = 32  # movies solved at a time, some 10 ms, during which numpy holds the GIL
WINDOW = 50  # ratings of a run

LAST = np.int64(2**31 - 1)

Places = npt.NDArray[np.int64]
ProgressCallback = Callable[[float], None]


def fit_neighbours(
    ratings: Ratings, rows: npt.NDArray[np.intp], movies: int, model: ModelSettings, report: ProgressCallback
) -> sparse.csr_matrix:
    """Return W float32 [movies, movies]: in row i, column j the weight of a user's rating of i in the score of j.

    Columns of movies with few ratings are empty. `rows` [len(ratings)] says which movie each rating is of; `report`
    gets the share done, 0 to 1.
    """
    head = _head(rows, movies)
    if model.neighbours == 0 or len(head) < 2:
        return sparse.csr_matrix((movies, movies), dtype=np.float32)
    place = np.full(movies, -1, np.int32)
    place[head] = np.arange(len(head), dtype=np.int32)
    user, _ = numbered(ratings.user)
    X = _matrix(ratings, user, place[rows])
    near = _candidates(gram_matrix(_likes(X, model), lambda done: report(0.4 * done)), head, model.neighbours)
    windows = bool(ratings.at.min() < ratings.at.max())  # in a log with times
    if windows:
        X = sparse.vstack([X, _matrix(ratings, _runs(user, ratings.at), place[rows])], "csr")
    G = gram_matrix(X, lambda done: report(0.4 + 0.5 * done))
    reg = model.neighbour_reg * (1 + windows)  # for each of the two that every rating counts in
    values = np.empty(near.shape, np.float32)
    for a in range(0, len(head), BLOCK):
        values[a : a + BLOCK] = _solved(G, np.arange(a, min(a + BLOCK, len(head))), near[a : a + BLOCK], reg)
        report(0.9 + 0.1 * a / len(head))
    target, at = np.nonzero(near >= 0)
    return sparse.csr_matrix((values[target, at], (head[near[target, at]], head[target])), (movies, movies))


def _head(rows: npt.NDArray[np.intp], movies: int) -> npt.NDArray[np.int32]:
    """Return the movies with enough ratings to be fitted, the most rated first."""
    count = np.bincount(rows, minlength=movies)
    most = np.argsort(-count, kind="stable")[:MOST_MOVIES]
    return most[count[most] >= FEWEST_RATINGS].astype(np.int32)


def _matrix(ratings: Ratings, row: Ints, place: npt.NDArray[np.int32]) -> sparse.csr_matrix:
    """Return the ratings of the head less the neutral rating; a neutral one is an entry that is 0.

    `row` and `place` [len(ratings)] say where each rating stands; `place` is -1 outside the head.
    """
    kept = place >= 0
    value = ratings.rating[kept] - np.float32(NEUTRAL_RATING)
    shape = (int(row.max()) + 1, int(place.max()) + 1)
    return sparse.csr_matrix((value, (row[kept], place[kept])), shape)


def _runs(user: Ints, at: npt.NDArray[np.int64]) -> Ints:
    """Return the number of the run that each rating is in: a user's first 50 by time, the next 50, and so on."""
    key = user.astype(np.int64)  # one sort by user and time, in half the time of a lexsort
    key <<= 32
    key += at
    key -= at.min()
    order = np.argsort(key, kind="stable")
    del key  # of 32 million ratings each such column takes 256 MB
    first = np.flatnonzero(np.diff(user[order], prepend=-1))
    position = np.arange(len(order), dtype=np.int32)
    position -= np.repeat(first.astype(np.int32), np.diff(first, append=len(order)))
    run = np.empty(len(order), np.int32)
    run[order] = np.cumsum(position % WINDOW == 0, dtype=np.int32) - np.int32(1)
    return run


def _likes(X: sparse.csr_matrix, model: ModelSettings) -> sparse.csr_matrix:
    """Return a matrix of 1 where a rating is a like."""
    liked = (X.data >= model.like_threshold - NEUTRAL_RATING).astype(np.float32)
    L = sparse.csr_matrix((liked, X.indices.copy(), X.indptr.copy()), X.shape)
    L.eliminate_zeros()
    return L


def _candidates(co_likes: Floats, head: npt.NDArray[np.int32], most: int) -> Places:
    """Return the places [f, most] in the head of the movies nearest to each; -1 where there are fewer."""
    likes = co_likes.diagonal().copy()
    most = min(most, len(likes) - 1)
    found = np.empty((len(likes), most), np.int64)
    for a in range(0, len(likes), BLOCK):
        block = np.arange(a, min(a + BLOCK, len(likes)))
        # co(c, j) / (sqrt(l_c l_j) + 20)
        near = co_likes[block] / (np.sqrt(likes * likes[block, None]) + np.float32(SHRINKAGE))
        near[np.arange(len(block)), block] = 0
        # Positive floats are ordered as their bits are: of the equally near the first in the catalogue is taken.
        key = near.view(np.int32).astype(np.int64) << 32 | (LAST - head)
        best = np.argpartition(key, -most, axis=1)[:, -most:]
        best[np.take_along_axis(near, best, axis=1) == 0] = -1
        found[block] = best
    return found


def _solved(G: Floats, movies: Places, near: Places, reg: float) -> Floats:
    """Return the weights [b, most] of these movies on those near to them; 0 where there is none."""
    there = near >= 0
    # (X_c'X_c + reg I) w = X_c'x_j
    products = G[near[:, :, None], near[:, None, :]]
    products *= there[:, :, None] & there[:, None, :]
    products += np.float32(reg) * np.eye(near.shape[1], dtype=np.float32)
    right = np.where(there, G[near, movies[:, None]], np.float32(0))
    return np.linalg.solve(products, right[:, :, None])[:, :, 0]
