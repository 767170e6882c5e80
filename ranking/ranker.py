"""Scores, lists and expected ratings of many users at once, by one generation's factors."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ranking import fold_in
from ranking.factors import Factors
from ranking.fold_in import Doubles, ItemGram, UserPrior
from ranking.ratings import HIGHEST, LOWEST, Floats, Mask, Rows
from ranking.score import NEUTRAL_RATING, Standardization, standardization, targets, weights
from ranking.top_n import DEPTH, top_n, top_rows
from ranking.user_batch import UserBatch

USER_DAMPING = 10.0
FACTOR_SHARE = 0.75  # of p.q: the factors were fitted to the very ratings that p is solved from
NEIGHBOUR_SHARE = 0.4  # of g above its value for a movie rated as usual: .3, reached after some 20 ratings
USUAL_NEIGHBOUR, USUAL_AT = 0.3, 20
NO_SCORE = np.float32(-np.inf)

TopN = tuple[Rows, Mask]
"""The rows of n movies, best first, [b, n], and which of them there are, bool [b, n]."""


class FoldedIn(NamedTuple):
    """The histories of a batch as the ranker sees them.

    Attributes:
        residual: y - V_s m [b, l], what the targets differ from the average user's; 0 in the padding.
        x_m, x_p: the MAP and the plain vectors [b, k].
        g: the neighbour scores by place [b, f].
        m, p, n: the standardizations of V x_m, V x_p and g.
        c: the weight of popularity [b].
    """

    batch: UserBatch
    residual: Floats
    x_m: Floats
    x_p: Floats
    g: Floats
    m: Standardization
    p: Standardization
    n: Standardization
    c: Floats

    @property
    def vectors(self) -> Floats:
        """[x, c, -shift] [b, k + 2]: times a movie's [v, popularity, 1] this is its score without its neighbours."""
        x = self.m.scale[:, None] * self.x_m + self.p.scale[:, None] * self.x_p
        return np.column_stack([x, self.c, -(self.m.shift + self.p.shift + self.n.shift)])


