"""Simple models that Matinee is compared with."""

import numpy as np

from ranking.biases import damped_biases
from ranking.ratings import HIGHEST, LOWEST, Floats, Ratings


def bias_predictions(train: Ratings, test: Ratings) -> Floats:
    """Return mu + b_u + b_i for each rating of `test`, clipped; a user or movie that `train` lacks has the bias 0."""
    users, user = np.unique(np.concatenate([train.user, test.user]), return_inverse=True)
    movies, movie = np.unique(np.concatenate([train.movie, test.movie]), return_inverse=True)
    n = len(train)
    mu, b_u, b_i = damped_biases(user[:n], movie[:n], train.rating, len(users), len(movies))
    return np.clip(mu + b_u[user[n:]] + b_i[movie[n:]], LOWEST, HIGHEST).astype(np.float32)
