"""The measurements of a benchmark: named values with a unit, the spread of the repeats and an optional goal.

A part of the suite is a module with a function `measure(quick: bool) -> Measurements` and a row of PARTS in run.py.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

Better = Literal["less", "more"]


@dataclass(frozen=True)
class Measurement:
    """A measured number, or the median of repeats.

    Attributes:
        value, unit: the unit of a ratio is "x".
        better: the direction of an improvement; None for a number that is only reported.
        goal: the upper limit if less is better, the lower limit if more is better.
        low, high: the minimum and the maximum of the repeats.
    """

    value: float
    unit: str
    better: Better | None = None
    goal: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def reached(self) -> bool | None:
        """Return whether the value reaches the goal; None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal

    @property
    def spread(self) -> float:
        """Return the range of the repeats as a share of the value."""
        if self.low is None or self.high is None or not self.value:
            return 0.0
        return (self.high - self.low) / abs(self.value)

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


Measurements = dict[str, Measurement]


def median_of(
    repeats: Sequence[float], unit: str, better: Better | None = None, goal: float | None = None
) -> Measurement:
    """Return the median of repeats, with their spread."""
    return Measurement(float(median(repeats)), unit, better, goal, float(min(repeats)), float(max(repeats)))


def median_ratio(
    above: Sequence[float], below: Sequence[float], better: Better, goal: float | None = None
) -> Measurement:
    """Return the median ratio of pairs. The two of a pair are measured in succession, so that noise affects both."""
    return median_of([a / b for a, b in zip(above, below, strict=True)], "x", better, goal)


def table(parts: dict[str, Measurements]) -> str:
    """Return the measurements of all parts as one Markdown table."""
    lines = ["| part | measured | value | spread | goal | reached |", "|---|---|---|---|---|---|"]
    lines += [_row(part, name, one) for part, measured in parts.items() for name, one in measured.items()]
    return "\n".join(lines)


def with_unit(value: float, unit: str) -> str:
    """Return a number with three or so significant digits, and its unit."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{digits}f} {unit}"


def _row(part: str, name: str, one: Measurement) -> str:
    spread, goal, reached = "", "", ""
    if one.low is not None and one.high is not None and one.low < one.high:
        spread = f"{with_unit(one.low, '').strip()} to {with_unit(one.high, '').strip()}"
    if one.goal is not None:
        goal = f"at {'least' if one.better == 'more' else 'most'} {with_unit(one.goal, one.unit)}"
        reached = "yes" if one.reached else "**no**"
    return f"| {part} | {name} | {with_unit(one.value, one.unit)} | {spread} | {goal} | {reached} |"