class Ranker:
    """A generation's factors, with everything that does not depend on a user computed once.

    Movies stand in places: the well-known ones come first, then the others, both in the order of their rows. A list
    holds others only after all well-known movies, which are a fifth of a large catalogue, so the others are seldom scored.

    Attributes:
        row: of the movie at each place [f]; place: of the movie in each row [f].
        known: how many movies are well known.
    """

    def __init__(self, factors: Factors) -> None:
        self.factors, f = factors, len(factors.movies)
        self.row = np.argsort(~factors.well_known, kind="stable")
        self.place = np.argsort(self.row).astype(np.int32)
        self.known = int(factors.well_known.sum())
        self.prior = UserPrior(factors.m, factors.C, np.linalg.inv(factors.C.astype(np.float64)))
        self.item_gram = ItemGram.of(factors.V)
        self._V_sum: Doubles = factors.V.sum(axis=0, dtype=np.float64)
        known = self.row[: self.known]
        self._items = np.vstack([factors.V[known].T, factors.popular[known], np.ones(self.known, np.float32)])
        self._W = sparse.csr_matrix((factors.w, self.place[factors.w_movie], factors.w_start), (f, f))
        self._W_sum: Doubles = self._W @ np.ones(f)

    def fold_in(self, batch: UserBatch) -> FoldedIn:
        """Return the vectors and neighbour scores of a batch, with the standardization of each part of its score."""
        f, model = self.factors, self.factors.model
        V_s = _taken(f.V, batch.rows, batch.mask)
        residual = (targets(batch.rating, model) - V_s @ f.m) * batch.mask
        x_m = fold_in.map_vectors(V_s, residual, self.prior, model.noise)
        x_p = self._als_vectors(batch)
        g = self.neighbour_scores(batch)
        weight = weights(batch.n, model)
        m, p = self._along(batch, V_s, x_m, weight.map), self._along(batch, V_s, x_p, weight.plain)
        n, c = self._of_neighbours(batch, g, weight.neighbours), weight.popularity.astype(np.float32)
        return FoldedIn(batch, residual, x_m, x_p, g, m, p, n, c)

    def top_n(self, folded: FoldedIn, n: int, among: Mask | None = None) -> TopN:
        """Return the n unseen movies with the highest scores, well-known ones first, for each user of a batch.

        Args:
            among: which movies may be listed, bool [f] by row; None for all.
        """
        groups = max(n, self.known // DEPTH + 1)
        # the columns after the last well-known movie stand for all others, and fill the groups
        score = np.empty((len(folded.batch), groups * (self.known // groups + 1)), np.float32)
        known = score[:, : self.known]
        # score = (1 - w) z(V x_m) + w z(V x_p) + b z(g) + c popularity
        np.matmul(folded.vectors, self._items, out=known)
        known += folded.n.scale[:, None] * folded.g[:, : self.known]
        score[:, self.known :] = NO_SCORE
        seen = np.where(folded.batch.mask, np.minimum(self.place[folded.batch.rows], self.known), self.known)
        np.put_along_axis(score, seen, NO_SCORE, axis=1)
        if among is not None:
            known[:, ~among[self.row[: self.known]]] = NO_SCORE
        columns, there = top_rows(score, n, groups)
        rows = self.row[np.minimum(columns, self.known - 1)]
        for user in np.flatnonzero(~there[:, -1]):
            self._fill(folded, user, among, rows[user], there[user])
        return rows, there

    def scores(self, folded: FoldedIn, rows: Rows | None = None) -> Floats:
        """Return the scores of the movies at `rows` [r], or of all, [b, r]; only their order means anything."""
        f, which = self.factors, slice(None) if rows is None else rows
        x, c, minus_shift = np.split(folded.vectors, [-2, -1], axis=1)
        score: Floats = x @ f.V[which].T
        score += c * f.popular[which] + minus_shift
        score += folded.n.scale[:, None] * folded.g[:, self.place[which]]
        return score

    def expected(self, batch: UserBatch, rows: Rows, g: Floats) -> Floats:
        """Return the ratings that the users of a batch would give the movies at `rows` [b, r], within 0.5 to 5.

        mu + b_u + b_i + .75 p.q + .4 (g - .3 n / (n + 20)) with b_u = sum(r - mu - b_i) / (n + 10) and p the most
        probable vector given the residuals; honest to show, and no good to rank by.

        Args:
            g: neighbour scores by place [b, f].
        """
        f, n = self.factors, batch.n[:, None]
        residual = (batch.rating - f.mu - f.movie_bias[batch.rows]) * batch.mask
        user_bias = residual.sum(axis=1, keepdims=True) / (n + USER_DAMPING)
        residual = ((residual - user_bias) * batch.mask).astype(np.float32)
        p = fold_in.rater_vectors(_taken(f.Q, batch.rows, batch.mask), residual, f.C_r)
        likely = f.mu + f.movie_bias[rows] + user_bias + FACTOR_SHARE * np.einsum("brh,bh->br", f.Q[rows], p)
        if len(f.w):
            usual = USUAL_NEIGHBOUR * n / (n + USUAL_AT)
            likely += NEIGHBOUR_SHARE * (np.take_along_axis(g, self.place[rows], axis=1) - usual)
        return np.asarray(np.clip(likely, LOWEST, HIGHEST), np.float32)

    def neighbour_terms(self, batch: UserBatch) -> sparse.csr_matrix:
        """Return what each rating adds to g of each movie, (r - 2.5) W[movie, :], [sum of n, f] by place."""
        terms = self._W[batch.rows[batch.mask]]
        terms.data *= np.repeat(batch.rating[batch.mask] - np.float32(NEUTRAL_RATING), np.diff(terms.indptr))
        return terms

    def neighbour_scores(self, batch: UserBatch) -> Floats:
        """Return g = sum over the history of (r - 2.5) W[movie, :] by place [b, f]."""
        terms = self.neighbour_terms(batch)
        start = terms.indptr[np.concatenate([[0], np.cumsum(batch.n)])]
        # one row a user, in which a movie may stand many times; where it is made dense they are added up
        g: Floats = sparse.csr_matrix((terms.data, terms.indices, start), (len(batch), len(self.row))).toarray()
        return g

    def _als_vectors(self, batch: UserBatch) -> Floats:
        model = self.factors.model
        likes = batch.mask & (batch.rating >= model.like_threshold)
        count = likes.sum(axis=1, keepdims=True)
        # the likes of each user first, so that their systems are no larger than need be
        first = np.argsort(~likes, axis=1, kind="stable")[:, : count.max()]
        liked = np.arange(first.shape[1]) < count
        V_p = _taken(self.factors.V, np.take_along_axis(batch.rows, first, axis=1), liked)
        return fold_in.als_vectors(V_p, liked, self.item_gram, model.ranker_alpha, model.ranker_reg)

    def _along(self, batch: UserBatch, V_s: Floats, x: Floats, weight: Doubles) -> Standardization:
        """Return the standardization of V x, without computing V x."""
        s_seen = (V_s @ x[:, :, None])[:, :, 0]
        return self._standardization(batch, weight, s_seen, x @ self._V_sum, np.vecdot(x @ self.item_gram.VtV, x))

    def _of_neighbours(self, batch: UserBatch, g: Floats, weight: Doubles) -> Standardization:
        g_seen = np.take_along_axis(g, self.place[batch.rows], axis=1) * batch.mask
        total = ((batch.rating - NEUTRAL_RATING) * batch.mask * self._W_sum[batch.rows]).sum(axis=1)
        return self._standardization(batch, weight, g_seen, total, np.vecdot(g, g))

    def _standardization(
        self, batch: UserBatch, weight: Doubles, s_seen: Floats, total: Doubles, square: npt.NDArray[np.floating]
    ) -> Standardization:
        """Return that of scores with this sum and sum of squares over all movies [b], and s_seen [b, l] of the seen."""
        seen = s_seen.astype(np.float64)
        count = len(self.row) - batch.n
        return standardization(weight, count, total - seen.sum(axis=1), square - np.vecdot(seen, seen))

    def _fill(self, folded: FoldedIn, user: np.intp, among: Mask | None, rows: Rows, there: Mask) -> None:
        """Fill one user's list [n], for which there are too few well-known movies, with others."""
        one = folded.batch.user(user)
        score = self.scores(folded if len(folded.batch) == 1 else self.fold_in(one))[0]
        best = top_n(score, len(rows), one.rows[0], self.factors.well_known, among)
        rows[: len(best)], there[: len(best)] = best, True


def _taken(factors: Floats, rows: Rows, mask: Mask) -> Floats:
    """Return these rows of a matrix [f, k], [b, l, k]; zeros where the mask is false."""
    taken: Floats = factors[rows]
    taken[~mask] = 0
    return taken
