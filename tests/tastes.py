"""300 people and 300 films with planted tastes: what there is to learn is known, and it is not who is popular."""

import numpy as np

from scoring.ratings import Ratings
from settings import ModelSettings

PEOPLE, FILMS, TASTES = 300, 300, 5
CATALOGUE = np.arange(1, FILMS + 1, dtype=np.int32)
MODEL = ModelSettings(ranker_rank=12, ranker_iterations=6, rater_rank=6, rater_iterations=6, neighbours=30, seed=1)
A_DAY = 86_400


def tastes(seed: int = 0) -> Ratings:
    """Each person has one of five tastes, each film too; people rate 60 films, mostly of their taste, and love those.

    Films of a taste differ in popularity, so a popular list is better than none and much worse than knowing the taste.
    """
    rng = np.random.default_rng(seed)
    fame = 1 / (1 + np.arange(FILMS) // TASTES)
    parts = [_of_one(rng, person, fame) for person in range(1, PEOPLE + 1)]
    user, film, rating = (np.concatenate(column) for column in zip(*parts, strict=True))
    at = 1_600_000_000 + A_DAY * rng.permutation(len(user))
    return Ratings(user.astype(np.int32), film.astype(np.int32), rating.astype(np.float32), at.astype(np.int64))


def _of_one(rng: np.random.Generator, person: int, fame: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    alike = np.arange(FILMS) % TASTES == person % TASTES
    chance = np.sqrt(fame) * np.where(alike, 12.0, 1.0)
    film = rng.choice(FILMS, 60, replace=False, p=chance / chance.sum())
    mood = rng.normal(0, 0.3)
    rating = np.where(alike[film], 4.3, 2.4) + mood + rng.normal(0, 0.4, 60)
    return np.full(60, person), film + 1, np.clip(np.round(rating * 2) / 2, 0.5, 5)
