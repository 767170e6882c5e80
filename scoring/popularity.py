"""What people like these days: the list of someone of whom nothing is known."""

import numpy as np
import numpy.typing as npt

from scoring.ratings import Floats, Ratings

DAY = 86400.0


def decay(at: npt.NDArray[np.int64], now: int, half_life_days: float) -> npt.NDArray[np.float64]:
    """2^(-age / half-life) of moments in unix seconds, float64 [n]: 1 for now, 1/2 a half-life ago."""
    weight: npt.NDArray[np.float64] = np.exp2((at - now) / (DAY * half_life_days))
    return weight


def recent_popularity(likes: Ratings, rows: npt.NDArray[np.intp], films: int, half_life_days: float) -> Floats:
    """RP: the likes of each film, an old one counting for less, float32 [films].

    `rows` [len(likes)] says which film each like is of. Age is counted from the newest like, so a set from years
    ago has recent films too, and in a log without times every like counts one.
    """
    if len(likes) == 0:
        return np.zeros(films, np.float32)
    weight = decay(likes.at, int(likes.at.max()), half_life_days)
    return np.bincount(rows, weight, minlength=films).astype(np.float32)
