"""Measure lists and predicted ratings on the full ranking of a catalogue, never against sampled movies.

Lists are int32 [u, k] of movie ids, best first, with PADDING in empty places.
NDCG, recall and hit of a user without a relevant movie are nan, which the means leave out.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ranking.ratings import PADDING, Floats, Ints

RELEVANT = 4.0  # the lowest rating that makes a movie relevant
Values = npt.NDArray[np.float64]
Hits = npt.NDArray[np.bool_]


def hits(lists: Ints, relevant: Sequence[Ints]) -> Hits:
    """Return which places of each user's list hold a relevant movie, bool [u, k]."""
    found = [np.isin(movies, wanted) for movies, wanted in zip(lists, relevant, strict=True)]
    return np.stack(found) if found else np.zeros(lists.shape, bool)


def sizes(relevant: Sequence[Ints]) -> npt.NDArray[np.int64]:
    """Return the number of relevant movies of each user, [u]."""
    return np.array([len(movies) for movies in relevant], np.int64)


def ndcg(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """Return NDCG@k of hits [u, k] for users with `relevant` [u] movies; an ideal list begins with its hits."""
    k = hit.shape[1]
    # DCG = sum over the hits of 1 / log2(place + 1), places counted from 1
    gain = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gain)[np.clip(relevant, 1, k) - 1]
    return np.where(relevant > 0, hit @ gain / ideal, np.nan)


def recall(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """Return recall@k, the share of the relevant movies that are in the list, [u]."""
    return np.where(relevant > 0, hit.sum(axis=1) / np.maximum(relevant, 1), np.nan)


def hit_rate(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """Return 1 for a list with a relevant movie, else 0, [u]."""
    return np.where(relevant > 0, hit.any(axis=1).astype(float), np.nan)


def coverage(lists: Ints, movies: int) -> float:
    """Return the share of a catalogue of this many movies that is in any list."""
    return len(np.unique(lists[lists != PADDING])) / movies


def long_tail(lists: Ints, movies: Ints, rating_count: Ints, fewest: int) -> float:
    """Return the share of listed movies with fewer than `fewest` ratings; `movies` [f] are ascending."""
    listed = lists[lists != PADDING]
    return float((rating_count[np.searchsorted(movies, listed)] < fewest).mean()) if len(listed) else 0.0


def overlap(a: Ints, b: Ints) -> float:
    """Return the mean share of a user's list in `a` that is in their list in `b`, both [u, k]; nan without lists."""
    filled = [(x[x != PADDING], y[y != PADDING]) for x, y in zip(a, b, strict=True)]
    shares = [np.isin(x, y).mean() for x, y in filled if len(x)]
    return float(np.mean(shares)) if shares else float("nan")


def rmse(predicted: Floats, rating: Floats) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - rating) ** 2)))


def mae(predicted: Floats, rating: Floats) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(predicted.astype(np.float64) - rating)))
