"""How good lists and predicted ratings are, on the full ranking of a catalogue: never against sampled movies.

Lists are int32 [u, k] of movie ids, best first, with PADDING in the places of a list that is too short.
A user without a relevant movie has no NDCG, recall or hit: nan, which the means leave out.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ranking.ratings import PADDING, Floats, Ints

RELEVANT = 4.0  # a rating from here on says that the movie belonged in the list
Values = npt.NDArray[np.float64]
Hits = npt.NDArray[np.bool_]


def hits(lists: Ints, relevant: Sequence[Ints]) -> Hits:
    """Which places of each user's list hold one of their relevant movies, bool [u, k]."""
    found = [np.isin(movies, wanted) for movies, wanted in zip(lists, relevant, strict=True)]
    return np.stack(found) if found else np.zeros(lists.shape, bool)


def sizes(relevant: Sequence[Ints]) -> npt.NDArray[np.int64]:
    """How many movies are relevant to each user, [u]."""
    return np.array([len(movies) for movies in relevant], np.int64)


def ndcg(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """NDCG@k of hits [u, k] with `relevant` [u] movies to be found; the best list has min(k, relevant) hits first."""
    k = hit.shape[1]
    # DCG = sum over the hits of 1 / log2(place + 1), places counted from 1
    gain = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gain)[np.clip(relevant, 1, k) - 1]
    return np.where(relevant > 0, hit @ gain / ideal, np.nan)


def recall(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """Recall@k: the share of the relevant movies that are in the list, [u]."""
    return np.where(relevant > 0, hit.sum(axis=1) / np.maximum(relevant, 1), np.nan)


def hit_rate(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """1 for a list with a relevant movie in it, else 0, [u]."""
    return np.where(relevant > 0, hit.any(axis=1).astype(float), np.nan)


def coverage(lists: Ints, movies: int) -> float:
    """The share of a catalogue of so many movies that is in anybody's list."""
    return len(np.unique(lists[lists != PADDING])) / movies


def long_tail(lists: Ints, movies: Ints, rating_count: Ints, fewest: int) -> float:
    """The share of filled places that hold a movie with fewer than `fewest` ratings; `movies` [f] ascending."""
    listed = lists[lists != PADDING]
    return float((rating_count[np.searchsorted(movies, listed)] < fewest).mean()) if len(listed) else 0.0


def overlap(a: Ints, b: Ints) -> float:
    """The mean share of a list in `a` that is in the same user's list in `b`, both [u, k]; nan without lists."""
    filled = [(x[x != PADDING], y[y != PADDING]) for x, y in zip(a, b, strict=True)]
    shares = [np.isin(x, y).mean() for x, y in filled if len(x)]
    return float(np.mean(shares)) if shares else float("nan")


def rmse(predicted: Floats, rating: Floats) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - rating) ** 2)))


def mae(predicted: Floats, rating: Floats) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(predicted.astype(np.float64) - rating)))
