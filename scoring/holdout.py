"""Judging a generation on people it has never seen: some of their ratings given, the next ones to be foretold.

Everything goes the way a request goes, so what is judged is what is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring import bootstrap, metrics
from scoring.factors import Factors
from scoring.lists import Histories, ranked
from scoring.metrics import Values
from scoring.ratings import Floats, Ints, Ratings
from scoring.score import expected_rating, history
from scoring.splits import in_order
from scoring.top_n import top_n

GIVEN = (0, 1, 3, 5, 10, 20, 50)  # how many of a person's first ratings the model is told
TESTED = 50  # how many of those that follow it is tested on
LENGTH = 10
LITTLE_KNOWN = 25  # ratings below which a film is little known

Rank = Callable[[Factors, Histories, int], tuple[Ints, Ints, Floats]]
"""Lists for many users: columns of user, film and expected rating; the films of one user together, best first."""


@dataclass(frozen=True)
class Judgement:
    """What u people got from one generation for each g of `GIVEN`; nan where somebody rated too little.

    Attributes:
        users: their ids [u].
        lists: films shown, int32 [u, g, 10], EMPTY where there was none.
        ndcg, recall, hit: of those lists, [u, g].
        popular: NDCG of the most popular films they had not rated, [u, g].
        squares, tested: sum of squared errors of the shown rating and how many ratings were tested, [u, g].
        little_known: places that hold a film with under 25 ratings, [u, g].
        rated_films, catalogue: how many films had a rating, and how many there are.
    """

    users: Ints
    lists: Ints
    ndcg: Values
    recall: Values
    hit: Values
    popular: Values
    squares: Values
    tested: Values
    little_known: Values
    rated_films: int
    catalogue: int

    def pooled(self, values: Values) -> Values:
        """Each user's mean over the g for which there is a value, [u]."""
        counts = (~np.isnan(values)).sum(axis=1)
        return np.where(counts > 0, np.nansum(values, axis=1) / np.maximum(counts, 1), np.nan)

    @property
    def coverage(self) -> float:
        """The share of the catalogue in any of the lists."""
        return metrics.coverage(self.lists, self.catalogue)

    def summary(self) -> dict[str, Any]:
        """The judgement without single people, as JSON has it: [mean, low, high] for each number of ratings given."""
        return {
            "users": len(self.users),
            "rated_films": self.rated_films,
            "coverage": round(self.coverage, 5),
            "given": {str(n): self._row(at) for at, n in enumerate(GIVEN)},
        }

    def _row(self, g: int) -> dict[str, Any]:
        gain = self.ndcg[:, g] - self.popular[:, g]
        places = np.where(self.tested[:, g] > 0, (self.lists[:, g] != metrics.EMPTY).sum(axis=1), 0).astype(float)
        estimates = {
            "ndcg": bootstrap.mean(self.ndcg[:, g]),
            "recall": bootstrap.mean(self.recall[:, g]),
            "hit_rate": bootstrap.mean(self.hit[:, g]),
            "popularity_ndcg": bootstrap.mean(self.popular[:, g]),
            "ndcg_gain": bootstrap.mean(gain),
            "rmse": bootstrap.root_mean_square(self.squares[:, g], self.tested[:, g]),
            "little_known": bootstrap.estimate(lambda sums: sums[0] / sums[1], self.little_known[:, g], places),
        }
        return {
            "users": int((self.tested[:, g] > 0).sum()),
            "coverage": round(metrics.coverage(self.lists[:, g], self.catalogue), 5),
            **{name: value.rounded() for name, value in estimates.items()},
        }


def here(factors: Factors, histories: Histories, n: int) -> tuple[Ints, Ints, Floats]:
    """A `Rank` in this thread, about a millisecond a list."""
    cuts = [slice(*histories.start[i : i + 2]) for i in range(len(histories))]
    lists = [ranked(factors, histories.films[cut], histories.rating[cut], n) for cut in cuts]
    users = np.repeat(histories.user, [len(x.films) for x in lists])
    films = np.concatenate([x.films for x in lists] or [np.empty(0, np.int32)])
    return users, films, np.concatenate([x.expected for x in lists] or [np.empty(0, np.float32)])


