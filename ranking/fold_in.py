"""Fold-in: a user's vector solved from their history and fixed item factors."""

import numpy as np
import numpy.typing as npt

from ranking.ratings import Floats


def als_step(V_p: Floats, VtV: Floats, alpha: float, reg: float) -> Floats:
    """The step by which Spark's implicit ALS updates a user who likes the movies V_p.

    Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), with Spark's scaling
    of the regularization by the number of likes (Zhou et al., "ALS-WR", 2008).

    Args:
        V_p: factors of the liked movies [n, k].
        VtV: V'V over all movies [k, k].

    Returns:
        x [k]; zeros for nobody's likes.
    """
    n, k = V_p.shape
    if n == 0:
        return np.zeros(k, np.float32)
    # x = (V'V + alpha V_P'V_P + reg |P| I)^-1 (1 + alpha) V_P'1
    return np.linalg.solve(_normal(V_p, VtV, alpha, reg), (1 + alpha) * V_p.sum(axis=0))


def als_step_gains(V_p: Floats, V: Floats, VtV: Floats, alpha: float, reg: float) -> Floats:
    """What each of the likes V_p [n, k] adds to v.x of the movies V [r, k], x being `plain`: [n, r]."""
    return (1 + alpha) * V_p @ np.linalg.solve(_normal(V_p, VtV, alpha, reg), V.T)


def _normal(V_p: Floats, VtV: Floats, alpha: float, reg: float) -> Floats:
    A = np.asarray(VtV + alpha * (V_p.T @ V_p), np.float32)
    A[np.diag_indices(len(A))] += reg * len(V_p)
    return A


def posterior(V_s: Floats, y: Floats, m: Floats, C: Floats, C_inverse: npt.NDArray[np.float64], noise: float) -> Floats:
    """The most probable vector of a user drawn from N(m, C) who was seen to give y on the movies V_s.

    Unlike the plain step it takes only what was rated as evidence, and starts from the average user rather than
    from zero; that is what makes it good from the first rating on.

    Args:
        V_s: factors of the rated movies [n, k]; y: their targets [n].
        m, C, C_inverse: the trained users' mean [k], covariance and its inverse [k, k].
        noise: variance s2 of one target.

    Returns:
        x [k]; m for an empty history.
    """
    n, k = V_s.shape
    residual = y - V_s @ m
    if n <= k:
        # x = m + C V_s' (V_s C V_s' + s2 I)^-1 (y - V_s m): an n x n system
        VC = V_s @ C
        return m + VC.T @ np.linalg.solve(_noisy(VC @ V_s.T, noise), residual)
    # the same by Woodbury's identity, a k x k system: x = m + (C^-1 + V_s'V_s / s2)^-1 V_s' (y - V_s m) / s2
    A = C_inverse + V_s.T @ V_s / noise
    return m + np.linalg.solve(A, V_s.T @ residual / noise).astype(np.float32)


def posterior_gains(V_s: Floats, V: Floats, C: Floats, C_inverse: npt.NDArray[np.float64], noise: float) -> Floats:
    """What v.x of the movies V [r, k] gains by each unit of y - V_s m [n], x being the `posterior`: [n, r]."""
    n, k = V_s.shape
    if n <= k:
        VC = V_s @ C
        return np.linalg.solve(_noisy(VC @ V_s.T, noise), VC @ V.T)
    return V_s @ np.linalg.solve(C_inverse + V_s.T @ V_s / noise, V.T / noise).astype(np.float32)


def _noisy(K: npt.NDArray[np.floating], noise: float) -> Floats:
    noisy = np.asarray(K, np.float32)
    noisy[np.diag_indices(len(K))] += noise
    return noisy
