"""How good lists and predicted ratings are, on the full ranking of a catalogue: never against sampled films.

Lists are int32 [u, k] of film ids, best first, with EMPTY in the places of a list that is too short.
A user without a relevant film has no NDCG, recall or hit: nan, which the means leave out.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scoring.ratings import Floats, Ints

EMPTY = -1
RELEVANT = 4.0  # a rating from here on says that the film belonged in the list
Values = npt.NDArray[np.float64]
Hits = npt.NDArray[np.bool_]


def hits(lists: Ints, relevant: Sequence[Ints]) -> Hits:
    """Which places of each user's list hold one of their relevant films, bool [u, k]."""
    found = [np.isin(films, wanted) for films, wanted in zip(lists, relevant, strict=True)]
    return np.stack(found) if found else np.zeros(lists.shape, bool)


def sizes(relevant: Sequence[Ints]) -> npt.NDArray[np.int64]:
    """How many films are relevant to each user, [u]."""
    return np.array([len(films) for films in relevant], np.int64)


def ndcg(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """NDCG@k of hits [u, k] with `relevant` [u] films to be found; the best list has min(k, relevant) hits in front."""
    k = hit.shape[1]
    # DCG = sum over the hits of 1 / log2(place + 1), places counted from 1
    gain = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gain)[np.clip(relevant, 1, k) - 1]
    return np.where(relevant > 0, hit @ gain / ideal, np.nan)


def recall(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """Recall@k: the share of the relevant films that are in the list, [u]."""
    return np.where(relevant > 0, hit.sum(axis=1) / np.maximum(relevant, 1), np.nan)


def hit_rate(hit: Hits, relevant: npt.NDArray[np.int64]) -> Values:
    """1 for a list with a relevant film in it, else 0, [u]."""
    return np.where(relevant > 0, hit.any(axis=1).astype(float), np.nan)


def coverage(lists: Ints, films: int) -> float:
    """The share of a catalogue of so many films that is in anybody's list."""
    return len(np.unique(lists[lists != EMPTY])) / films


def little_known(lists: Ints, films: Ints, rating_count: Ints, fewest: int) -> float:
    """The share of filled places that hold a film with fewer than `fewest` ratings; `films` [f] ascending."""
    listed = lists[lists != EMPTY]
    return float((rating_count[np.searchsorted(films, listed)] < fewest).mean()) if len(listed) else 0.0


def overlap(a: Ints, b: Ints) -> float:
    """The mean share of a list in `a` that is in the same user's list in `b`, both [u, k]; nan without lists."""
    filled = [(x[x != EMPTY], y[y != EMPTY]) for x, y in zip(a, b, strict=True)]
    shares = [np.isin(x, y).mean() for x, y in filled if len(x)]
    return float(np.mean(shares)) if shares else float("nan")


def rmse(predicted: Floats, rating: Floats) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - rating) ** 2)))


def mae(predicted: Floats, rating: Floats) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(predicted.astype(np.float64) - rating)))
