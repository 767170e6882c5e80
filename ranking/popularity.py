"""What people like, and like these days: the list of someone of whom nothing is known."""

import numpy as np
import numpy.typing as npt

from ranking.ratings import Floats, Ratings
from settings import ModelSettings

DAY = 86400.0
LEAST_DEVIATION = 0.5  # of a logarithm of likes; MovieLens's sets have 1.2 to 2


def popularity(likes: Ratings, rows: npt.NDArray[np.intp], movies: int, model: ModelSettings) -> Floats:
    """How popular each movie is, of all time and lately, float32 [movies]: (1 - s) z(log(1 + L)) + s z(log(1 + RP)).

    L counts the likes of a movie and RP an old one for less; `rows` [len(likes)] says which movie each like is of. z has
    mean 0 and deviation 1, or less where all movies are about as popular, so that small differences stay small.
    """
    counted = np.bincount(rows, minlength=movies).astype(np.float32)
    recent = recent_likes(likes, rows, movies, model.half_life_days)
    s = np.float32(model.recent_share)
    return (1 - s) * _z(np.log1p(counted)) + s * _z(np.log1p(recent))


def recent_likes(likes: Ratings, rows: npt.NDArray[np.intp], movies: int, half_life_days: float) -> Floats:
    """RP: the likes of each movie, each counting 2^(-age / half-life), float32 [movies].

    Age is counted from the newest like, so a set from years ago has recent movies too, and in a log without times
    every like counts one.
    """
    if len(likes) == 0:
        return np.zeros(movies, np.float32)
    weight = np.exp2((likes.at - likes.at.max()) / (DAY * half_life_days))
    return np.bincount(rows, weight, minlength=movies).astype(np.float32)


def _z(x: Floats) -> Floats:
    return np.asarray((x - x.mean()) / max(x.std(), LEAST_DEVIATION), np.float32)
