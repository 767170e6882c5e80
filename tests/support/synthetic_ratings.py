"""300 users and 300 movies with known tastes: a model has to learn more than popularity."""

import numpy as np

from ranking.ratings import Ratings
from settings import ModelSettings

USERS, MOVIES, TASTES = 300, 300, 5
CATALOGUE = np.arange(1, MOVIES + 1, dtype=np.int32)
MODEL = ModelSettings(ranker_rank=12, ranker_iterations=3, rater_rank=6, rater_iterations=3, neighbours=30, seed=1)
DAY_SECONDS = 86_400


def tastes(seed: int = 0) -> Ratings:
    """Return ratings of users and movies with one of five tastes. Each user rates 60 movies, mostly of the same taste.

    Movies of a taste differ in popularity, so lists by popularity are better than random and much worse than by taste.
    """
    rng = np.random.default_rng(seed)
    popularity = 1 / (1 + np.arange(MOVIES) // TASTES)
    parts = [_ratings_of(rng, user, popularity) for user in range(1, USERS + 1)]
    user, movie, rating = (np.concatenate(column) for column in zip(*parts, strict=True))
    at = 1_600_000_000 + DAY_SECONDS * rng.permutation(len(user))
    return Ratings(user.astype(np.int32), movie.astype(np.int32), rating.astype(np.float32), at.astype(np.int64))


def _ratings_of(
    rng: np.random.Generator, user: int, popularity: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    same_taste = np.arange(MOVIES) % TASTES == user % TASTES
    chance = np.sqrt(popularity) * np.where(same_taste, 12.0, 1.0)
    movie = rng.choice(MOVIES, 60, replace=False, p=chance / chance.sum())
    bias = rng.normal(0, 0.3)
    rating = np.where(same_taste[movie], 4.3, 2.4) + bias + rng.normal(0, 0.4, 60)
    return np.full(60, user), movie + 1, np.clip(np.round(rating * 2) / 2, 0.5, 5)
