"""Ratings as four parallel columns, the form in which every part of Matinee hands them on."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
PADDING = -1  # the movie id in the empty places of a list that is too short


LOWEST, HIGHEST = 0.5, 5.0
SCALE = "a rating is a multiple of 0.5 from 0.5 to 5"


@dataclass(frozen=True)
class Ratings:
    """n ratings, at most one of a user for a movie.

    Attributes:
        user: user ids, int32 [n]; the service's own users have 1,000,000 added.
        movie: MovieLens movie ids, int32 [n].
        rating: 0.5 to 5 in steps of 0.5, float32 [n].
        at: when it was given, unix seconds, int64 [n].
    """

    user: Ints
    movie: Ints
    rating: Floats
    at: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: npt.NDArray[Any]) -> "Ratings":
        """The ratings at these rows (indices or a mask), in that order."""
        return Ratings(*(getattr(self, f.name)[rows] for f in fields(self)))


def on_scale(value: object) -> bool:
    """Whether this is a rating: a number, and a multiple of 0.5 from 0.5 to 5."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and LOWEST <= value <= HIGHEST  # before the last, since NaN and infinity have no int
        and value * 2 == int(value * 2)
    )


def concatenate(*parts: Ratings) -> Ratings:
    """All ratings of the parts, one part after the other."""
    return Ratings(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Ratings)))


def rows_of(movies: Ints, wanted: Ints) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Where in `movies`, ascending, those of `wanted` are that are there, and which of `wanted` these are."""
    at = np.searchsorted(movies, wanted)
    known = at < len(movies)
    known[known] = movies[at[known]] == wanted[known]
    return at[known], known
