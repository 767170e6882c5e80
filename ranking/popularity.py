"""Recent popularity: the likes of each movie, an old one counting for less than a new one."""

from collections.abc import Iterator

import numpy as np

from ranking.rating_histories import Times
from ranking.ratings import Floats, Ratings, Rows
from settings import ModelSettings

DAY = 86400.0
LEAST_DEVIATION = 0.5  # of a logarithm of likes; in MovieLens's sets it is 1.2 to 2


def popularity(likes: Ratings, rows: Rows, movies: int, model: ModelSettings) -> Floats:
    """Return how popular each movie is now, z(log(1 + RP)), float32 [movies].

    `rows` [len(likes)] says which movie each like is of.
    """
    return _standardized(recent_likes(likes, rows, movies, model.half_life_days))


def recent_likes(likes: Ratings, rows: Rows, movies: int, half_life_days: float) -> Floats:
    """Return RP, the likes of each movie, each counting 2^(-age / half-life), float32 [movies].

    Age counts from the newest like, so a dataset from years ago has recent movies too, and without times every like
    counts one.
    """
    if len(likes) == 0:
        return np.zeros(movies, np.float32)
    weight = np.exp2((likes.at - likes.at.max()) / (DAY * half_life_days))
    return np.bincount(rows, weight, minlength=movies).astype(np.float32)


def popularity_by_clock(
    likes: Ratings, rows: Rows, movies: int, clocks: Times, half_life_days: float
) -> Iterator[Floats]:
    """Yield, for each time of `clocks`, what `popularity` of the likes up to that time is; both ascend by time."""
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
    """Return z(log(1 + RP)): mean 0 and deviation 1, or less where all movies are about equally popular.

    Small differences stay small so.
    """
    x = np.log1p(recent)
    return np.asarray((x - x.mean()) / max(x.std(), LEAST_DEVIATION), np.float32)
