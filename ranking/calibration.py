"""Calibrate lists: make their genre proportions resemble those of the user's likes.

Steck, "Calibrated Recommendations" (RecSys 2018). Shapes: c candidates, G genres. A row of `genres` [c, G] has the
share of each genre in a movie and sums to 1; p [G] is the mean of these rows over the movies that the user likes.
"""

import numpy as np

from ranking.fold_in import Doubles
from ranking.ratings import Floats, Mask, Rows

POOL = 100  # number of best movies by score from which a calibrated list is chosen
EXPONENT = 1.74  # of the diversity, so that diversity .5 has about half of the effect
SMOOTHING = 0.01
APART = 1e4  # exceeds every calibration term, so preferred movies come first at every diversity


def calibrated(score: Floats, preferred: Mask, genres: Floats, p: Floats, diversity: float, n: int) -> Rows:
    """Return the indexes into `score` [c] of the first n movies of a calibrated list, in its order.

    Movies that are not `preferred` [c] come after all that are. Ties go to the lower index. The list for a smaller n is
    a prefix of the list for a larger n.
    """
    if len(score) == 0:
        return np.empty(0, np.intp)
    strength = diversity**EXPONENT
    s = (score - score.mean(dtype=np.float64)) / max(float(score.std()), np.finfo(np.float32).tiny) + APART * preferred
    genres, p64 = genres.astype(np.float64), p.astype(np.float64)
    chosen, total = np.zeros(min(n, len(score)), np.intp), np.zeros(len(p64))
    for place in range(len(chosen)):
        # argmax s - lambda (place + 1) KL(p || .99 q + .01 p), q being the list with the candidate
        q = (total + genres) / (place + 1)
        best = np.argmax(s - strength * (place + 1) * _divergence(p64, q))
        chosen[place], total, s[best] = best, total + genres[best], -np.inf
    return chosen


def miscalibration(genres: Floats, p: Floats) -> float:
    """Return KL(p || .99 q + .01 p) of a list of movies with these genres, q being their mean; 0 is a perfect match."""
    return float(_divergence(p.astype(np.float64), genres.mean(axis=0, dtype=np.float64)))


def _divergence(p: Doubles, q: Doubles) -> Doubles:
    """Return KL(p || .99 q + .01 p) of each row of q [..., G]."""
    likes = p > 0  # the other genres add nothing
    p, q = p[likes], q[..., likes]
    return -np.log((1 - SMOOTHING) * q / p + SMOOTHING) @ p
