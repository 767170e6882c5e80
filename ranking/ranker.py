"""Compute scores, lists and expected ratings of many users by a generation's factors."""

from copy import copy
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ranking import fold_in
from ranking.factors import Factors
from ranking.fold_in import Doubles, ItemGram, UserPrior
from ranking.ratings import HIGHEST, LOWEST, Floats, Mask, Rows
from ranking.score import NEUTRAL_RATING, Standardization, standardization, target_noise, targets, weights
from ranking.top_n import score_table, top_n, top_rows
from ranking.user_batch import UserBatch

USER_DAMPING = 10.0
FACTOR_SHARE = 0.75  # weight of p.q; below 1, because the factors were fitted to the ratings that p is solved from
NEIGHBOUR_SHARE = 0.4  # weight of g minus its usual value, which approaches .3 after 20 ratings or so
USUAL_NEIGHBOUR, USUAL_AT = 0.3, 20
NO_SCORE = np.float32(-np.inf)

TopN = tuple[Rows, Mask]
"""The rows of n movies, best first, [b, n], and a mask of the filled places, bool [b, n]."""


class NeighbourTerms(NamedTuple):
    """The rows of W for a batch's ratings, concatenated; rating i has `per_rating[i]` neighbours.

    Each neighbour is the movie in a `column` of the ranker, with the weight `w`.
    """

    per_rating: npt.NDArray[np.int64]
    column: npt.NDArray[np.int32]
    w: Floats


class FoldedIn(NamedTuple):
    """The fold-in of a batch of users.

    Attributes:
        terms: the terms of g; residual: y - V_s m [b, l], the targets minus the average user's; 0 in the padding.
        x: the MAP vector x_m and the plain vector x_p of each user [b, 2, k].
        g: the neighbour scores by column [b, h + 1]; the last one, 0, is that of all movies without neighbours.
        z: the standardizations of V x_m, V x_p and g, [b, 3] each.
        c: the weight of popularity [b].
    """

    batch: UserBatch
    terms: NeighbourTerms
    residual: Floats
    x: Floats
    g: Floats
    z: Standardization
    c: Floats

    def user(self, i: int) -> "FoldedIn":
        """Return the fold-in of one user alone."""
        first = int(self.batch.n[:i].sum())
        per_rating = self.terms.per_rating[first : first + self.batch.n[i]]
        start = int(self.terms.per_rating[:first].sum())
        cut, one = slice(start, start + int(per_rating.sum())), slice(i, i + 1)
        terms = NeighbourTerms(per_rating, self.terms.column[cut], self.terms.w[cut])
        z = Standardization(self.z.scale[one], self.z.shift[one])
        residual = self.residual[one, self.batch.mask[i]]
        return FoldedIn(self.batch.user(i), terms, residual, self.x[one], self.g[one], z, self.c[one])

    @property
    def vectors(self) -> Floats:
        """Return [x, c, -shift] [b, k + 2]; times a movie's [v, popularity, 1], it is the score without neighbours."""
        x = (self.z.scale[:, None, :2] @ self.x)[:, 0]
        return np.column_stack([x, self.c, -self.shift])

    @property
    def shift(self) -> Floats:
        """Return the constant that the standardizations subtract from every score [b]."""
        return self.z.shift.sum(axis=1)


