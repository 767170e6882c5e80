"""The lists of many users at once, a block at a time: `lists.ranked` for thousands at a fraction of its cost."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ranking.factors import Factors
from ranking.ratings import Floats, Rows
from ranking.score import NEUTRAL_RATING
from ranking.top_n import DEPTH, top_rows
from ranking.user_batch import Doubles, UserBatch

USERS = 128  # of a block, as many as stay near the processor where there are 10,000 movies
CELLS = 4_000_000  # of the largest array of a block, of 4 bytes each
NO_SCORE = np.float32(-np.inf)

TopN = tuple[Rows, Floats]
"""The rows of n movies best first and the ratings to be expected, [b, n] each."""


class BatchRanker:
    """What is the same for all users: the movies in an order where the well-known come first, and their factors.

    Lists are made of the well-known movies alone, since the others come only after all of these; they are a fifth of
    a large catalogue.

    Attributes:
        row: of the movie at each place in that order [f]; place: of the movie in each row [f].
        known: how many movies are well known.
        W: the neighbour weights, row = movie of the history, column = place; W_sum: of each row [f].
    """

    def __init__(self, factors: Factors, n: int) -> None:
        self.factors, self.n = factors, n
        self.row = np.argsort(~factors.well_known, kind="stable")
        self.place = np.argsort(self.row).astype(np.int32)
        self.known = int(factors.well_known.sum())
        self.groups = max(n, self.known // DEPTH + 1)
        # the columns after the last well-known movie stand for all that are not, and fill the groups
        self.width = self.groups * (self.known // self.groups + 1)
        V = np.hstack([factors.V, factors.popular[:, None]])[self.row[: self.known]]
        self.Vt = np.ascontiguousarray(V.T)
        movies = len(self.row)
        self.W = sparse.csr_matrix((factors.w, self.place[factors.w_movie], factors.w_start), (movies, movies))
        self.W_sum: Doubles = self.W @ np.ones(movies)

    def top_n(self, block: UserBatch) -> TopN:
        """The n best of the well-known movies for each user of a block; NO_SCORE is expected where there are too few."""
        g = self._neighbours(block)
        columns, there = top_rows(self._scores(block, g), self.n, self.groups)
        place = np.minimum(columns, self.known - 1)
        rows = self.row[place]
        expected = block.expected(rows, np.take_along_axis(g, place, axis=1))
        expected[~there] = NO_SCORE
        return rows, expected

    def _neighbours(self, block: UserBatch) -> Floats:
        """The neighbour scores of each user by place, g = sum over the history of (r - 2.5) W[movie, :], [b, f]."""
        terms = self.W[block.rows[block.mask]]
        terms.data *= np.repeat(block.rating[block.mask] - np.float32(NEUTRAL_RATING), np.diff(terms.indptr))
        start = terms.indptr[np.concatenate([[0], np.cumsum(block.n)])]
        # one row a user, in which a movie may stand many times: where it is made dense they are added up
        g: Floats = sparse.csr_matrix((terms.data, terms.indices, start), (len(block), len(self.row))).toarray()
        return g

    def _scores(self, block: UserBatch, g: Floats) -> Floats:
        """The scores of the well-known movies [b, width], NO_SCORE for those that were rated."""
        w, b, c = block.weights
        x = block.scales_along(block.x_m, 1 - w)[:, None] * block.x_m
        x += block.scales_along(block.x_p, w)[:, None] * block.x_p
        score = np.empty((len(block), self.width), np.float32)
        known = score[:, : self.known]
        # score = (1 - w) z(V x_m) + w z(V x_p) + b z(g) + c popularity, less what is the same for all movies
        np.matmul(np.hstack([x, c[:, None].astype(np.float32)]), self.Vt, out=known)
        known += self._neighbour_scales(block, b, g)[:, None] * g[:, : self.known]
        score[:, self.known :] = NO_SCORE
        np.put_along_axis(score, self._columns_rated(block), NO_SCORE, axis=1)
        return score

    def _neighbour_scales(self, block: UserBatch, weight: Doubles, g: Floats) -> Floats:
        """What makes `weight` z(g) of g for each user, float32 [b], but for a shift."""
        g_seen = np.take_along_axis(g, self.place[block.rows], axis=1) * block.mask
        total = ((block.rating - NEUTRAL_RATING) * block.mask * self.W_sum[block.rows]).sum(axis=1)
        return block.scales(weight, g_seen, total, np.vecdot(g, g))

    def _columns_rated(self, block: UserBatch) -> Rows:
        """Where the rated movies stand among the well-known, [b, l]; after the last of these for all others."""
        columns: Rows = np.where(block.mask, np.minimum(self.place, self.known)[block.rows], self.known)
        return columns


def user_batches(
    factors: Factors, start: npt.NDArray[np.int64], rows: Rows, rating: Floats
) -> Iterator[tuple[Rows, UserBatch]]:
    """Cut users into batches of about equally long histories: (which users, their block).

    Those of user i are [start[i], start[i + 1]) of `rows` and `rating`; users without any are passed over.
    """
    length = np.diff(start)
    order = np.argsort(length, kind="stable")
    order = order[np.searchsorted(length[order], 1) :]
    cells = factors.V.shape[1] + factors.model.neighbours
    most = min(USERS, max(1, CELLS // len(factors.movies)))
    while len(order):
        # as many as fit beside the longest history among them, which is the last one taken
        fits = length[order[:most]] * cells * np.arange(1, len(order[:most]) + 1) <= CELLS
        some = order[: max(1, int(fits.sum()))]
        order = order[len(some) :]
        yield some, _block(factors, start[some], length[some], rows, rating)


def _block(factors: Factors, first: Rows, length: Rows, rows: Rows, rating: Floats) -> UserBatch:
    place = np.arange(length.max())
    given = place < length[:, None]
    at = np.where(given, first[:, None] + place, 0)
    return UserBatch(factors, np.where(given, rows[at], 0), np.where(given, rating[at], np.float32(0)), given)