def judge(factors: Factors, ratings: Ratings, popularity: Floats, rank: Rank = here) -> Judgement:
    """Judge factors on the ratings of people who were not trained on.

    Args:
        ratings: all ratings of these people; films that the factors do not know are passed over.
        popularity: of each film of the factors [f], to be compared with.
        rank: what makes the lists, if not this thread.
    """
    ordered = in_order(ratings.take(factors.rows(ratings.film)[1]))
    users, start = np.unique(ordered.user, return_index=True)
    start = np.append(start, len(ordered)).astype(np.int64)
    columns = [_given(factors, ordered, start, n, popularity, rank) for n in GIVEN]
    return Judgement(
        users=users,
        lists=np.stack([column[0] for column in columns], axis=1),
        **{name: np.stack([column[1][name] for column in columns], axis=1) for name in columns[0][1]},
        rated_films=int((factors.rating_count > 0).sum()),
        catalogue=len(factors.films),
    )


def _given(
    factors: Factors, ordered: Ratings, start: npt.NDArray[np.int64], n: int, popularity: Floats, rank: Rank
) -> tuple[Ints, dict[str, Values]]:
    """Lists and measures for everyone, told their first n ratings."""
    able = np.flatnonzero(np.diff(start) > n)
    given = [np.arange(start[i], start[i] + n) for i in able]
    tested = [np.arange(start[i] + n, min(start[i] + n + TESTED, start[i + 1])) for i in able]
    lists = lists_of(factors, [ordered.take(rows) for rows in given], LENGTH, rank)
    relevant = [ordered.film[rows[ordered.rating[rows] >= metrics.RELEVANT]] for rows in tested]
    hit, sizes = metrics.hits(lists, relevant), metrics.sizes(relevant)
    popular = popular_lists(factors.films, popularity, [ordered.film[rows] for rows in given], LENGTH)
    errors = [_errors(factors, ordered.take(a), ordered.take(b)) for a, b in zip(given, tested, strict=True)]
    count = np.append(factors.rating_count, LITTLE_KNOWN)[np.searchsorted(factors.films, lists)]
    measures = {
        "ndcg": metrics.ndcg(hit, sizes),
        "recall": metrics.recall(hit, sizes),
        "hit": metrics.hit_rate(hit, sizes),
        "popular": metrics.ndcg(metrics.hits(popular, relevant), sizes),
        "squares": np.array([float(error @ error) for error in errors]),
        "tested": sizes_of(tested),
        "little_known": ((count < LITTLE_KNOWN) & (lists != metrics.EMPTY)).sum(axis=1).astype(float),
    }
    everyone = len(start) - 1
    return _spread(lists, able, everyone, metrics.EMPTY), {
        name: _spread(values, able, everyone, np.nan if name in ("ndcg", "recall", "hit", "popular") else 0.0)
        for name, values in measures.items()
    }


def sizes_of(groups: list[npt.NDArray[np.intp]]) -> Values:
    """The length of each, as floats."""
    return np.array([len(group) for group in groups], np.float64)


def _spread(values: npt.NDArray[Any], at: npt.NDArray[np.intp], size: int, otherwise: float) -> npt.NDArray[Any]:
    spread = np.full((size, *values.shape[1:]), otherwise, values.dtype)
    spread[at] = values
    return spread


def _errors(factors: Factors, given: Ratings, tested: Ratings) -> Floats:
    told = history(factors, given.film, given.rating)
    return expected_rating(factors, told, factors.rows(tested.film)[0]) - tested.rating


def lists_of(factors: Factors, given: list[Ratings], n: int, rank: Rank) -> Ints:
    """The lists of people with these histories, int32 [u, n]."""
    start = np.cumsum([0, *(len(part) for part in given)]).astype(np.int64)
    films = np.concatenate([part.film for part in given] or [np.empty(0, np.int32)])
    rating = np.concatenate([part.rating for part in given] or [np.empty(0, np.float32)])
    histories = Histories(np.arange(len(given), dtype=np.int32), start, films, rating)
    user, film, _ = rank(factors, histories, n)
    order = np.argsort(user, kind="stable")
    user, film = user[order], film[order]
    place = np.arange(len(user)) - np.searchsorted(user, user)
    lists = np.full((len(given), n), metrics.EMPTY, np.int32)
    lists[user, place] = film
    return lists


def popular_lists(films: Ints, popularity: Floats, seen: list[Ints], n: int) -> Ints:
    """The n most popular films of those not in `seen`, for each person: int32 [u, n]."""
    every = np.ones(len(films), bool)
    lists = np.full((len(seen), n), metrics.EMPTY, np.int32)
    for at, known in enumerate(seen):
        best = top_n(popularity, n, np.searchsorted(films, known), every)
        lists[at, : len(best)] = films[best]
    return lists
