"""Compute the Gram matrix of a long-tailed sparse matrix as a dense matrix.

A sparse product costs time for every pair of entries of a row, a dense one (BLAS) for every pair of columns, at two
hundred times as many pairs a second. Users with similar numbers of ratings are therefore grouped; in each group the
movies that many users rated are multiplied densely and the others sparsely. With 32 million ratings, neither way alone
ends in minutes.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ranking.ratings import Floats

Places = npt.NDArray[np.int64]

USERS = 4096  # rows in a group
TILE = 2048  # rows of the result computed at a time
DENSE_SHARE = 0.03  # columns with at least this share of nonzero rows are multiplied densely


def gram_matrix(X: sparse.csr_matrix, report: Callable[[float], None]) -> Floats:
    """Return X'X [f, f] in float32; fastest if the columns of X are sorted by their number of entries, descending.

    The sums are exact, and so independent of the number of cores, while the entries are multiples of .5 and no
    product of two columns reaches four million.
    """
    busiest_first = np.argsort(-np.diff(X.indptr), kind="stable")
    G = np.zeros((X.shape[1], X.shape[1]), np.float32)
    one_adds = threading.Lock()

    def add(start: int) -> None:
        for place, part in _parts(X[busiest_first[start : start + USERS]]):
            with one_adds:
                if isinstance(place, tuple):
                    G[place] += part
                else:
                    np.add.at(G.reshape(-1), place, part)  # half the time of +=, which holds the GIL

    starts = range(0, X.shape[0], USERS)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # scipy and BLAS release the GIL
        for done, _ in enumerate(pool.map(add, starts), 1):
            report(done / len(starts))
    _mirror(G)
    return G


def _parts(X: sparse.csr_matrix) -> Iterator[tuple[tuple[slice, slice] | Places, Floats]]:
    """Yield the terms of X'X, at least on and below the diagonal, as (where to add, values).

    The first is a pair of slices for rows and columns, or distinct flat indexes.
    """
    width = X.shape[1]
    filled = np.bincount(X.indices, minlength=width)
    dense = int((filled >= DENSE_SHARE * X.shape[0]).sum())
    D, T = X[:, :dense].toarray(), X[:, dense:]
    for a in range(0, dense, TILE):
        tile = slice(a, min(a + TILE, dense))
        yield (tile, slice(0, tile.stop)), D[:, tile].T @ D[:, : tile.stop]
    Tt = T.T.tocsr()
    for a in range(0, Tt.shape[0], TILE):
        rows = Tt[a : a + TILE]
        if rows.nnz:
            below = np.arange(dense + a, dense + a + rows.shape[0])
            yield (slice(below[0], below[-1] + 1), slice(0, dense)), rows @ D
            both = rows @ T[:, : a + TILE]
            yield np.repeat(below * width + dense, np.diff(both.indptr)) + both.indices, both.data


def _mirror(G: Floats) -> None:
    """Copy the entries below the diagonal of G to above it."""
    for a in range(0, len(G), TILE):
        b = a + TILE
        corner = np.tril(G[a:b, a:b])
        G[a:b, a:b] = corner + np.tril(corner, -1).T
        G[a:b, b:] = G[b:, a:b].T
