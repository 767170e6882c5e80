"""Why a movie is in a list: how much each of the user's own ratings adds to its score.

With its means and deviations fixed, every part of the score is linear in the history, so the shares are exact.
"""

import numpy as np

from ranking import fold_in
from ranking.ranker import FoldedIn, Ranker
from ranking.ratings import Floats, Rows

MOST_REASONS = 3

RatingShare = tuple[int, float]
"""The number of a rating in the history, and its share."""


def reasons(ranker: Ranker, folded: FoldedIn, rows: Rows) -> list[list[RatingShare]]:
    """Return, for each movie of `rows`, up to three of the user's ratings that raise its score, largest share first.

    A list is empty where no rating raises the score: popularity alone put the movie there.
    """
    share = shares(contributions(ranker, folded, rows)[1])
    best = np.argsort(-share, axis=0, kind="stable")[:MOST_REASONS]
    return [
        [(int(at), float(share[at, column])) for at in best[:, column] if share[at, column] > 0]
        for column in range(len(rows))
    ]


def contributions(ranker: Ranker, folded: FoldedIn, rows: Rows) -> tuple[Floats, Floats]:
    """Return what the scores of the movies at `rows` [r] are made of, for the user of a batch of one.

    Returns:
        baseline [r], the score without any rating, and parts [n, r], what each rating adds:
        baseline + parts.sum(axis=0) are the scores.
    """
    f, history = ranker.factors, folded.batch.rows[0]
    V_s, V = f.V[history], f.V[rows]
    liked = folded.batch.rating[0] >= f.model.like_threshold
    parts = fold_in.map_gains(V_s, V, ranker.prior, f.model.noise) * (folded.m.scale * folded.residual).T
    if liked.any():
        gains = fold_in.als_gains(V_s[liked], V, ranker.item_gram, f.model.ranker_alpha, f.model.ranker_reg)
        parts[liked] += folded.p.scale * gains
    parts += folded.n.scale * ranker.neighbour_terms(folded.batch)[:, ranker.place[rows]].toarray()
    shift = folded.m.shift + folded.p.shift + folded.n.shift
    baseline = folded.c * f.popular[rows] + folded.m.scale * (V @ f.m) - shift
    return baseline, parts


def shares(parts: Floats) -> Floats:
    """Return each rating's share [n, r] in what all ratings that raise a movie's score add; 0 for one that does not."""
    pushes = np.maximum(parts, 0)
    total = np.maximum(pushes.sum(axis=0), np.finfo(np.float32).tiny)
    return np.asarray(pushes / total, np.float32)
