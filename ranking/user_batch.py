"""The tastes of many users at once: what `score.UserModel` solves for one, as stacks of small systems.

One call of numpy for a thousand users costs what it costs for one, and the small systems themselves little.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranking.factors import Factors
from ranking.ratings import HIGHEST, LOWEST, Floats, Rows
from ranking.score import (
    FACTOR_SHARE,
    NEIGHBOUR_SHARE,
    RATER_NOISE,
    USER_DAMPING,
    USUAL_AT,
    USUAL_NEIGHBOUR,
    deviations,
    targets,
    weights,
)
from ranking.unlocked_property import once

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class UserBatch:
    """The histories of b users, each with at least one rating, filled up to the length l of the longest.

    Attributes:
        rows: of the rated movies, [b, l]; 0 where there is none.
        rating: float32 [b, l].
        mask: which of these are there, bool [b, l].
    """

    factors: Factors
    rows: Rows
    rating: Floats
    mask: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    @once
    def n(self) -> npt.NDArray[np.intp]:
        """The number of ratings of each user [b]."""
        counts: npt.NDArray[np.intp] = self.mask.sum(axis=1)
        return counts

    @once
    def weights(self) -> tuple[Doubles, Doubles, Doubles]:
        """w, b and c of each user [b]."""
        return weights(self.n.astype(np.float64), self.factors.model)

    @once
    def V_s(self) -> Floats:
        """The ranker's factors of the rated movies [b, l, k]; zeros, which change no system, where there is none."""
        return _filled(self.factors.V, self.rows, self.mask)

    @once
    def x_m(self) -> Floats:
        """The MAP vectors [b, k], as `fold_in.posterior` solves them."""
        f, noise = self.factors, self.factors.model.noise
        residual = (targets(self.rating, f.model) - self.V_s @ f.m) * self.mask
        if self.rows.shape[1] <= len(f.m):
            return f.m + _by_ratings(self.V_s, f.C, residual, noise)
        A = f.C_inverse + _gram(self.V_s) / noise
        return f.m + _solved(A, _times(self.V_s, residual) / noise).astype(np.float32)

    @once
    def x_p(self) -> Floats:
        """The plain vectors [b, k], as `fold_in.als_step` solves them; zeros for who likes nothing."""
        f, model = self.factors, self.factors.model
        rows, there = self._likes()
        V_p, likes = _filled(f.V, rows, there), there.astype(np.float32)
        count = likes.sum(axis=1, keepdims=True)
        alpha, ridge = np.float32(model.ranker_alpha), np.float32(model.ranker_reg) * count
        if rows.shape[1] > f.V.shape[1] or model.ranker_reg == 0:
            A = f.VtV + alpha * _gram(V_p)
            _add_to_diagonals(A, ridge)
            A[count[:, 0] == 0] = np.eye(A.shape[1])
            return _solved(A, (1 + alpha) * _times(V_p, likes))
        # by the push-through identity and V'V = U diag(l) U', with P = V_p U and D = diag(l) + reg |P| I:
        # x = (1 + alpha) U D^-1 P' (I + alpha P D^-1 P')^-1 1, a system as large as the likes are many
        spread, U = f.VtV_axes
        P = _turned(V_p, U)
        D = np.where(count == 0, 1, np.maximum(spread, 0) + ridge).astype(np.float32)
        DP: Floats = P / D[:, None, :]
        K = alpha * (P @ DP.swapaxes(1, 2))
        _add_to_diagonals(K, np.float32(1))
        return np.asarray((1 + alpha) * _times(DP, _solved(K, likes)) @ U.T, np.float32)

    def _likes(self) -> tuple[Rows, npt.NDArray[np.bool_]]:
        """The rows of the movies that each user likes [b, p], and which of these are there."""
        likes = self.mask & (self.rating >= self.factors.model.like_threshold)
        count = likes.sum(axis=1, keepdims=True)
        first = np.argsort(~likes, axis=1, kind="stable")[:, : count.max()]
        return np.take_along_axis(self.rows, first, axis=1), np.arange(first.shape[1]) < count

    def scales_along(self, x: Floats, weight: Doubles) -> Floats:
        """What makes `weight` z(V x) of V x for each user, float32 [b], but for a shift: see `score.spread_along`."""
        f = self.factors
        s_seen = (self.V_s @ x[:, :, None])[:, :, 0]
        return self.scales(weight, s_seen, x @ f.V_sum, np.vecdot(x @ f.VtV, x))

    def scales(self, weight: Doubles, s_seen: Floats, total: Doubles, square: Doubles | Floats) -> Floats:
        """The same of scores whose sum and sum of squares over all movies are known [b].

        Args:
            s_seen: those of the movies that were rated [b, l], 0 where there is none.
        """
        seen = s_seen.astype(np.float64)
        unseen = len(self.factors.movies) - self.n
        deviation = deviations(unseen, total - seen.sum(axis=1), square - np.vecdot(seen, seen))
        return (weight / deviation).astype(np.float32)

    def expected(self, rows: Rows, g: Floats) -> Floats:
        """`score.expected_rating` for each user, of the movies at `rows` [b, r] with neighbour scores g [b, r]."""
        f, n = self.factors, self.n[:, None]
        residual = (self.rating - f.mu - f.movie_bias[self.rows]) * self.mask
        user_bias = residual.sum(axis=1, keepdims=True) / (n + USER_DAMPING)
        p = self._rater_vectors(((residual - user_bias) * self.mask).astype(np.float32))
        likely = f.mu + f.movie_bias[rows] + user_bias + FACTOR_SHARE * np.einsum("brh,bh->br", f.Q[rows], p)
        if len(f.w):
            likely += NEIGHBOUR_SHARE * (g - USUAL_NEIGHBOUR * n / (n + USUAL_AT))
        return np.asarray(np.clip(likely, LOWEST, HIGHEST), np.float32)

    def _rater_vectors(self, residual: Floats) -> Floats:
        """p [b, h], as `score.rater_vector` solves it."""
        f, Q_s = self.factors, _filled(self.factors.Q, self.rows, self.mask)
        if self.rows.shape[1] <= len(f.C_r):
            return _by_ratings(Q_s, f.C_r, residual, RATER_NOISE)
        A = np.matmul(f.C_r, _gram(Q_s))
        _add_to_diagonals(A, np.float32(RATER_NOISE))
        return _solved(A, _times(Q_s, residual) @ f.C_r.T)


