"""Explain recommendations by how much each of the user's ratings adds to a movie's score.

With its means and deviations fixed, every part of the score is linear in the history, so the shares are exact.
"""

import numpy as np

from ranking import fold_in
from ranking.ranker import FoldedIn, Ranker
from ranking.ratings import Floats, Rows
from ranking.score import NEUTRAL_RATING, target_noise

MOST_REASONS = 3

RatingShare = tuple[int, float]
"""The index of a rating in the history, and its share."""


def reasons(ranker: Ranker, folded: FoldedIn, rows: Rows) -> list[list[RatingShare]]:
    """Return, for each movie of `rows`, up to three of the user's ratings that raise its score, largest share first.

    A movie has no reasons if no rating raises its score; then it is there for its popularity alone.
    """
    share = shares(contributions(ranker, folded, rows)[1])
    best = np.argsort(-share, axis=0, kind="stable")[:MOST_REASONS]
    return [
        [(int(at), float(share[at, column])) for at in best[:, column] if share[at, column] > 0]
        for column in range(len(rows))
    ]


def contributions(ranker: Ranker, folded: FoldedIn, rows: Rows) -> tuple[Floats, Floats]:
    """Decompose the scores of the movies at `rows` [r] for the user of a batch of one.

    Returns:
        baseline [r], the scores without any rating, and parts [n, r], the contribution of each rating; the scores are
        baseline + parts.sum(axis=0).
    """
    f, history, scale = ranker.factors, folded.batch.rows[0], folded.z.scale[0]
    V_s, V = f.V[history], f.V_ranked[rows]
    liked = folded.batch.rating[0] >= f.model.like_threshold
    noise = target_noise(folded.batch.n, f.model)[0]
    parts = fold_in.map_gains(V_s, V, ranker.prior, noise) * (scale[0] * folded.residual).T
    if liked.any():
        gains = fold_in.als_gains(V_s[liked], V, ranker.item_gram, f.model.ranker_alpha, f.model.ranker_reg)
        parts[liked] += scale[1] * gains
    parts += scale[2] * _neighbour_parts(ranker, folded, rows)
    baseline = folded.c * f.popular[rows] + scale[0] * (V @ f.m) - folded.shift
    return baseline, parts


def _neighbour_parts(ranker: Ranker, folded: FoldedIn, rows: Rows) -> Floats:
    """Return the contribution of each rating to g of the movies at `rows`, [n, r]."""
    terms, batch = folded.terms, folded.batch
    contribution = ranker.recency(batch)[0] * (batch.rating[0] - np.float32(NEUTRAL_RATING))
    position = np.full(len(ranker.row_at), -1, np.intp)
    position[ranker.column_of[rows]] = np.arange(len(rows))
    at, rating = position[terms.column], np.repeat(np.arange(len(terms.per_rating)), terms.per_rating)
    listed = at >= 0
    parts = np.zeros((len(terms.per_rating), len(rows)), np.float32)
    parts[rating[listed], at[listed]] = (contribution[rating] * terms.w)[listed]  # each index pair occurs once
    return parts


def shares(parts: Floats) -> Floats:
    """Return each rating's share [n, r] of the positive contributions to a movie's score; 0 for a negative one."""
    pushes = np.maximum(parts, 0)
    total = np.maximum(pushes.sum(axis=0), np.finfo(np.float32).tiny)
    return np.asarray(pushes / total, np.float32)
