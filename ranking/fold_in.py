"""Fold-in: solve the vectors of many users from their histories and fixed item factors.

A single user is a batch of one. Numpy solves a thousand small systems in one call at little more than the cost of one.
Shapes: b users, l ratings each, k dimensions. Shorter histories are padded with zero rows, which change no system.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ranking.ratings import Floats, Mask

RATER_NOISE = 0.3
TINY = 1e-8  # added to the diagonal so that the covariance of few users can be inverted
LEAST_RIDGE = 1e-6  # times the mean diagonal of V'V, which may be singular

Doubles = npt.NDArray[np.float64]


class UserPrior(NamedTuple):
    """Mean m [k] and covariance C [k, k] of the trained users' vectors, and C^-1.

    C^-1 is in double precision: the covariance of few users is nearly singular.
    """

    m: Floats
    C: Floats
    C_inverse: Doubles


def mean_and_covariance(vectors: Floats) -> tuple[Floats, Floats]:
    """Return the mean [k] and the covariance [k, k] of user vectors [u, k]."""
    m = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - m
    C = centred.T @ centred / len(vectors) + TINY * np.eye(vectors.shape[1])
    return m.astype(np.float32), C.astype(np.float32)


class ItemGram(NamedTuple):
    """V'V [k, k], and its eigenvalues l [k] and eigenvectors U [k, k]: V'V = U diag(l) U'."""

    VtV: Floats
    eigenvalues: Floats
    U: Floats

    @classmethod
    def of(cls, V: Floats) -> "ItemGram":
        VtV = V.T @ V
        eigenvalues, U = np.linalg.eigh(VtV.astype(np.float64))
        return cls(VtV, np.maximum(eigenvalues, 0).astype(np.float32), U.astype(np.float32))

    def ridge(self, reg: float, likes: npt.NDArray[np.intp]) -> Floats:
        """Return reg |P| for users with these numbers of likes [b], or the least value that keeps systems solvable."""
        least = LEAST_RIDGE * float(np.trace(self.VtV)) / len(self.VtV) or 1.0
        return np.asarray(np.maximum(reg * likes, least), np.float32)


def map_vectors(V_s: Floats, residual: Floats, prior: UserPrior, noise: Floats) -> Floats:
    """Return the maximum a posteriori vectors [b, k] of users from N(m, C), given the targets y of rated movies.

    Unlike the ALS step, it uses only rated movies as evidence and shrinks to the average user, not to zero, so it is
    accurate from the first rating on.

    Args:
        V_s: factors of the rated movies [b, l, k].
        residual: y - V_s m [b, l], 0 in the padding.
        noise: variance s2 of a target, for each user [b].
    """
    if V_s.shape[1] <= len(prior.m):
        # x = m + C V_s' (V_s C V_s' + s2 I)^-1 (y - V_s m): an l x l system
        return prior.m + _by_ratings(V_s, prior.C, residual, noise[:, None])
    # the same by Woodbury's identity, a k x k system: x = m + (C^-1 + V_s'V_s / s2)^-1 V_s' (y - V_s m) / s2
    A = prior.C_inverse + _gram(V_s) / noise[:, None, None]
    return prior.m + _solve(A, _times(V_s, residual) / noise[:, None]).astype(np.float32)


def map_gains(V_s: Floats, V: Floats, prior: UserPrior, noise: np.float32) -> Floats:
    """Return d(v.x) / d(y - V_s m) [n, r] for the movies V [r, k] and one user's V_s [n, k]."""
    A = prior.C_inverse + V_s.T @ V_s / noise
    return V_s @ np.linalg.solve(A, V.T / noise).astype(np.float32)


def map_covariance(V_s: Floats, prior: UserPrior, noise: np.float32) -> Doubles:
    """Return the covariance [k, k] of the posterior whose mean `map_vectors` returns, for one user's V_s [n, k]."""
    return np.linalg.inv(prior.C_inverse + V_s.T @ V_s / noise)


