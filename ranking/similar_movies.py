"""Movies that the same users like."""

import numpy as np

from ranking.factors import Factors
from ranking.ratings import Floats, Mask, Rows
from ranking.top_n import top_n

UNRATED_SHARE = 5  # of so many places one may go to a movie without ratings: predicted factors point near many others


def similar(factors: Factors, row: int, n: int, among: Mask | None = None) -> tuple[Rows, Floats]:
    """Return the n movies whose factors point most nearly where those of the movie at `row` do, and the cosines.

    Best first, but little known movies come after all others. Up to a fifth of the places go to movies without ratings
    whose factors are predicted: among the little known no user would find them. Nothing is similar to a movie that was
    rated without a like.
    """
    lengths, V, itself = factors.lengths, factors.V_ranked, np.array([row])
    if lengths[row] == 0:
        return np.empty(0, np.intp), np.empty(0, np.float32)
    cosine = V @ V[row] / np.maximum(lengths * lengths[row], np.finfo(np.float32).tiny)
    if not factors.has_content:
        best = top_n(cosine, n, itself, factors.well_known, among)
        return best, cosine[best]
    unrated, every = factors.rating_count == 0, np.ones(len(V), bool) if among is None else among
    best = top_n(cosine, n, itself, factors.well_known, every & ~unrated)
    new = top_n(cosine, max(1, n // UNRATED_SHARE), itself, unrated, every & unrated)
    # each before the first that is less similar
    place = np.searchsorted(-np.minimum.accumulate(cosine[best]), -cosine[new], side="right")
    best = np.insert(best, place, new)[:n]
    return best, cosine[best]