class Ranker:
    """A generation's factors, with precomputed values that do not depend on a user.

    Tables of scores have a column for each movie: first the well-known ones, then the others, both in the order of
    rows. A list holds others only after all well-known movies, a fifth of a large catalogue, so they are seldom scored.

    Attributes:
        row_at: the row of the movie in each column [f]; column_of: the column of the movie in each row [f].
        known: how many movies are well known.
        usual_rating: what a user without ratings is expected to give each movie, mu + b_i, float32 [f].
    """

    def __init__(self, factors: Factors) -> None:
        self.factors, f = factors, len(factors.movies)
        self.row_at = np.argsort(~factors.well_known, kind="stable")
        self.column_of = np.argsort(self.row_at).astype(np.int32)
        self.known = int(factors.well_known.sum())
        self.prior = UserPrior(factors.m, factors.C, np.linalg.inv(factors.C.astype(np.float64)))
        self.item_gram = ItemGram.of(factors.V)
        self.usual_rating = np.clip(factors.mu + factors.movie_bias, LOWEST, HIGHEST).astype(np.float32)
        self._V_sum: Doubles = factors.V.sum(axis=0, dtype=np.float64)
        known = self.row_at[: self.known]
        self._items = np.vstack([factors.V_ranked[known].T, factors.popular[known], np.ones(self.known, np.float32)])
        # only the movies in the first columns have neighbours, a fifth of a large catalogue
        self._neighbour_columns = max(self.known, int(self.column_of[factors.w_movie].max(initial=-1)) + 1)
        self._W = sparse.csr_matrix((factors.w, self.column_of[factors.w_movie], factors.w_start), (f, f))

    def with_factors(self, factors: Factors) -> "Ranker":
        """Return the ranker for these factors, which differ from its own only in predicted factors and new movies.

        Values that do not depend on movies without ratings are shared; computing them anew takes ten times as long.
        """
        old, f, known = len(self.row_at), len(factors.movies), factors.well_known
        last = np.array_equal(factors.movies[:old], self.factors.movies)
        same_known = np.array_equal(known.nonzero()[0], self.row_at[: self.known])
        if not last or not same_known or known[factors.rating_count == 0].any():
            return Ranker(factors)
        ranker, new = copy(self), np.arange(old, f)
        ranker.factors = factors
        ranker.row_at, ranker.column_of = np.append(self.row_at, new), np.append(self.column_of, new.astype(np.int32))
        usual = np.float32(min(max(factors.mu, LOWEST), HIGHEST))
        ranker.usual_rating = np.append(self.usual_rating, np.full(len(new), usual))
        ranker._W = sparse.csr_matrix((self._W.data, self._W.indices, factors.w_start), (f, f))
        return ranker

    def fold_in(self, batch: UserBatch, terms: NeighbourTerms) -> FoldedIn:
        """Return the vectors and neighbour scores of a batch, with the standardization of each part of the score."""
        f, model = self.factors, self.factors.model
        V_s = f.V[batch.rows] * batch.mask[:, :, None]
        residual = (targets(batch.rating, model) - V_s @ f.m) * batch.mask
        x_m = fold_in.map_vectors(V_s, residual, self.prior, target_noise(batch.n, model))
        x = np.stack([x_m, self._als_vectors(batch, V_s)], axis=1)
        g, (weight, c) = self._neighbour_scores(batch, terms, self.recency(batch)), weights(batch.n, model)
        z = standardization(weight, *self._sums_over_unseen(batch, V_s, x, g))
        return FoldedIn(batch, terms, residual, x, g, z, c.astype(np.float32))

    def top_n(self, folded: FoldedIn, n: int, among: Mask | None = None, popularity: Floats | None = None) -> TopN:
        """Return the n unseen movies with the highest scores, well-known ones first, for each user of a batch.

        Args:
            among: which movies may be listed, bool [f] by row; None for all.
            popularity: at each user's own time [b, f] by row; None for that of the training run.
        """
        score, groups = score_table(len(folded.batch), self.known, n)
        known = score[:, : self.known]
        # score = (1 - w) z(V x_m) + w z(V x_p) + b z(g) + c popularity
        np.matmul(folded.vectors, self._items, out=known)
        known += folded.z.scale[:, 2:] * folded.g[:, : self.known]
        if popularity is not None:
            row = self.row_at[: self.known]
            known += folded.c[:, None] * (popularity[:, row] - self.factors.popular[row])
        batch = folded.batch
        # all other movies share the column after the last well-known one
        rated = np.minimum(self.column_of[batch.rows], self.known)
        score[batch.each, np.where(batch.mask, rated, self.known)] = NO_SCORE
        if among is not None:
            known[:, ~among[self.row_at[: self.known]]] = NO_SCORE
        columns, filled = top_rows(score, n, groups)
        rows = self.row_at[np.minimum(columns, self.known - 1)]
        for user in np.flatnonzero(~filled[:, -1]):
            self._fill(folded, user, among, rows[user], filled[user])
        return rows, filled

    def scores(self, folded: FoldedIn, rows: Rows | None = None) -> Floats:
        """Return the scores of the movies at `rows` [r], or of all, [b, r]; only their order has a meaning."""
        f, which = self.factors, slice(None) if rows is None else rows
        x, c, minus_shift = np.split(folded.vectors, [-2, -1], axis=1)
        score: Floats = x @ f.V_ranked[which].T
        score += c * f.popular[which] + minus_shift
        score += folded.z.scale[:, 2:] * folded.g[:, self._at(which)]
        return score

    def expected(self, batch: UserBatch, terms: NeighbourTerms, rows: Rows) -> Floats:
        """Return the ratings that the users of a batch would give the movies at `rows` [b, r], within 0.5 to 5.

        mu + b_u + b_i + .75 p.q + .4 (g - .3 n / (n + 20)) with b_u = sum(r - mu - b_i) / (n + 10) and p the MAP
        vector given the residuals. Here old ratings weigh as much in g as new ones.
        """
        f, n = self.factors, batch.n[:, None]
        residual = (batch.rating - f.mu - f.movie_bias[batch.rows]) * batch.mask
        user_bias = residual.sum(axis=1, keepdims=True) / (n + USER_DAMPING)
        residual = ((residual - user_bias) * batch.mask).astype(np.float32)
        p = fold_in.rater_vectors(f.Q[batch.rows] * batch.mask[:, :, None], residual, f.C_r)
        likely = f.mu + f.movie_bias[rows] + user_bias + FACTOR_SHARE * (f.Q[rows] @ p[:, :, None])[:, :, 0]
        if len(f.w):
            g = self._neighbour_scores(batch, terms, np.float32(1))
            usual = USUAL_NEIGHBOUR * n / (n + USUAL_AT)
            likely += NEIGHBOUR_SHARE * (g[batch.each, self._at(rows)] - usual)
        return np.asarray(np.minimum(np.maximum(likely, LOWEST), HIGHEST), np.float32)

    def recency(self, batch: UserBatch) -> Floats:
        """Return (1 + a)^(-recency_exponent) [b, l], where a is how many of the user's ratings are newer."""
        return ((1 + batch.newer) ** -self.factors.model.recency_exponent).astype(np.float32)

    def neighbour_terms(self, batch: UserBatch) -> NeighbourTerms:
        """Return the terms of the neighbour scores of a batch."""
        if len(batch) > 1:
            rows = self._W[batch.rows[batch.mask]]
            return NeighbourTerms(np.diff(rows.indptr), rows.indices, rows.data)
        # for one user, scipy's objects take twice as long as these arrays; for many, half as long
        start = self.factors.w_start[batch.rows[0]]
        count = self.factors.w_start[batch.rows[0] + 1] - start
        at = np.repeat(start - np.cumsum(count) + count, count)  # the rows of W, one after the other
        at += np.arange(len(at))
        return NeighbourTerms(count, self._W.indices.take(at), self.factors.w.take(at))

    def _neighbour_scores(self, batch: UserBatch, terms: NeighbourTerms, weight: Floats | np.float32) -> Floats:
        """Return g = sum over the history of weight (r - 2.5) W[movie, :] by column [b, h + 1]."""
        contribution = (weight * (batch.rating - np.float32(NEUTRAL_RATING)))[batch.mask]
        value = np.repeat(contribution, terms.per_rating) * terms.w
        if len(batch) == 1:  # as above
            one = np.zeros((1, self._neighbour_columns + 1), np.float32)
            np.add.at(one[0], terms.column, value)
            return one
        start = np.concatenate([[0], np.cumsum(terms.per_rating)])[np.concatenate([[0], np.cumsum(batch.n)])]
        # a movie may occur many times in a user's row; toarray adds these entries
        return sparse.csr_matrix((value, terms.column, start), (len(batch), self._neighbour_columns + 1)).toarray()

    def _at(self, rows: Rows | slice) -> Rows:
        """Return the columns of the neighbour scores of the movies at `rows`."""
        return np.minimum(self.column_of[rows], self._neighbour_columns)

    def _als_vectors(self, batch: UserBatch, V_s: Floats) -> Floats:
        model = self.factors.model
        likes = batch.mask & (batch.rating >= model.like_threshold)
        count = likes.sum(axis=1, keepdims=True)
        # move the likes of each user to the front, which keeps the systems small
        first = np.argsort(~likes, axis=1, kind="stable")[:, : count.max()]
        liked = np.arange(first.shape[1]) < count
        V_p = V_s[batch.each, first] * liked[:, :, None]
        return fold_in.als_vectors(V_p, liked, self.item_gram, model.ranker_alpha, model.ranker_reg)

    def _sums_over_unseen(self, batch: UserBatch, V_s: Floats, x: Floats, g: Floats) -> tuple[Rows, Doubles, Doubles]:
        """Return the number of unseen movies [b, 1], and the sums over them of V x_m, V x_p, g, and of their squares.

        V x need not be computed: its sums over all movies are 1'V x and x'V'V x.
        """
        seen = np.concatenate([V_s @ x.swapaxes(1, 2), g[batch.each, self._at(batch.rows), None]], axis=2)
        seen = seen * batch.mask[:, :, None].astype(np.float64)
        total = np.column_stack([x @ self._V_sum, g.sum(axis=1, dtype=np.float64)])
        square = np.column_stack([np.vecdot(x @ self.item_gram.VtV, x), np.vecdot(g, g)])
        unseen = (len(self.row_at) - batch.n)[:, None]
        return unseen, total - seen.sum(axis=1), square - (seen * seen).sum(axis=1)

    def _fill(self, folded: FoldedIn, user: np.intp, among: Mask | None, rows: Rows, filled: Mask) -> None:
        """Fill the empty places of a user's list [n] with movies that are not well known."""
        one = folded.batch.user(user)
        score = self.scores(folded if len(folded.batch) == 1 else self.fold_in(one, self.neighbour_terms(one)))[0]
        best = top_n(score, len(rows), one.rows[0], self.factors.well_known, among)
        rows[: len(best)], filled[: len(best)] = best, True
