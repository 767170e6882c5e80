"""Report how many of the movies shown were opened, rated, liked or hidden, with Wilson intervals."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any

from evaluation.bootstrap import IntervalEstimate

Z = 1.959964  # of a 95 % interval
KINDS = ("opened", "rated", "liked", "hidden")


def wilson(k: int, n: int) -> IntervalEstimate:
    """Return the share k of n with its 95 % interval: Wilson, JASA 1927. Nan where n is 0."""
    if n == 0:
        return IntervalEstimate(float("nan"), float("nan"), float("nan"))
    # (p + z^2/2n +- z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n)
    p, z2 = k / n, Z * Z
    middle, half = p + z2 / (2 * n), Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # clipped to 0 and 1, which rounding can exceed
    return IntervalEstimate(p, max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n)))


@dataclass(frozen=True)
class OutcomeCounts:
    """The counts of movies shown, opened, rated, liked and hidden, for a generation and strategy or for a place.

    Attributes:
        generation_id: None for places, and before the first generation.
        expected, rating, rmse: the mean expected rating, mean rating and RMSE of the movies that were rated; None
            without ratings.
    """

    shown: int
    opened: int
    rated: int
    liked: int
    hidden: int
    generation_id: int | None = None
    strategy: str | None = None
    place: int | None = None
    expected: float | None = None
    rating: float | None = None
    rmse: float | None = None

    def share(self, kind: str) -> IntervalEstimate:
        """Return the share of the shown movies that were opened, rated, liked or hidden."""
        return wilson(getattr(self, kind), self.shown)

    def __str__(self) -> str:
        what = f"place {self.place}" if self.place else f"{self.generation_id or '-'} {self.strategy}"
        shares = "".join(f"  {s.value:>6.1%} ({s.low:.1%} to {s.high:.1%})" for s in map(self.share, KINDS))
        ratings = ""
        if self.expected is not None and self.rating is not None:
            ratings = f"  {self.expected:.2f} {self.rating:.2f} {self.rmse:.2f}"
        return f"  {what:<14} {self.shown:>9,}{shares}{ratings}"


@dataclass(frozen=True)
class OutcomeReport:
    """Outcomes by generation and strategy, and by place in the list."""

    days: int
    generations: list[OutcomeCounts]
    places: list[OutcomeCounts]

    def __str__(self) -> str:
        if not self.generations:
            return f"No list was shown to a user in the last {self.days} days."
        head = (
            f"Movies shown in the last {self.days} days, and the share that was opened, rated, liked and hidden within "
            "7 days; then expected rating, rating and error:"
        )
        return "\n".join([head, *map(str, self.generations), *map(str, self.places)])


def outcome_report(days: int, rows: Iterable[Any]) -> OutcomeReport:
    """Return the report on the rows of `storage.outcomes.recent`."""
    counts = [OutcomeCounts(**row._mapping) for row in rows]
    places = [one for one in counts if one.place is not None]
    return OutcomeReport(days, [one for one in counts if one.place is None], places)
