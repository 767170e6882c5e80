"""Why a movie is in a list: how much each of the user's own ratings added to its score.

With its means and deviations held, every part of the score is linear in the history, so the shares are exact and not
an approximation made afterwards.
"""

import numpy as np
import numpy.typing as npt

from ranking import fold_in
from ranking.ratings import Floats
from ranking.score import UserModel

MOST_REASONS = 3

RatingShare = tuple[int, float]
"""Which rating of the history, and its share."""


def reasons(user_model: UserModel, rows: npt.NDArray[np.intp]) -> list[list[RatingShare]]:
    """For each movie of `rows` up to three of the user's ratings that speak for it, those with the largest share first.

    None where the ratings speak against it: popularity alone has brought it up.
    """
    share = shares(contributions(user_model, rows)[1])
    best = np.argsort(-share, axis=0, kind="stable")[:MOST_REASONS]
    return [
        [(int(at), float(share[at, column])) for at in best[:, column] if share[at, column] > 0]
        for column in range(len(rows))
    ]


def contributions(user_model: UserModel, rows: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """What the scores of the movies at `rows` [r] are made of.

    Returns:
        baseline [r], what the movie would score with nobody's ratings, and parts [n, r], what each rating adds:
        baseline + parts.sum(axis=0) are the scores.
    """
    factors, popularity = user_model.factors, user_model.factors.popular[rows]
    if len(user_model.history) == 0:
        return popularity, np.zeros((0, len(rows)), np.float32)
    V = factors.V[rows]
    m, p, g = user_model.standardizations
    parts = m.scale * _posterior_parts(user_model, V)
    if user_model.likes.any():
        parts[user_model.likes] += p.scale * _plain_parts(user_model, V)
    parts += g.scale * _neighbour_parts(user_model, rows)
    baseline = np.float32(user_model.c) * popularity + m.scale * (V @ factors.m) - (m.shift + p.shift + g.shift)
    return baseline, parts


def shares(parts: Floats) -> Floats:
    """Each rating's share [n, r] in what all ratings that speak for a movie add to it; 0 for one that does not."""
    pushes = np.maximum(parts, 0)
    total = np.maximum(pushes.sum(axis=0), np.finfo(np.float32).tiny)
    return np.asarray(pushes / total, np.float32)


def _posterior_parts(user_model: UserModel, V: Floats) -> Floats:
    """What each rating adds to V x_m [n, r]."""
    f = user_model.factors
    gains = fold_in.posterior_gains(user_model.V_s, V, f.C, f.C_inverse, f.model.noise)
    return gains * (user_model.y - user_model.V_s @ f.m)[:, None]


def _plain_parts(user_model: UserModel, V: Floats) -> Floats:
    """What each like adds to V x_p [likes, r]."""
    model = user_model.factors.model
    return fold_in.als_step_gains(
        user_model.V_s[user_model.likes], V, user_model.factors.VtV, model.ranker_alpha, model.ranker_reg
    )


def _neighbour_parts(user_model: UserModel, rows: npt.NDArray[np.intp]) -> Floats:
    """What each rating adds to g of the movies at `rows`: [n, r]."""
    column = np.full(len(user_model.factors.movies), -1, np.intp)
    column[rows] = np.arange(len(rows))
    at = column[user_model.neighbour_terms.movie]
    listed = at >= 0
    added = np.zeros((len(user_model.history), len(rows)), np.float32)
    added[user_model.neighbour_terms.rating_index[listed], at[listed]] = user_model.neighbour_terms.value[
        listed
    ]  # a movie is once among another's neighbours
    return added
