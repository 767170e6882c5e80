"""A made-up world of movies and people shaped like MovieLens's, in which everybody's true taste is known.

A person meets movies by how well known they are and watches those that suit them:
P(u watches i) ~ known_i * a(u, i), with a = sigmoid(1.5 p_u . q_i - 1.5). The same p_u . q_i speaks in the rating.
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
FEWEST, MIDDLE, SPREAD = 20, 53.0, 1.39  # ratings of a person: 20 and more, the more with this median and log-deviation
DROP, BEND = 14.0, 0.2  # known_i = exp(-14 (place / movies)^0.2): half of ml-32m's movies have under five ratings
MOST_WATCHED = 0.4  # of all movies by one person
KEENNESS, RESERVE = 1.5, 1.5  # in a(u, i)
MEAN, OF_PERSON, OF_MOVIE, OF_TASTE, NOISE = 3.05, 0.42, 0.35, 0.55, 0.65  # what a rating is made of
LIKED, PROBIT = 3.75, 1.702  # what is rounded to 4 and more; a logistic so steep is nearly a normal distribution
HEAVY = 80  # who watches more than movies / 80 is drawn in one look at all movies, anybody else movie by movie
DRAWS = 4  # for each movie that is still missing; a quarter of them suits


@dataclass(frozen=True)
class UserTraits:
    """What is true of u people: taste p [u, d], and by how much each rates above others [u]."""

    taste: Floats
    bias: Floats


@dataclass(frozen=True)
class MovieTraits:
    """What is true of f movies: how well known (sums to 1), how good, and q [f, d], whom they suit."""

    known: npt.NDArray[np.float64]
    quality: Floats
    suits: Floats

    def __len__(self) -> int:
        return len(self.known)

    def preference(self, taste: Floats) -> npt.NDArray[np.float64]:
        """P(u watches i and likes it) of one person for every movie [f], up to a factor: no ranking can do better."""
        return self._watching(taste) * _likes(MEAN + self.quality + OF_TASTE * (self.suits @ taste))

    def _watching(self, taste: Floats) -> npt.NDArray[np.float64]:
        """P(u watches i) for every movie [f], up to a factor."""
        return self.known * _accepts(self.suits @ taste)

    def watched(
        self, people: UserTraits, counts: Index, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Who watches what: columns (person, movie), by person, `counts` [u] different movies each."""
        heavy = counts > len(self) // HEAVY
        person, movie = self._movie_by_movie(people, np.where(heavy, 0, counts), rng)
        looks = [(u, self._at_one_look(people.taste[u], int(counts[u]), rng)) for u in np.flatnonzero(heavy)]
        person = np.concatenate([person, *(np.full(len(movies), u) for u, movies in looks)])
        movie = np.concatenate([movie, *(movies for _, movies in looks)])
        order = np.argsort(person, kind="stable")
        return person[order], movie[order]

    def rated(self, people: UserTraits, person: Index, movie: Index, rng: np.random.Generator) -> Floats:
        """How they rate what they watched, in halves from .5 to 5."""
        raw = MEAN + people.bias[person] + self.quality[movie] + OF_TASTE * self._suiting(people, person, movie)
        raw += rng.normal(0, NOISE, len(person)).astype(np.float32)
        return np.asarray(np.clip(np.rint(raw * 2) / 2, 0.5, 5), np.float32)

    def _at_one_look(self, taste: Floats, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """`count` movies drawn without repetition by P: the largest log P + Gumbel noise."""
        with np.errstate(divide="ignore"):
            keys = np.log(self._watching(taste)) + rng.gumbel(size=len(self))
        return rng.permutation(np.argpartition(-keys, count)[:count])

    def _movie_by_movie(
        self, people: UserTraits, counts: Index, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The same by meeting movies until enough were found that suit and are new."""
        reach = np.cumsum(self.known)
        found, missing = np.empty(0, np.int64), counts.astype(np.int64)
        while missing.any():
            person = np.repeat(np.arange(len(counts)), np.where(missing, DRAWS * missing + DRAWS, 0))
            movie = np.minimum(np.searchsorted(reach, rng.random(len(person))), len(self) - 1)
            suits = rng.random(len(person), np.float32) < _accepts(self._suiting(people, person, movie))
            new = _first_new(person[suits] * len(self) + movie[suits], found)
            owner = new // len(self)
            new = new[np.arange(len(new)) - np.searchsorted(owner, owner) < missing[owner]]
            found = np.concatenate([found, new])
            missing -= np.bincount(new // len(self), minlength=len(counts))
        return found // len(self), found % len(self)

    def _suiting(self, people: UserTraits, person: Index, movie: Index) -> Floats:
        """p_u . q_i for pairs [n]."""
        together: Floats = np.einsum("ij,ij->i", people.taste[person], self.suits[movie])
        return together


def draw_movies(movies: int, rng: np.random.Generator) -> MovieTraits:
    """So many movies, the best known first."""
    known = np.exp(-DROP * ((np.arange(movies) + 0.5) / movies) ** BEND)
    suits = rng.normal(size=(movies, DIMENSIONS)) * _strengths()
    quality = rng.normal(0.1, OF_MOVIE, movies)
    return MovieTraits(known / known.sum(), quality.astype(np.float32), suits.astype(np.float32))


def draw_users(count: int, rng: np.random.Generator) -> UserTraits:
    """So many people."""
    taste = rng.normal(size=(count, DIMENSIONS))
    return UserTraits(taste.astype(np.float32), rng.normal(0, OF_PERSON, count).astype(np.float32))


def activity(people: int, ratings: int, movies: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """How much each person rates: 20 and more, long-tailed, `ratings` in all. Raises `ValueError` if that cannot be."""
    most = int(MOST_WATCHED * movies)
    if not FEWEST * people <= ratings <= most * people:
        raise ValueError(f"{people:,} people cannot give {ratings:,} ratings: each gives {FEWEST} to {most:,}")
    more = np.exp(rng.normal(np.log(MIDDLE), SPREAD, people))
    counts = np.full(people, FEWEST)
    while (left := ratings - int(counts.sum())) > 0:
        free = np.flatnonzero(counts < most)
        share = np.floor(left * more[free] / more[free].sum()).astype(np.int64)
        share[: max(0, left - int(share.sum()))] += 1
        counts[free] = np.minimum(counts[free] + share, most)
    return counts


def _strengths() -> npt.NDArray[np.float64]:
    """How much each dimension of taste tells: the first most, and p . q of deviation 1 in all."""
    strength = 1 / np.sqrt(1.0 + np.arange(DIMENSIONS))
    return np.asarray(strength / np.linalg.norm(strength))


def _accepts(suiting: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(RESERVE - KEENNESS * suiting)), np.float32)


def _likes(expected: Floats) -> Floats:
    """P(a rating is a like) where it is expected to be so: that of a normal distribution, nearly."""
    return np.asarray(1 / (1 + np.exp(PROBIT * (LIKED - expected) / NOISE)), np.float32)


def _first_new(drawn: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Each of `drawn` once, in their order, without those found before."""
    _, first = np.unique(np.concatenate([found, drawn]), return_index=True)
    return drawn[np.sort(first[first >= len(found)]) - len(found)]