def als_vectors(V_p: Floats, liked: Mask, item_gram: ItemGram, alpha: float, reg: float) -> Floats:
    """Return the vectors [b, k] of the user step of Spark's implicit ALS; zeros for a user without likes.

    Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), with Spark's scaling
    of the regularization by the number of likes (Zhou et al., "ALS-WR", 2008).

    Args:
        V_p: factors of the liked movies [b, p, k]; liked: false in the padding, bool [b, p].
    """
    likes = liked.astype(np.float32)
    ridge = item_gram.ridge(reg, liked.sum(axis=1))[:, None]
    if V_p.shape[1] > V_p.shape[2]:
        # x = (V'V + alpha V_P'V_P + reg |P| I)^-1 (1 + alpha) V_P'1
        A = item_gram.VtV + np.float32(alpha) * _gram(V_p)
        _add_to_diagonals(A, ridge)
        return _solve(A, np.float32(1 + alpha) * _times(V_p, likes))
    # by the push-through identity, with P = V_p U and D = diag(l) + reg |P| I:
    # x = (1 + alpha) U D^-1 P' (I + alpha P D^-1 P')^-1 1, a p x p system
    P = _project(V_p, item_gram.U)
    DP: Floats = P / (item_gram.eigenvalues + ridge)[:, None, :]
    K = np.float32(alpha) * (P @ DP.swapaxes(1, 2))
    _add_to_diagonals(K, np.float32(1))
    return np.asarray(np.float32(1 + alpha) * (_times(DP, _solve(K, likes)) @ item_gram.U.T), np.float32)


def als_gains(V_p: Floats, V: Floats, item_gram: ItemGram, alpha: float, reg: float) -> Floats:
    """Return the contribution of each of one user's likes V_p [n, k] to v.x of the movies V [r, k]: [n, r]."""
    A = item_gram.VtV + alpha * (V_p.T @ V_p).astype(np.float64)
    A[np.diag_indices(len(A))] += item_gram.ridge(reg, np.array([len(V_p)]))
    return ((1 + alpha) * V_p @ np.linalg.solve(A, V.T)).astype(np.float32)


def rater_vectors(Q_s: Floats, residual: Floats, C_r: Floats) -> Floats:
    """Return p = C_r Q_s' (Q_s C_r Q_s' + .3 I)^-1 residual [b, h], by the smaller of its two systems.

    Args:
        Q_s: the rater's factors of the rated movies [b, l, h]; residual: the ratings minus the biases [b, l].
    """
    if Q_s.shape[1] <= len(C_r):
        return _by_ratings(Q_s, C_r, residual, np.float32(RATER_NOISE))
    # by the push-through identity: p = (C_r Q_s'Q_s + .3 I)^-1 C_r Q_s' residual
    A = np.matmul(C_r, _gram(Q_s))
    _add_to_diagonals(A, np.float32(RATER_NOISE))
    return _solve(A, _times(Q_s, residual) @ C_r.T)


def _by_ratings(V_s: Floats, C: Floats, residual: Floats, noise: Floats | np.float32) -> Floats:
    """Return C V_s' (V_s C V_s' + noise I)^-1 residual [b, k] by l x l systems; `noise` is [b, 1] or a scalar."""
    VC = _project(V_s, C)
    K = VC @ V_s.swapaxes(1, 2)
    _add_to_diagonals(K, noise)
    return _times(VC, _solve(K, residual))


def _project(V_s: Floats, C: Floats) -> Floats:
    """Return V_s C [b, l, k] by one product instead of one for each user."""
    return (V_s.reshape(-1, V_s.shape[2]) @ C).reshape(V_s.shape)


def _gram(V_s: Floats) -> Floats:
    return V_s.swapaxes(1, 2) @ V_s


def _times(V_s: Floats, y: Floats) -> Floats:
    """Return V_s'y of each user [b, k]."""
    return (y[:, None, :] @ V_s)[:, 0, :]


def _add_to_diagonals(A: npt.NDArray[np.floating], value: npt.NDArray[np.floating] | np.float32) -> None:
    """Add a value [b, 1], or a scalar, to the diagonals of A [b, k, k]."""
    at = np.arange(A.shape[1])
    A[:, at, at] += value


def _solve(A: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> Floats:
    return np.linalg.solve(A, right[:, :, None])[:, :, 0]
