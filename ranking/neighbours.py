"""Which movies foretell a movie: a sparse ridge regression of each movie on its nearest neighbours.

SLIM (Ning, Karypis, 2011) in the closed form of EASE (Steck, 2019), restricted to a hundred candidates a movie so
that its cost grows with the number of movies and not with its square.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ranking.gram_matrix import gram_matrix
from ranking.ratings import Floats, Ratings
from ranking.score import NEUTRAL_RATING
from settings import ModelSettings

FEWEST_RATINGS = 5
MOST_MOVIES = 16_000  # the most rated, beyond which nothing is fitted: the products of two fit in 1 GB
SHRINKAGE = 20.0
BLOCK = 32  # movies solved at a time, some 10 ms, for numpy holds the GIL meanwhile

Places = npt.NDArray[np.int64]
ProgressCallback = Callable[[float], None]


@dataclass(frozen=True)
class NeighbourWeights:
    """Entries of W as triples: movie `target` [n] is foretold by movie `source` [n] with `value` float32 [n]."""

    target: npt.NDArray[np.int32]
    source: npt.NDArray[np.int32]
    value: Floats


def fit_neighbours(
    ratings: Ratings, rows: npt.NDArray[np.intp], movies: int, model: ModelSettings, report: ProgressCallback
) -> NeighbourWeights:
    """The weights of every movie with ratings enough on its neighbours; `report` hears how much is done, 0 to 1.

    `rows` [len(ratings)] says which of the `movies` each rating is of.
    """
    head = _head(rows, movies)
    if model.neighbours == 0 or len(head) < 2:
        return NeighbourWeights(_NONE, _NONE, np.empty(0, np.float32))
    X = _matrix(ratings, rows, head, movies)
    near = _candidates(gram_matrix(_likes(X, model), lambda done: report(0.4 * done)), head, model.neighbours)
    G = gram_matrix(X, lambda done: report(0.4 + 0.5 * done))
    values = np.empty(near.shape, np.float32)
    for a in range(0, len(head), BLOCK):
        values[a : a + BLOCK] = _solved(G, np.arange(a, min(a + BLOCK, len(head))), near[a : a + BLOCK], model)
        report(0.9 + 0.1 * a / len(head))
    target, at = np.nonzero(near >= 0)
    return NeighbourWeights(head[target], head[near[target, at]], values[target, at])


def _head(rows: npt.NDArray[np.intp], movies: int) -> npt.NDArray[np.int32]:
    """The movies with ratings enough to be foretold, the most rated first."""
    count = np.bincount(rows, minlength=movies)
    most = np.argsort(-count, kind="stable")[:MOST_MOVIES]
    return most[count[most] >= FEWEST_RATINGS].astype(np.int32)


def _matrix(
    ratings: Ratings, rows: npt.NDArray[np.intp], head: npt.NDArray[np.int32], movies: int
) -> sparse.csr_matrix:
    """The ratings, users x head, less what is neutral; a neutral one is an entry that is 0."""
    place = np.full(movies, -1, np.int32)
    place[head] = np.arange(len(head), dtype=np.int32)
    column = place[rows]
    kept = column >= 0
    users, user = np.unique(ratings.user[kept], return_inverse=True)
    value = ratings.rating[kept] - np.float32(NEUTRAL_RATING)
    return sparse.csr_matrix((value, (user.astype(np.int32), column[kept])), (len(users), len(head)))


def _likes(X: sparse.csr_matrix, model: ModelSettings) -> sparse.csr_matrix:
    """1 where a rating is a like."""
    liked = (X.data >= model.like_threshold - NEUTRAL_RATING).astype(np.float32)
    L = sparse.csr_matrix((liked, X.indices.copy(), X.indptr.copy()), X.shape)
    L.eliminate_zeros()
    return L


def _candidates(co_likes: Floats, head: npt.NDArray[np.int32], most: int) -> Places:
    """For each movie of the head the places [f, most] of those nearest to it; -1 where there are not so many."""
    likes = co_likes.diagonal().copy()
    most = min(most, len(likes) - 1)
    found = np.empty((len(likes), most), np.int64)
    for a in range(0, len(likes), BLOCK):
        block = np.arange(a, min(a + BLOCK, len(likes)))
        # co(c, j) / (sqrt(l_c l_j) + 20)
        near = co_likes[block] / (np.sqrt(likes * likes[block, None]) + np.float32(SHRINKAGE))
        near[np.arange(len(block)), block] = 0
        # Positive floats are ordered as their bits are: of the equally near the first in the catalogue is taken.
        key = near.view(np.int32).astype(np.int64) << 32 | (_LAST - head)
        best = np.argpartition(key, -most, axis=1)[:, -most:]
        best[np.take_along_axis(near, best, axis=1) == 0] = -1
        found[block] = best
    return found


def _solved(G: Floats, movies: Places, near: Places, model: ModelSettings) -> Floats:
    """The weights [b, most] of these movies on those near to them; 0 where there is none."""
    there = near >= 0
    # (X_c'X_c + reg I) w = X_c'x_j
    products = G[near[:, :, None], near[:, None, :]]
    products *= there[:, :, None] & there[:, None, :]
    products += model.neighbour_reg * np.eye(near.shape[1], dtype=np.float32)
    right = np.where(there, G[near, movies[:, None]], np.float32(0))
    weights: Floats = np.linalg.solve(products, right[:, :, None])[:, :, 0]
    return weights


_NONE = np.empty(0, np.int32)
_LAST = np.int64(2**31 - 1)


def to_csr(weights: NeighbourWeights, movies: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], Floats]:
    """The weights as CSR by the movie of the history: (start int64 [movies + 1], target int32, value float32)."""
    W = sparse.csr_matrix((weights.value, (weights.source, weights.target)), shape=(movies, movies))
    return W.indptr.astype(np.int64), W.indices.astype(np.int32), W.data.astype(np.float32)
