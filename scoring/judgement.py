"""What people who were not trained on got from a generation, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from scoring import bootstrap, metrics
from scoring.bootstrap import Estimate
from scoring.metrics import Values
from scoring.ratings import Ints

GIVEN = (0, 1, 3, 5, 10, 20, 50)  # how many of a person's first ratings the model is told


@dataclass(frozen=True)
class Judgement:
    """What u people got for each g of `GIVEN`; nan, or nothing tested, where somebody rated too little.

    Attributes:
        users: their ids [u].
        lists: films shown, int32 [u, g, 10], EMPTY where there was none.
        ndcg, recall, hit: of those lists, [u, g].
        popular: NDCG of the most popular films they had not rated, [u, g].
        squares, tested: sum of squared errors of the shown rating and how many ratings were tested, [u, g].
        impersonal: the same sum for the rating that is shown to somebody who has rated nothing, a film's mean, [u, g].
        little_known: places that hold a film with under 25 ratings, [u, g].
        rated_films: how many films had ratings to learn from.
    """

    users: Ints
    lists: Ints
    ndcg: Values
    recall: Values
    hit: Values
    popular: Values
    squares: Values
    impersonal: Values
    tested: Values
    little_known: Values
    rated_films: int

    @property
    def coverage(self) -> float:
        """The share of the rated films that is in any of the lists."""
        return metrics.coverage(self.lists, max(self.rated_films, 1))

    def estimates(self, g: int) -> dict[str, Estimate]:
        """Every measure for the g-th of `GIVEN`, with its 95 % interval."""
        places = (self.lists[:, g] != metrics.EMPTY).sum(axis=1).astype(float)
        return {
            "NDCG@10": bootstrap.mean(self.ndcg[:, g]),
            "popularity": bootstrap.mean(self.popular[:, g]),
            "gain": bootstrap.paired_difference(self.ndcg[:, g], self.popular[:, g]),
            "Recall@10": bootstrap.mean(self.recall[:, g]),
            "hit rate@10": bootstrap.mean(self.hit[:, g]),
            "under 25 ratings": bootstrap.ratio(self.little_known[:, g], places),
            "RMSE": bootstrap.root_mean_square(self.squares[:, g], self.tested[:, g]),
            "RMSE of means": bootstrap.root_mean_square(self.impersonal[:, g], self.tested[:, g]),
        }

    def counts(self, g: int) -> dict[str, float]:
        """How many people there are for the g-th of `GIVEN`, and the coverage of their lists."""
        covered = metrics.coverage(self.lists[:, g], max(self.rated_films, 1))
        return {"users": float((self.tested[:, g] > 0).sum()), "coverage@10": covered}

    def measures(self, g: int) -> dict[str, float]:
        """Every measure for the g-th of `GIVEN`, without intervals."""
        return self.counts(g) | {name: estimate.value for name, estimate in self.estimates(g).items()}

    def summary(self) -> dict[str, Any]:
        """The judgement without single people, as JSON has it: [value, low, high] for each number of ratings given."""
        given = {
            str(n): self.counts(g) | {name: estimate.rounded() for name, estimate in self.estimates(g).items()}
            for g, n in enumerate(GIVEN)
        }
        whole = {"users": len(self.users), "rated films": self.rated_films, "coverage@10": self.coverage}
        return {**whole, "given": given}


def pooled(values: Values) -> Values:
    """Each user's mean over the columns that have a value, [u]; nan for a user without any."""
    counts = (~np.isnan(values)).sum(axis=1)
    return np.where(counts > 0, np.nansum(values, axis=1) / np.maximum(counts, 1), np.nan)


def joined(judgements: Sequence[Judgement]) -> Judgement:
    """Judgements of different people by models of one kind, as if by one model."""
    columns = {
        f.name: np.concatenate([getattr(judgement, f.name) for judgement in judgements])
        for f in fields(Judgement)
        if f.name != "rated_films"
    }
    return Judgement(**columns, rated_films=max(judgement.rated_films for judgement in judgements))
