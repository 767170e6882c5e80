"""What is known of a user before their first rating: mean and covariance of the trained users' vectors."""

import numpy as np
import numpy.typing as npt

from scoring.popularity import decay
from scoring.ratings import Floats, Ints, Ratings

LASTS = 8  # half-lives of popularity in one of the prior: what people are like changes more slowly than what is new
TINY = 1e-8  # added to the diagonal so that a covariance of few users can be inverted


def recency(users: Ints, ratings: Ratings, half_life_days: float) -> npt.NDArray[np.float64]:
    """How much each of these users says about today's, float64 [u]: 2^(-age of their last rating / (8 half-lives)).

    With one half-life instead of eight, a set of 600 users over 20 years comes down to its last few.
    """
    ids, user = np.unique(ratings.user, return_inverse=True)
    last = np.full(len(ids), np.iinfo(np.int64).min)
    np.maximum.at(last, user, ratings.at)
    return decay(last[np.searchsorted(ids, users)], int(last.max()), LASTS * half_life_days)


def moments(vectors: Floats, weight: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Weighted mean [k] and covariance [k, k] of user vectors [u, k]."""
    share = weight / weight.sum()
    m = share @ vectors
    centred = vectors - m
    C = (centred * share[:, None]).T @ centred + TINY * np.eye(vectors.shape[1])
    return m.astype(np.float32), C.astype(np.float32)
