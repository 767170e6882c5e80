"""The result of an evaluation protocol: rows of named numbers, printed as a table and stored as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from evaluation import bootstrap, offline_metrics
from evaluation.offline_metrics import Values
from ranking.ratings import Ints

LONG_TAIL_BELOW = 25  # ratings below which a movie is little known
LONGEST = 20  # length of the lists that `list_quality` measures
FIRST_LESS_THIS = "first less this"

Row = Mapping[str, float]


@dataclass(frozen=True)
class ProtocolResult:
    """One run of a protocol, or the mean of several.

    Attributes:
        rows: the measures by name, for each model or number of given ratings.
        facts: the data and conditions of the run, as plain JSON.
        ndcg: NDCG@10 of each user [u] by row, in one order of users; for differences, and not stored.
    """

    protocol: str
    seeds: tuple[int, ...]
    rows: Mapping[str, Row]
    facts: Mapping[str, Any] = field(default_factory=dict)
    ndcg: Mapping[str, Values] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {name: value for name, value in asdict(self).items() if name != "ndcg"}

    def with_differences(self) -> "ProtocolResult":
        """Return the result with the NDCG@10 of its first row minus that of each other row, and paired intervals."""
        rows = {label: dict(row) for label, row in self.rows.items()}
        ours = next(iter(self.ndcg.values()), None)
        for label, theirs in self.ndcg.items():
            if theirs is not ours and ours is not None:
                found = bootstrap.paired_difference(ours, theirs)
                rows[label] |= {FIRST_LESS_THIS: found.value, "low": found.low, "high": found.high}
        return replace(self, rows=rows)

    def __str__(self) -> str:
        seeds = f", seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}" if self.seeds else ""
        head = self.protocol + seeds
        facts = ", ".join(f"{name} {value:,}" for name, value in self.facts.items() if isinstance(value, int))
        return "\n".join([f"{head}: {facts}" if facts else head, *_aligned(self.table())])

    def table(self) -> list[list[str]]:
        """Return header and rows as text, with a column for every measure of any row."""
        names = list(dict.fromkeys(name for row in self.rows.values() for name in row))
        body = [[label, *(_shown(row.get(name)) for name in names)] for label, row in self.rows.items()]
        return [["", *names], *body]


def mean(results: Sequence[ProtocolResult]) -> ProtocolResult:
    """Return the mean over runs of a protocol with different seeds; intervals are for the means over users."""
    first = results[0]
    rows = {
        label: {name: float(np.mean([result.rows[label][name] for result in results])) for name in row}
        for label, row in first.rows.items()
    }
    seeds = tuple(seed for result in results for seed in result.seeds)
    ndcg = {label: np.mean([result.ndcg[label] for result in results], axis=0) for label in first.ndcg}
    return ProtocolResult(first.protocol, seeds, rows, first.facts, ndcg).with_differences()


def list_quality(lists: Ints, relevant: Sequence[Ints], movies: Ints, rating_count: Ints) -> dict[str, float]:
    """Return the measures of lists of 20, int32 [u, 20], for users with at least one relevant movie each.

    Coverage is a share of the movies with training ratings; `movies` [f] and `rating_count` [f] cover the whole
    catalogue.
    """
    hit, sizes = offline_metrics.hits(lists, relevant), offline_metrics.sizes(relevant)
    return {
        "NDCG@10": float(np.nanmean(offline_metrics.ndcg(hit[:, :10], sizes))),
        "Recall@10": float(np.nanmean(offline_metrics.recall(hit[:, :10], sizes))),
        "Recall@20": float(np.nanmean(offline_metrics.recall(hit, sizes))),
        "NDCG@20": float(np.nanmean(offline_metrics.ndcg(hit, sizes))),
        "hit rate@10": float(np.nanmean(offline_metrics.hit_rate(hit[:, :10], sizes))),
        "coverage@10": offline_metrics.coverage(lists[:, :10], int((rating_count > 0).sum())),
        "under 25 ratings": offline_metrics.long_tail(lists[:, :10], movies, rating_count, LONG_TAIL_BELOW),
    }


def _shown(value: float | None) -> str:
    if value is None or np.isnan(value):
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 2 else f"{value:.4f}"


def _aligned(table: list[list[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]

    def line(row: list[str]) -> str:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        return "  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip()

    return [line(row) for row in table]
