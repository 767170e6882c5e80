"""Why a film is in a list: how much each of the user's own ratings added to its score.

With its means and deviations held, every part of the score is linear in the history, so the shares are exact and not
an approximation made afterwards.
"""

import numpy as np
import numpy.typing as npt

from scoring import fold_in
from scoring.ratings import Floats
from scoring.score import Taste

MOST_REASONS = 3

Reason = tuple[int, float]
"""Which rating of the history, and its share."""


def reasons(taste: Taste, rows: npt.NDArray[np.intp]) -> list[list[Reason]]:
    """For each film of `rows` up to three of the user's ratings that speak for it, those with the largest share first.

    None where the ratings speak against it: popularity alone has brought it up.
    """
    share = shares(contributions(taste, rows)[1])
    best = np.argsort(-share, axis=0, kind="stable")[:MOST_REASONS]
    return [
        [(int(at), float(share[at, column])) for at in best[:, column] if share[at, column] > 0]
        for column in range(len(rows))
    ]


def contributions(taste: Taste, rows: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """What the scores of the films at `rows` [r] are made of.

    Returns:
        baseline [r], what the film would score with nobody's ratings, and parts [n, r], what each rating adds:
        baseline + parts.sum(axis=0) are the scores.
    """
    factors, popularity = taste.factors, taste.factors.popular[rows]
    if len(taste.history) == 0:
        return popularity, np.zeros((0, len(rows)), np.float32)
    V = factors.V[rows]
    m, p, g = taste.standards
    parts = m.scale * _posterior_parts(taste, V)
    if taste.likes.any():
        parts[taste.likes] += p.scale * _plain_parts(taste, V)
    parts += g.scale * _neighbour_parts(taste, rows)
    baseline = np.float32(taste.c) * popularity + m.scale * (V @ factors.m) - (m.shift + p.shift + g.shift)
    return baseline, parts


def shares(parts: Floats) -> Floats:
    """Each rating's share [n, r] in what all ratings that speak for a film add to it; 0 for one that does not."""
    pushes = np.maximum(parts, 0)
    total = np.maximum(pushes.sum(axis=0), np.finfo(np.float32).tiny)
    return np.asarray(pushes / total, np.float32)


def _posterior_parts(taste: Taste, V: Floats) -> Floats:
    """What each rating adds to V x_m [n, r]."""
    f = taste.factors
    gains = fold_in.posterior_gains(taste.V_s, V, f.C, f.C_inverse, f.model.noise)
    return gains * (taste.y - taste.V_s @ f.m)[:, None]


def _plain_parts(taste: Taste, V: Floats) -> Floats:
    """What each like adds to V x_p [likes, r]."""
    model = taste.factors.model
    return fold_in.plain_gains(taste.V_s[taste.likes], V, taste.factors.VtV, model.ranker_alpha, model.ranker_reg)


def _neighbour_parts(taste: Taste, rows: npt.NDArray[np.intp]) -> Floats:
    """What each rating adds to g of the films at `rows`: [n, r]."""
    column = np.full(len(taste.factors.films), -1, np.intp)
    column[rows] = np.arange(len(rows))
    at = column[taste.told.film]
    listed = at >= 0
    added = np.zeros((len(taste.history), len(rows)), np.float32)
    added[taste.told.by[listed], at[listed]] = taste.told.value[listed]  # a film is once among another's neighbours
    return added
