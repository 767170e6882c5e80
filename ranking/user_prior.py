"""What is known of a user before their first rating: mean and covariance of the trained users' vectors."""

import numpy as np

from ranking.ratings import Floats

TINY = 1e-8  # added to the diagonal so that a covariance of few users can be inverted


def mean_and_covariance(vectors: Floats) -> tuple[Floats, Floats]:
    """Mean [k] and covariance [k, k] of user vectors [u, k]."""
    m = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - m
    C = centred.T @ centred / len(vectors) + TINY * np.eye(vectors.shape[1])
    return m.astype(np.float32), C.astype(np.float32)
