"""Fold-in: a user's vector solved from their history and fixed item factors."""

import numpy as np
import numpy.typing as npt

from scoring.ratings import Floats


def plain(V_p: Floats, VtV: Floats, alpha: float, reg: float) -> Floats:
    """The step by which Spark's implicit ALS updates a user who likes the films V_p.

    Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), with Spark's scaling
    of the regularization by the number of likes (Zhou et al., "ALS-WR", 2008).

    Args:
        V_p: factors of the liked films [n, k].
        VtV: V'V over all films [k, k].

    Returns:
        x [k]; zeros for nobody's likes.
    """
    n, k = V_p.shape
    if n == 0:
        return np.zeros(k, np.float32)
    # x = (V'V + alpha V_P'V_P + reg |P| I)^-1 (1 + alpha) V_P'1
    A = VtV + alpha * (V_p.T @ V_p) + reg * n * np.eye(k, dtype=np.float32)
    return np.linalg.solve(A, (1 + alpha) * V_p.sum(axis=0))


def posterior(V_s: Floats, y: Floats, m: Floats, C: Floats, C_inverse: npt.NDArray[np.float64], noise: float) -> Floats:
    """The most probable vector of a user drawn from N(m, C) who was seen to give y on the films V_s.

    Unlike the plain step it takes only what was rated as evidence, and starts from the average user rather than
    from zero; that is what makes it good from the first rating on.

    Args:
        V_s: factors of the rated films [n, k]; y: their targets [n].
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
        K = (VC @ V_s.T).astype(np.float32, copy=False)
        K[np.diag_indices(n)] += noise
        return m + VC.T @ np.linalg.solve(K, residual)
    # the same by Woodbury's identity, a k x k system: x = m + (C^-1 + V_s'V_s / s2)^-1 V_s' (y - V_s m) / s2
    A = C_inverse + V_s.T @ V_s / noise
    return m + np.linalg.solve(A, V_s.T @ residual / noise).astype(np.float32)
