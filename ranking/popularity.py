"""Recent popularity: the number of likes of each movie with exponential decay by age."""

from collections.abc import Iterator

import numpy as np

from ranking.rating_histories import Times
from ranking.ratings import Floats, Ratings, Rows
from settings import ModelSettings

DAY = 86400.0
LEAST_DEVIATION = 0.5  # of log(1 + RP); it is 1.2 to 2 in the MovieLens datasets


def popularity(likes: Ratings, rows: Rows, movies: int, model: ModelSettings) -> Floats:
    """Return the popularity of each movie now, z(log(1 + RP)), float32 [movies].

    `rows` [len(likes)] has the movie of each like.
    """
    return _standardized(recent_likes(likes, rows, movies, model.half_life_days))


def recent_likes(likes: Ratings, rows: Rows, movies: int, half_life_days: float) -> Floats:
    """Return RP, the sum of 2^(-age / half-life) over the likes of each movie, float32 [movies].

    The age is relative to the newest like, so an old dataset has recent movies too; without times every like counts 1.
    """
    if len(likes) == 0:
        return np.zeros(movies, np.float32)
    weight = np.exp2((likes.at - likes.at.max()) / (DAY * half_life_days))
    return np.bincount(rows, weight, minlength=movies).astype(np.float32)


def popularity_by_clock(
    likes: Ratings, rows: Rows, movies: int, clocks: Times, half_life_days: float
) -> Iterator[Floats]:
    """Yield `popularity` of the likes up to each time of `clocks`; likes and clocks are sorted by time."""
    at = likes.at
    recent, done, now = np.zeros(movies), 0, 0
    for clock in clocks:
        end = int(np.searchsorted(at, clock, "right"))
        if end > done:
            age = (at[done:end] - at[end - 1]) / (DAY * half_life_days)
            recent *= np.exp2((now - at[end - 1]) / (DAY * half_life_days))
            recent += np.bincount(rows[done:end], np.exp2(age), minlength=movies)
            done, now = end, at[end - 1]
        yield _standardized(recent.astype(np.float32))


def _standardized(recent: Floats) -> Floats:
    """Return z(log(1 + RP)), with mean 0 and deviation 1; less if all movies are about equally popular.

    Small differences therefore stay small.
    """
    x = np.log1p(recent)
    return np.asarray((x - x.mean()) / max(x.std(), LEAST_DEVIATION), np.float32)