def _filled(factors: Floats, rows: Rows, there: npt.NDArray[np.bool_]) -> Floats:
    """These rows of a matrix [f, k], [b, l, k]; zeros where there is none."""
    taken: Floats = factors[rows]
    taken[~there] = 0
    return taken


def _by_ratings(V_s: Floats, C: Floats, residual: Floats, noise: float) -> Floats:
    """C V_s' (V_s C V_s' + noise I)^-1 residual for each user: systems as large as the histories are long."""
    VC = _turned(V_s, C)
    K = VC @ V_s.swapaxes(1, 2)
    _add_to_diagonals(K, np.float32(noise))
    return _times(VC, _solved(K, residual))


def _turned(V_s: Floats, C: Floats) -> Floats:
    """V_s C [b, l, k], as one product and not one for each user."""
    product: Floats = (V_s.reshape(-1, V_s.shape[2]) @ C).reshape(V_s.shape)
    return product


def _add_to_diagonals(A: npt.NDArray[np.floating], value: npt.NDArray[np.floating] | np.float32) -> None:
    """Add the value [b, 1], or one for all, to the diagonals of A [b, k, k]."""
    at = np.arange(A.shape[1])
    A[:, at, at] += value


def _gram(V_s: Floats) -> Floats:
    product: Floats = V_s.swapaxes(1, 2) @ V_s
    return product


def _times(V_s: Floats, y: Floats) -> Floats:
    """V_s' y for each user: [b, k]."""
    product: Floats = (y[:, None, :] @ V_s)[:, 0, :]
    return product


def _solved(A: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> Floats:
    solution: Floats = np.linalg.solve(A, right[:, :, None])[:, :, 0]
    return solution
