"""Find similar movies by the cosine of their factors."""

import numpy as np

from ranking.factors import Factors
from ranking.ratings import Floats, Mask, Rows
from ranking.top_n import top_n

UNRATED_SHARE = 5  # one in this many places may hold an unrated movie: predicted factors are close to many others


def similar(factors: Factors, row: int, n: int, among: Mask | None = None) -> tuple[Rows, Floats]:
    """Return the n movies with the highest cosine of their factors to those of the movie at `row`, and the cosines.

    Movies are sorted best first, but movies with few ratings come after all others. Up to a fifth of the places go to
    unrated movies with predicted factors, which users would not find among the last. The result is empty for a movie
    with ratings but no like.
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
    # insert each before the first less similar movie
    place = np.searchsorted(-np.minimum.accumulate(cosine[best]), -cosine[new], side="right")
    best = np.insert(best, place, new)[:n]
    return best, cosine[best]
