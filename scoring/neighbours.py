"""Which films foretell a film: a sparse ridge regression of each film on its nearest neighbours.

SLIM (Ning, Karypis, 2011) in the closed form of EASE (Steck, 2019), restricted to a hundred candidates a film so
that its cost grows with the number of films and not with its square.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from scoring.ratings import Floats, Ratings
from scoring.score import NEUTRAL
from settings import ModelSettings

FEWEST_RATINGS = 5
SHRINKAGE = 20.0
BLOCK = 256  # films whose co-likes with all others are held at a time
DENSE_FILMS = 6000  # up to here all products of two films fit in 150 MB; beyond, they are computed film by film


@dataclass(frozen=True)
class Weights:
    """Entries of W as triples: film `target` [n] is foretold by film `source` [n] with `value` float32 [n]."""

    target: npt.NDArray[np.int32]
    source: npt.NDArray[np.int32]
    value: Floats


class NeighbourFit:
    """The ratings arranged for fitting films one at a time, in any order and on any worker."""

    def __init__(self, ratings: Ratings, rows: npt.NDArray[np.intp], films: int, model: ModelSettings) -> None:
        """`rows` [len(ratings)] says which of the `films` each rating is of."""
        users, user = np.unique(ratings.user, return_inverse=True)
        shape = (len(users), films)
        likes = ratings.rating >= model.like_threshold
        self.model = model
        self.X = sparse.csc_matrix((ratings.rating - np.float32(NEUTRAL), (user, rows)), shape)
        self.L = sparse.csc_matrix((np.ones(likes.sum(), np.float32), (user[likes], rows[likes])), shape)
        self.like_count = np.asarray(self.L.sum(axis=0)).ravel()
        self.rated = np.diff(self.X.indptr) >= FEWEST_RATINGS
        self.place = np.cumsum(self.rated) - 1

    @property
    def targets(self) -> npt.NDArray[np.int32]:
        """The films with ratings enough to be foretold."""
        return np.flatnonzero(self.rated).astype(np.int32)

    def fit(self, targets: npt.NDArray[np.int32]) -> Weights:
        """The weights of these films on their neighbours."""
        found = []
        for block in np.array_split(targets, max(1, len(targets) // BLOCK)):
            co_likes = (self.L.T @ self.L[:, block]).tocsc()
            found += [self._film(int(j), co_likes[:, [at]]) for at, j in enumerate(block)]
        return Weights(
            np.concatenate([np.full(len(c), j, np.int32) for j, (c, _) in zip(targets, found, strict=True)] or [_NONE]),
            np.concatenate([c for c, _ in found] or [_NONE]),
            np.concatenate([w for _, w in found] or [_NONE.astype(np.float32)]),
        )

    def _film(self, j: int, co_likes: sparse.csc_matrix) -> tuple[npt.NDArray[np.int32], Floats]:
        c = self._candidates(j, co_likes)
        if len(c) == 0:
            return _NONE, _NONE.astype(np.float32)
        # (X_c'X_c + reg I) w = X_c'x_j
        G, r = self._products(c, j)
        w = np.linalg.solve(G + self.model.neighbour_reg * np.eye(len(c), dtype=np.float32), r)
        return c, w.astype(np.float32)

    def _candidates(self, j: int, co_likes: sparse.csc_matrix) -> npt.NDArray[np.int32]:
        other = co_likes.indices
        # co(c, j) / (sqrt(l_c l_j) + 20)
        near = co_likes.data / (np.sqrt(self.like_count[other] * self.like_count[j]) + SHRINKAGE)
        near[(other == j) | ~self.rated[other]] = 0
        best = np.lexsort((other, -near))[: self.model.neighbours]
        return np.sort(other[best[near[best] > 0]]).astype(np.int32)

    def _products(self, c: npt.NDArray[np.int32], j: int) -> tuple[Floats, Floats]:
        if self._all_products is not None:
            at = self.place[c]
            return self._all_products[np.ix_(at, at)], self._all_products[at, self.place[j]]
        X_c = self.X[:, c]
        return (X_c.T @ X_c).toarray(), (X_c.T @ self.X[:, [j]]).toarray().ravel()

    @cached_property
    def _all_products(self) -> Floats | None:
        if self.rated.sum() > DENSE_FILMS:
            return None
        X = self.X[:, self.targets]
        products: Floats = (X.T @ X).toarray()
        return products


_NONE = np.empty(0, np.int32)


def by_source(weights: Weights, films: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], Floats]:
    """The weights as CSR by the film of the history: (start int64 [films + 1], target int32, value float32)."""
    W = sparse.csr_matrix((weights.value, (weights.source, weights.target)), shape=(films, films))
    return W.indptr.astype(np.int64), W.indices.astype(np.int32), W.data.astype(np.float32)
