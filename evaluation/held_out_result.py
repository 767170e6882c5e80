"""The result of an evaluation on held-out users, with its 95 % intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from evaluation import bootstrap, offline_metrics
from evaluation.bootstrap import IntervalEstimate
from evaluation.offline_metrics import Values
from ranking.ratings import PADDING, Ints

GIVEN_N = (0, 1, 3, 5, 10, 20, 50)  # numbers of a user's first ratings that the model is given


@dataclass(frozen=True)
class HeldOutResult:
    """The results of u users for each g of `GIVEN_N`; nan, or nothing tested, if a user has too few ratings.

    Attributes:
        users: their ids [u].
        lists: movie ids, int32 [u, g, 10], PADDING in empty places.
        ndcg, recall, hit: of the lists, [u, g].
        popular: NDCG of the unseen movies with the most likes of all time, [u, g].
        recent: NDCG of the unseen movies with the most recent likes at each user's own time, [u, g].
        squared_errors, tested: sum of squared errors of the expected ratings and number of tested ratings, [u, g].
        baseline_squared_errors: the same sum for the ratings expected of a user without ratings, [u, g].
        long_tail: number of movies in the list with under 25 ratings, [u, g].
        rated_movies: number of movies with training ratings.
    """

    users: Ints
    lists: Ints
    ndcg: Values
    recall: Values
    hit: Values
    popular: Values
    recent: Values
    squared_errors: Values
    baseline_squared_errors: Values
    tested: Values
    long_tail: Values
    rated_movies: int

    @property
    def coverage(self) -> float:
        """Return the share of the rated movies that are in any list."""
        return offline_metrics.coverage(self.lists, max(self.rated_movies, 1))

    def estimates(self, g: int) -> dict[str, IntervalEstimate]:
        """Return every measure for the g-th of `GIVEN_N`, with its 95 % interval."""
        places = (self.lists[:, g] != PADDING).sum(axis=1).astype(float)
        return {
            "NDCG@10": bootstrap.mean(self.ndcg[:, g]),
            "popularity": bootstrap.mean(self.popular[:, g]),
            "gain": bootstrap.paired_difference(self.ndcg[:, g], self.popular[:, g]),
            "recent likes": bootstrap.mean(self.recent[:, g]),
            "gain over recent": bootstrap.paired_difference(self.ndcg[:, g], self.recent[:, g]),
            "Recall@10": bootstrap.mean(self.recall[:, g]),
            "hit rate@10": bootstrap.mean(self.hit[:, g]),
            "under 25 ratings": bootstrap.ratio(self.long_tail[:, g], places),
            "RMSE": bootstrap.root_mean_square(self.squared_errors[:, g], self.tested[:, g]),
            "RMSE of means": bootstrap.root_mean_square(self.baseline_squared_errors[:, g], self.tested[:, g]),
        }

    def counts(self, g: int) -> dict[str, float]:
        """Return the number of users for the g-th of `GIVEN_N`, and the coverage of their lists."""
        covered = offline_metrics.coverage(self.lists[:, g], max(self.rated_movies, 1))
        return {"users": float((self.tested[:, g] > 0).sum()), "coverage@10": covered}

    def measures(self, g: int) -> dict[str, float]:
        """Return every measure for the g-th of `GIVEN_N`, with an interval only for the gain over recent likes."""
        estimates = self.estimates(g)
        values = {name: estimate.value for name, estimate in estimates.items()}
        ends = {"low": estimates["gain over recent"].low, "high": estimates["gain over recent"].high}
        return self.counts(g) | values | ends

    def summary(self) -> dict[str, Any]:
        """Return the result over all users as JSON: [value, low, high] for each number of given ratings."""
        given = {
            str(n): self.counts(g) | {name: estimate.rounded() for name, estimate in self.estimates(g).items()}
            for g, n in enumerate(GIVEN_N)
        }
        whole = {"users": len(self.users), "rated movies": self.rated_movies, "coverage@10": self.coverage}
        return {**whole, "given": given}


def mean_per_user(values: Values) -> Values:
    """Return each user's mean over the columns that have a value, [u]; nan for a user without any."""
    counts = (~np.isnan(values)).sum(axis=1)
    return np.where(counts > 0, np.nansum(values, axis=1) / np.maximum(counts, 1), np.nan)


def merge_results(results: Sequence[HeldOutResult]) -> HeldOutResult:
    """Return the results of different users, by models of one kind, as one result."""
    columns = {
        f.name: np.concatenate([getattr(result, f.name) for result in results])
        for f in fields(HeldOutResult)
        if f.name != "rated_movies"
    }
    return HeldOutResult(**columns, rated_movies=max(result.rated_movies for result in results))
