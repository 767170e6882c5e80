"""The lists of many users at once, a block of users at a time: `lists.ranked` for thousands at a tenth of its cost."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from scoring.block import Block, Doubles, Rows
from scoring.factors import Factors
from scoring.ratings import Floats
from scoring.score import NEUTRAL
from scoring.top_n import DEPTH, top_rows

CELLS = 4_000_000  # of the largest array of a block, of 4 bytes each: what stays near the processor counts most
NEVER = np.float32(-np.inf)

Marks = npt.NDArray[np.uint16]
Listed = tuple[Rows, Floats]
"""The rows of n films best first and the ratings to be expected, [b, n] each."""


class Ranker:
    """What is the same for all users: the films that lists are made of, and the neighbours as a sparse matrix.

    Lists are made of the well-known films alone, since the others come only after all of these; they are a fifth of
    a large catalogue.
    """

    def __init__(self, factors: Factors, n: int) -> None:
        self.factors, self.n = factors, n
        self.films = np.flatnonzero(factors.well_known)
        self.groups = max(n, len(self.films) // DEPTH + 1)
        # the places after the last film are for films that are not well known, and fill the groups
        self.width = self.groups * (len(self.films) // self.groups + 1)
        self.column = np.full(len(factors.films), len(self.films), np.intp)
        self.column[self.films] = np.arange(len(self.films))
        V = np.hstack([factors.V[self.films], factors.popular[self.films, None]])
        self.Vt = np.ascontiguousarray(V.T)
        self.W = sparse.csr_matrix((factors.w, factors.w_film, factors.w_start), (len(factors.films),) * 2)

    def listed(self, block: Block) -> Listed:
        """The n best of the well-known films for each user of a block; NEVER is expected where there are too few."""
        told = _Neighbours(self, block)
        w, b, c = block.weights
        x = block.scales_along(block.x_m, 1 - w)[:, None] * block.x_m
        x += block.scales_along(block.x_p, w)[:, None] * block.x_p
        score = np.empty((len(block), self.width), np.float32)
        # score = (1 - w) z(V x_m) + w z(V x_p) + b z(g) + c popularity, less what is the same for all films
        np.matmul(np.hstack([x, c[:, None].astype(np.float32)]), self.Vt, out=score[:, : len(self.films)])
        score[:, len(self.films) :] = NEVER
        told.add_to(score, block.scales(b, told.total, told.square))
        score[np.nonzero(block.given)[0], self.column[block.rows[block.given]]] = NEVER
        columns, complete = top_rows(score, self.n, self.groups)
        rows = self.films[np.minimum(columns, len(self.films) - 1)]
        expected = block.expected(rows, told.of(rows))
        expected[~complete] = NEVER
        return rows, expected


class _Neighbours:
    """The neighbour scores g of a block, of the films that have one: G sparse [b, f].

    Attributes:
        total, square: sum of g and of its squares over the films that a user has not rated [b].
    """

    def __init__(self, ranker: Ranker, block: Block) -> None:
        films = len(ranker.factors.films)
        self._ranker = ranker
        start = np.concatenate([[0], np.cumsum(block.n)])
        told = block.rating[block.given] - np.float32(NEUTRAL)
        H = sparse.csr_matrix((told, block.rows[block.given], start), (len(block), films))
        G = H @ ranker.W
        self._value, self._film = G.data, G.indices
        self._user = np.repeat(np.arange(len(block)), np.diff(G.indptr))
        self._at = self._user * films + self._film
        self._mark = np.zeros((len(block), films), np.uint16)
        user, place = np.nonzero(block.given)
        seen = self._marks(user, block.rows[user, place], np.uint16(1))
        G.data = np.where(seen, np.float32(0), self._value).astype(np.float64)
        every = np.ones(films)
        self.total: Doubles = G @ every
        G.data *= G.data
        self.square: Doubles = G @ every

    def add_to(self, score: Floats, scale: Floats) -> None:
        """Add scale g [b] to the scores [b, width] of the well-known films."""
        at = self._user * score.shape[1] + self._ranker.column[self._film]
        score.reshape(-1)[at] += scale[self._user] * self._value

    def of(self, rows: Rows) -> Floats:
        """g of the films at `rows` [b, n], float32."""
        g = np.zeros(rows.shape, np.float32)
        user, place = np.divmod(np.arange(rows.size), rows.shape[1])
        marks = self._marks(user, rows.reshape(-1), (place + 1).astype(np.uint16))
        found = np.flatnonzero(marks)
        g[self._user[found], marks[found] - 1] = self._value[found]
        return g

    def _marks(self, user: Rows, rows: Rows, mark: Marks | np.uint16) -> Marks:
        """The mark of each entry of G whose film is one of these users' `rows`, and 0 of the others."""
        self._mark[user, rows] = mark
        found: Marks = self._mark.reshape(-1)[self._at]
        self._mark[user, rows] = 0
        return found


def blocks(factors: Factors, start: npt.NDArray[np.int64], rows: Rows, rating: Floats) -> Iterator[tuple[Rows, Block]]:
    """Cut users into blocks of about equally long histories: (which users, their block).

    Those of user i are [start[i], start[i + 1]) of `rows` and `rating`; users without any are passed over.
    """
    length = np.diff(start)
    order = np.argsort(length, kind="stable")
    order = order[np.searchsorted(length[order], 1) :]
    cells = factors.V.shape[1] + factors.model.neighbours
    while len(order):
        # as many as fit beside the longest history among them, which is the last one taken
        fits = np.maximum(len(factors.films), length[order] * cells) * np.arange(1, len(order) + 1) <= CELLS
        some = order[: max(1, int(np.argmin(fits)) if not fits.all() else len(order))]
        order = order[len(some) :]
        yield some, _block(factors, start[some], length[some], rows, rating)


def _block(factors: Factors, first: Rows, length: Rows, rows: Rows, rating: Floats) -> Block:
    place = np.arange(length.max())
    given = place < length[:, None]
    at = np.where(given, first[:, None] + place, 0)
    return Block(factors, np.where(given, rows[at], 0), np.where(given, rating[at], np.float32(0)), given)
