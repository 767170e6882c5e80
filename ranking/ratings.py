"""Ratings as four parallel columns, the form that all modules exchange."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
PADDING = -1  # the movie id in empty places of a list


LOWEST, HIGHEST = 0.5, 5.0
SCALE = "a rating is a multiple of 0.5 from 0.5 to 5"


@dataclass(frozen=True)
class Ratings:
    """n ratings, at most one for each user and movie.

    Attributes:
        user: user ids, int32 [n]; 1,000,000 is added to the ids of the service's own users.
        movie: MovieLens movie ids, int32 [n].
        rating: 0.5 to 5 in steps of 0.5, float32 [n].
        at: the time of the rating, unix seconds, int64 [n].
    """

    user: Ints
    movie: Ints
    rating: Floats
    at: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: npt.NDArray[Any]) -> "Ratings":
        """Return the ratings at these rows (indices or a mask), in that order."""
        return Ratings(*(getattr(self, f.name)[rows] for f in fields(self)))


def on_scale(value: object) -> bool:
    """Return whether a value is a rating: a number, and a multiple of 0.5 from 0.5 to 5."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and LOWEST <= value <= HIGHEST  # before int(), which fails for NaN and infinity
        and value * 2 == int(value * 2)
    )


def concatenate(*parts: Ratings) -> Ratings:
    """Return the ratings of all parts, concatenated."""
    return Ratings(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Ratings)))


def without_future(ratings: Ratings, now: int) -> Ratings:
    """Return the ratings with every time after `now` (unix seconds) replaced by the newest of the other times.

    The age of a rating is relative to the newest one, so a single wrong date would age all others.
    """
    future = ratings.at > now
    if not future.any():
        return ratings
    newest = ratings.at[~future].max(initial=0) or now
    return replace(ratings, at=np.where(future, newest, ratings.at))


def hash_to_unit_interval(ids: Ints) -> npt.NDArray[np.float64]:
    """Return a uniformly distributed number from 0 to 1 for each id, by the finalizer of SplitMix64."""
    x = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) / 2.0**64


def rows_of(movies: Ints, wanted: Ints) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the rows in `movies` (ascending) of the ids of `wanted` that it has, and a mask of these ids."""
    at = np.searchsorted(movies, wanted)
    known = at < len(movies)
    known[known] = movies[at[known]] == wanted[known]
    return at[known], known
