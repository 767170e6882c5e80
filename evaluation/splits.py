"""Ways to divide ratings into what a model may see and what it is judged on; each the same for the same seed."""

import numpy as np
import numpy.typing as npt

from ranking.ratings import Ints, Mask, Ratings, hash_to_unit_interval
from settings import USER_OFFSET

HELD_OUT_SHARE = 0.1
MOST_HELD_OUT = 10_000
FEWEST_USERS = 100


def sort_by_user_and_time(ratings: Ratings) -> Ratings:
    """The ratings user by user, each user's earliest first; those of one moment in an order that means nothing.

    MovieLens shows a page of movies at once, so ties are common. By movie id they would come oldest and best known
    first, and a movie's id would predict its place.
    """
    return ratings.take(np.lexsort((hash_to_unit_interval(ratings.movie), ratings.at, ratings.user)))


def history_positions(ordered: Ratings) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each rating's place among its user's, from 0, and their number; they are sorted by user and time."""
    _, start, user, count = np.unique(ordered.user, return_index=True, return_inverse=True, return_counts=True)
    return np.arange(len(ordered)) - start[user], count[user]


def latest_mask(ordered: Ratings, share: float) -> Mask:
    """Return which are among the last `share` of their user's ratings, rounded; these are sorted by user and time."""
    place, count = history_positions(ordered)
    test: Mask = place >= count - np.round(share * count)
    return test


def random_split(n: int, seed: int) -> tuple[Mask, Mask]:
    """Return which 80 % of n ratings to train on, and which 10 % to be judged on; the rest is to choose by."""
    place = np.argsort(np.random.default_rng(seed).permutation(n))
    return place < round(0.8 * n), place >= round(0.9 * n)


def folds(users: Ints, count: int, seed: int) -> list[Ints]:
    """These user ids in `count` groups of equal size, each group ascending."""
    shuffled = np.random.default_rng(seed).permutation(users)
    return [np.sort(part) for part in np.array_split(shuffled, count)]


def held_out(users: Ints) -> Mask:
    """Which of these distinct users no training may see: a tenth of MovieLens's, at most 10,000, chosen by their ids.

    Somebody held out stays held out when others come, up to the limit. Nobody is where there are too few users for
    a tenth of them to say anything.
    """
    theirs = users < USER_OFFSET
    if theirs.sum() < FEWEST_USERS:
        return np.zeros(len(users), bool)
    lot = np.where(theirs, hash_to_unit_interval(users), np.inf)
    below = HELD_OUT_SHARE
    if (lot < below).sum() > MOST_HELD_OUT:
        below = float(np.partition(lot, MOST_HELD_OUT)[MOST_HELD_OUT])
    chosen: Mask = lot < below
    return chosen


def split_held_out(base: Ratings) -> tuple[Ratings, Ratings]:
    """Return the ratings to train on, and those of the held-out users."""
    users = np.unique(base.user)
    out = np.isin(base.user, users[held_out(users)])
    return base.take(~out), base.take(out)
