"""300 people and 300 movies with planted tastes: what there is to learn is known, and it is not who is popular."""

import numpy as np

from ranking.ratings import Ratings
from settings import ModelSettings

PEOPLE, MOVIES, TASTES = 300, 300, 5
CATALOGUE = np.arange(1, MOVIES + 1, dtype=np.int32)
MODEL = ModelSettings(ranker_rank=12, ranker_iterations=6, rater_rank=6, rater_iterations=6, neighbours=30, seed=1)
A_DAY = 86_400


def tastes(seed: int = 0) -> Ratings:
    """Each person has one of five tastes, each movie too; people rate 60 movies, mostly of their taste, and love those.

    Movies of a taste differ in popularity, so a popular list is better than none and much worse than knowing the taste.
    """
    rng = np.random.default_rng(seed)
    fame = 1 / (1 + np.arange(MOVIES) // TASTES)
    parts = [_of_one(rng, person, fame) for person in range(1, PEOPLE + 1)]
    user, movie, rating = (np.concatenate(column) for column in zip(*parts, strict=True))
    at = 1_600_000_000 + A_DAY * rng.permutation(len(user))
    return Ratings(user.astype(np.int32), movie.astype(np.int32), rating.astype(np.float32), at.astype(np.int64))


def _of_one(rng: np.random.Generator, person: int, fame: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    alike = np.arange(MOVIES) % TASTES == person % TASTES
    chance = np.sqrt(fame) * np.where(alike, 12.0, 1.0)
    movie = rng.choice(MOVIES, 60, replace=False, p=chance / chance.sum())
    mood = rng.normal(0, 0.3)
    rating = np.where(alike[movie], 4.3, 2.4) + mood + rng.normal(0, 0.4, 60)
    return np.full(60, person), movie + 1, np.clip(np.round(rating * 2) / 2, 0.5, 5)
