"""Split ratings into training, validation and test sets; each split is deterministic for its seed."""

import numpy as np
import numpy.typing as npt

from ranking.ratings import Ints, Mask, Ratings, hash_to_unit_interval
from settings import USER_OFFSET

HELD_OUT_SHARE = 0.1
MOST_HELD_OUT = 10_000
FEWEST_USERS = 100


def sort_by_user_and_time(ratings: Ratings) -> Ratings:
    """Return the ratings sorted by user and time, with ties in pseudo-random order.

    MovieLens shows a page of movies at once, so ties are common. Ordered by movie id, the oldest and best-known movies
    would come first, and a movie's id would predict its place.
    """
    return ratings.take(np.lexsort((hash_to_unit_interval(ratings.movie), ratings.at, ratings.user)))


def history_positions(ordered: Ratings) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each rating's position in its user's history, from 0, and the history's length. Takes sorted ratings."""
    _, start, user, count = np.unique(ordered.user, return_index=True, return_inverse=True, return_counts=True)
    return np.arange(len(ordered)) - start[user], count[user]


def latest_mask(ordered: Ratings, share: float) -> Mask:
    """Return which ratings are in the last `share` of their user's history, rounded. Takes sorted ratings."""
    place, count = history_positions(ordered)
    test: Mask = place >= count - np.round(share * count)
    return test


def random_split(n: int, seed: int) -> tuple[Mask, Mask]:
    """Return the masks of a training split (80 %) and a test split (10 %) of n ratings; the rest is for validation."""
    place = np.argsort(np.random.default_rng(seed).permutation(n))
    return place < round(0.8 * n), place >= round(0.9 * n)


def folds(users: Ints, count: int, seed: int) -> list[Ints]:
    """Return the user ids in `count` random groups of equal size, each ascending."""
    shuffled = np.random.default_rng(seed).permutation(users)
    return [np.sort(part) for part in np.array_split(shuffled, count)]


def held_out(users: Ints) -> Mask:
    """Return which of these distinct users are held out: a tenth of MovieLens's users, at most 10,000, by their ids.

    Below the limit a held-out user stays held out when users are added. With too few users for a meaningful
    evaluation, nobody is held out.
    """
    base = users < USER_OFFSET
    if base.sum() < FEWEST_USERS:
        return np.zeros(len(users), bool)
    draw = np.where(base, hash_to_unit_interval(users), np.inf)
    threshold = HELD_OUT_SHARE
    if (draw < threshold).sum() > MOST_HELD_OUT:
        threshold = float(np.partition(draw, MOST_HELD_OUT)[MOST_HELD_OUT])
    chosen: Mask = draw < threshold
    return chosen


def split_held_out(base: Ratings) -> tuple[Ratings, Ratings]:
    """Return the training ratings and the ratings of the held-out users."""
    users = np.unique(base.user)
    out = np.isin(base.user, users[held_out(users)])
    return base.take(~out), base.take(out)
