"""A generative model of movies and users in MovieLens's proportions, in which every user's true preferences are known.

A user encounters movies by their popularity and watches movies that match the user's taste:
P(u watches i) ~ popularity_i * a(u, i), with a = sigmoid(1.5 p_u . q_i - 1.5). The same p_u . q_i enters the rating.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Index = npt.NDArray[np.integer[Any]]

GENRES = ("Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
          "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western")  # fmt: skip
DIMENSIONS = len(GENRES)
FEWEST, MEDIAN, SPREAD = 20, 53.0, 1.39  # ratings of a user: 20 plus a log-normal number with this median and deviation
DECAY, BEND = 14.0, 0.2  # popularity_i = exp(-14 (rank / movies)^0.2): half of ml-32m's movies have under 5 ratings
MOST_WATCHED = 0.4  # largest share of all movies that one user watches
SLOPE, OFFSET = 1.5, 1.5  # in a(u, i)
MEAN, USER_SD, MOVIE_SD, TASTE_WEIGHT, NOISE_SD = 3.05, 0.42, 0.35, 0.55, 0.65  # the terms of a rating
LIKE_LIMIT, PROBIT = 3.75, 1.702  # ratings from 3.75 round to 4; the logistic with slope 1.702 is nearly normal
HEAVY = 80  # a user with more than movies / 80 ratings draws from all movies at once, others movie by movie
DRAWS = 4  # draws for each missing movie; about a quarter are accepted


@dataclass(frozen=True)
class UserTraits:
    """The true traits of u users: taste p [u, d] and bias [u]."""

    taste: Floats
    bias: Floats


@dataclass(frozen=True)
class MovieTraits:
    """The true traits of f movies: popularity [f], which sums to 1; quality [f]; and profile q [f, d]."""

    popularity: npt.NDArray[np.float64]
    quality: Floats
    profile: Floats

    def __len__(self) -> int:
        return len(self.popularity)

    def preference(self, taste: Floats) -> npt.NDArray[np.float64]:
        """Return P(u watches i and likes it) for every movie [f], up to a factor; it gives the ideal ranking."""
        return self._watching(taste) * _liking(MEAN + self.quality + TASTE_WEIGHT * (self.profile @ taste))

    def _watching(self, taste: Floats) -> npt.NDArray[np.float64]:
        """Return P(u watches i) for every movie [f], up to a factor."""
        return self.popularity * _acceptance(self.profile @ taste)

    def draw_watched(
        self, users: UserTraits, counts: Index, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Draw `counts` [u] different movies for each user. Return columns (user, movie), sorted by user."""
        heavy = counts > len(self) // HEAVY
        user, movie = self._draw_movie_by_movie(users, np.where(heavy, 0, counts), rng)
        draws = [(u, self._draw_at_once(users.taste[u], int(counts[u]), rng)) for u in np.flatnonzero(heavy)]
        user = np.concatenate([user, *(np.full(len(movies), u) for u, movies in draws)])
        movie = np.concatenate([movie, *(movies for _, movies in draws)])
        order = np.argsort(user, kind="stable")
        return user[order], movie[order]

    def draw_ratings(self, users: UserTraits, user: Index, movie: Index, rng: np.random.Generator) -> Floats:
        """Draw the ratings of watched movies [n], in halves from .5 to 5."""
        raw = MEAN + users.bias[user] + self.quality[movie] + TASTE_WEIGHT * self._match(users, user, movie)
        raw += rng.normal(0, NOISE_SD, len(user)).astype(np.float32)
        return np.asarray(np.clip(np.rint(raw * 2) / 2, 0.5, 5), np.float32)

    def _draw_at_once(self, taste: Floats, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Draw `count` distinct movies by P: the movies with the largest log P + Gumbel noise."""
        with np.errstate(divide="ignore"):
            keys = np.log(self._watching(taste)) + rng.gumbel(size=len(self))
        return rng.permutation(np.argpartition(-keys, count)[:count])

    def _draw_movie_by_movie(
        self, users: UserTraits, counts: Index, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Draw from the same distribution by rejection: draw by popularity until enough new movies are accepted."""
        cumulative = np.cumsum(self.popularity)
        found, missing = np.empty(0, np.int64), counts.astype(np.int64)
        while missing.any():
            user = np.repeat(np.arange(len(counts)), np.where(missing, DRAWS * missing + DRAWS, 0))
            movie = np.minimum(np.searchsorted(cumulative, rng.random(len(user))), len(self) - 1)
            accepted = rng.random(len(user), np.float32) < _acceptance(self._match(users, user, movie))
            new = _first_new(user[accepted] * len(self) + movie[accepted], found)
            owner = new // len(self)
            new = new[np.arange(len(new)) - np.searchsorted(owner, owner) < missing[owner]]
            found = np.concatenate([found, new])
            missing -= np.bincount(new // len(self), minlength=len(counts))
        return found // len(self), found % len(self)

    def _match(self, users: UserTraits, user: Index, movie: Index) -> Floats:
        """Return p_u . q_i for pairs [n]."""
        products: Floats = np.einsum("ij,ij->i", users.taste[user], self.profile[movie])
        return products


def draw_movies(count: int, rng: np.random.Generator) -> MovieTraits:
    """Draw movies, the most popular first."""
    popularity = np.exp(-DECAY * ((np.arange(count) + 0.5) / count) ** BEND)
    profile = rng.normal(size=(count, DIMENSIONS)) * _strengths()
    quality = rng.normal(0.1, MOVIE_SD, count)
    return MovieTraits(popularity / popularity.sum(), quality.astype(np.float32), profile.astype(np.float32))


def draw_users(count: int, rng: np.random.Generator) -> UserTraits:
    """Draw users."""
    taste = rng.normal(size=(count, DIMENSIONS))
    return UserTraits(taste.astype(np.float32), rng.normal(0, USER_SD, count).astype(np.float32))


def draw_rating_counts(users: int, ratings: int, movies: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw the number of ratings of each user [u]: at least 20, long-tailed, `ratings` in all.

    Raises `ValueError` for impossible numbers.
    """
    most = int(MOST_WATCHED * movies)
    if not FEWEST * users <= ratings <= most * users:
        raise ValueError(f"{users:,} users cannot give {ratings:,} ratings: each gives {FEWEST} to {most:,}")
    weight = np.exp(rng.normal(np.log(MEDIAN), SPREAD, users))
    counts = np.full(users, FEWEST)
    while (left := ratings - int(counts.sum())) > 0:
        free = np.flatnonzero(counts < most)
        share = np.floor(left * weight[free] / weight[free].sum()).astype(np.int64)
        share[: max(0, left - int(share.sum()))] += 1
        counts[free] = np.minimum(counts[free] + share, most)
    return counts


def _strengths() -> npt.NDArray[np.float64]:
    """Return the weight of each dimension of taste, largest first; p . q has the standard deviation 1."""
    strength = 1 / np.sqrt(1.0 + np.arange(DIMENSIONS))
    return np.asarray(strength / np.linalg.norm(strength))


def _acceptance(match: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(OFFSET - SLOPE * match)), np.float32)


def _liking(expected: Floats) -> Floats:
    """Return P(the rating is a like) for an expected rating, by the logistic approximation of a normal."""
    return np.asarray(1 / (1 + np.exp(PROBIT * (LIKE_LIMIT - expected) / NOISE_SD)), np.float32)


def _first_new(drawn: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the distinct values of `drawn` in order, without the values in `found`."""
    _, first = np.unique(np.concatenate([found, drawn]), return_index=True)
    return drawn[np.sort(first[first >= len(found)]) - len(found)]
