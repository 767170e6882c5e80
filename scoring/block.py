"""The tastes of many users at once: what `score.Taste` solves for one, as stacks of small systems.

One call of numpy for a thousand users costs what it costs for one, and the small systems themselves little.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.factors import Factors
from scoring.once import once
from scoring.ratings import HIGHEST, LOWEST, Floats
from scoring.score import (
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

Rows = npt.NDArray[np.intp]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """The histories of b users, each with at least one rating, filled up to the length l of the longest.

    Attributes:
        rows: of the rated films, [b, l]; 0 where there is none.
        rating: float32 [b, l].
        given: which of these are there, bool [b, l].
    """

    factors: Factors
    rows: Rows
    rating: Floats
    given: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    @once
    def n(self) -> npt.NDArray[np.intp]:
        """The number of ratings of each user [b]."""
        counts: npt.NDArray[np.intp] = self.given.sum(axis=1)
        return counts

    @once
    def weights(self) -> tuple[Doubles, Doubles, Doubles]:
        """w, b and c of each user [b]."""
        w, b, c = np.array([weights(n, self.factors.model) for n in self.n.tolist()]).T
        return w, b, c

    @once
    def V_s(self) -> Floats:
        """The ranker's factors of the rated films [b, l, k]; zeros, which change no system, where there is none."""
        return self._filled(self.factors.V)

    @once
    def x_m(self) -> Floats:
        """The MAP vectors [b, k], as `fold_in.posterior` solves them."""
        f, noise = self.factors, self.factors.model.noise
        residual = (targets(self.rating, f.model) - self.V_s @ f.m) * self.given
        if self.rows.shape[1] <= len(f.m):
            return f.m + _by_ratings(self.V_s, f.C, residual, noise)
        A = f.C_inverse + _gram(self.V_s) / noise
        return f.m + _solved(A, _times(self.V_s, residual) / noise).astype(np.float32)

    @once
    def x_p(self) -> Floats:
        """The plain vectors [b, k], as `fold_in.plain` solves them; zeros for who likes nothing."""
        f, model = self.factors, self.factors.model
        likes = (self.given & (self.rating >= model.like_threshold)).astype(np.float32)
        alpha, ridge = np.float32(model.ranker_alpha), np.float32(model.ranker_reg) * likes.sum(axis=1, keepdims=True)
        if self.rows.shape[1] > f.V.shape[1] or model.ranker_reg == 0:
            A = f.VtV + alpha * _gram(self.V_s * likes[:, :, None])
            _add_to_diagonals(A, ridge)
            A[ridge[:, 0] == 0] = np.eye(A.shape[1])
            return _solved(A, (1 + alpha) * _times(self.V_s, likes))
        # by the push-through identity and V'V = U diag(l) U', with P the likes times U and D = diag(l) + reg |P| I:
        # x = (1 + alpha) U D^-1 P' (I + alpha P D^-1 P')^-1 1, a system as large as the history is long
        spread, U = f.VtV_axes
        P = (self.V_s @ U) * likes[:, :, None]
        D = np.where(ridge == 0, 1, np.maximum(spread, 0) + ridge).astype(np.float32)
        DP: Floats = P / D[:, None, :]
        K = alpha * (P @ DP.swapaxes(1, 2))
        _add_to_diagonals(K, np.float32(1))
        return np.asarray((1 + alpha) * _times(DP, _solved(K, likes)) @ U.T, np.float32)

    def scales_along(self, x: Floats, weight: Doubles) -> Floats:
        """What makes `weight` z(V x) of V x for each user, float32 [b], but for a shift: see `score.spread_along`."""
        f = self.factors
        s_seen = (self.V_s @ x[:, :, None])[:, :, 0].astype(np.float64)
        total = x @ f.V_sum - s_seen.sum(axis=1)
        square = np.einsum("bk,bk->b", x @ f.VtV, x) - np.einsum("bl,bl->b", s_seen, s_seen)
        return self.scales(weight, total, square)

    def scales(self, weight: Doubles, total: Doubles, square: Doubles) -> Floats:
        """The same of scores whose sum and sum of squares over the films not rated are known [b]."""
        _, deviation = deviations(len(self.factors.films) - self.n, total, square)
        return (weight / deviation).astype(np.float32)

    def expected(self, rows: Rows, g: Floats) -> Floats:
        """`score.expected_rating` for each user, of the films at `rows` [b, r] with neighbour scores g [b, r]."""
        f, n = self.factors, self.n[:, None]
        residual = (self.rating - f.mu - f.film_bias[self.rows]) * self.given
        user_bias = residual.sum(axis=1, keepdims=True) / (n + USER_DAMPING)
        p = self._rater_vectors(((residual - user_bias) * self.given).astype(np.float32))
        likely = f.mu + f.film_bias[rows] + user_bias + FACTOR_SHARE * np.einsum("brh,bh->br", f.Q[rows], p)
        if len(f.w):
            likely += NEIGHBOUR_SHARE * (g - USUAL_NEIGHBOUR * n / (n + USUAL_AT))
        return np.asarray(np.clip(likely, LOWEST, HIGHEST), np.float32)

    def _rater_vectors(self, residual: Floats) -> Floats:
        """p [b, h], as `score.rater_vector` solves it."""
        f, Q_s = self.factors, self._filled(self.factors.Q)
        if self.rows.shape[1] <= len(f.C_r):
            return _by_ratings(Q_s, f.C_r, residual, RATER_NOISE)
        A = np.matmul(f.C_r, _gram(Q_s))
        _add_to_diagonals(A, np.float32(RATER_NOISE))
        return _solved(A, _times(Q_s, residual) @ f.C_r.T)

    def _filled(self, factors: Floats) -> Floats:
        """The rows of the rated films of a matrix [f, k]: [b, l, k]."""
        taken: Floats = factors[self.rows]
        taken[~self.given] = 0
        return taken


def _by_ratings(V_s: Floats, C: Floats, residual: Floats, noise: float) -> Floats:
    """C V_s' (V_s C V_s' + noise I)^-1 residual for each user: systems as large as the histories are long."""
    VC = V_s @ C
    K = VC @ V_s.swapaxes(1, 2)
    _add_to_diagonals(K, np.float32(noise))
    return _times(VC, _solved(K, residual))


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
