"""Why a film is in a list: how much each of the user's own ratings added to its score.

With its means and deviations held, every part of the score is linear in the history, so the shares are exact and not
an approximation made afterwards.
"""

import numpy as np
import numpy.typing as npt

from scoring.factors import Factors
from scoring.ratings import Floats
from scoring.score import History, neighbour_score, spread, targets, weights


def contributions(factors: Factors, h: History, rows: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """What the scores of the films at `rows` [r] are made of.

    Returns:
        baseline [r], what the film would score with nobody's ratings, and parts [n, r], what each rating adds:
        baseline + parts.sum(axis=0) are the scores.
    """
    popularity = factors.popular[rows]
    if len(h) == 0:
        return popularity, np.zeros((0, len(rows)), np.float32)
    w, b, c = weights(len(h), factors.model)
    added_m, x_m = _posterior_parts(factors, h)
    added_p = _plain_parts(factors, h)
    parts, baseline = np.zeros((len(h), len(rows)), np.float32), c * popularity
    V = factors.V[rows]
    for weight, added, start, whole in (
        (1 - w, added_m @ V.T, V @ factors.m, factors.V @ x_m),
        (w, added_p @ V.T, np.zeros(len(rows), np.float32), factors.V @ added_p.sum(axis=0)),
        (b, _neighbour_parts(factors, h, rows), np.zeros(len(rows), np.float32), neighbour_score(factors, h)),
    ):
        mean, deviation = spread(whole, h.rows)
        parts += np.float32(weight / deviation) * added
        baseline += np.float32(weight / deviation) * (start - np.float32(mean))
    return baseline, parts


def shares(parts: Floats) -> Floats:
    """Each rating's share [n, r] in what all ratings that speak for a film add to it; 0 for one that does not."""
    pushes = np.maximum(parts, 0)
    total = np.maximum(pushes.sum(axis=0), np.finfo(np.float32).tiny)
    return np.asarray(pushes / total, np.float32)


def _posterior_parts(factors: Factors, h: History) -> tuple[Floats, Floats]:
    """What each rating adds to x_m [n, k], and x_m: x_m = m + sum over s of K_s (y_s - v_s.m)."""
    V_s = factors.V[h.rows]
    VC = V_s @ factors.C
    # K = C V_s' (V_s C V_s' + s2 I)^-1
    K: Floats = np.linalg.solve(VC @ V_s.T + np.float32(factors.model.noise) * np.eye(len(h), dtype=np.float32), VC)
    added = K * (targets(h.rating, factors.model) - V_s @ factors.m)[:, None]
    return added, factors.m + added.sum(axis=0)


def _plain_parts(factors: Factors, h: History) -> Floats:
    """What each rating adds to x_p [n, k]: (V'V + alpha V_P'V_P + reg |P| I)^-1 (1 + alpha) v for a like."""
    model, likes = factors.model, h.rating >= factors.model.like_threshold
    added = np.zeros((len(h), factors.V.shape[1]), np.float32)
    if likes.any():
        V_p = factors.V[h.rows[likes]]
        ridge = np.float32(model.ranker_reg * likes.sum()) * np.eye(V_p.shape[1], dtype=np.float32)
        A = factors.VtV + np.float32(model.ranker_alpha) * (V_p.T @ V_p) + ridge
        added[likes] = np.float32(1 + model.ranker_alpha) * np.linalg.solve(A, V_p.T).T
    return added


def _neighbour_parts(factors: Factors, h: History, rows: npt.NDArray[np.intp]) -> Floats:
    """What each rating adds to g [n, r]: (r - 2.5) W[film, rows]."""
    added = np.zeros((len(h), len(rows)), np.float32)
    for at, (row, rating) in enumerate(zip(h.rows, h.rating, strict=True)):
        own = History(np.array([row]), np.array([rating], np.float32))
        added[at] = neighbour_score(factors, own)[rows]
    return added
