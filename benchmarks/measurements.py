"""What a benchmark finds: named numbers with their unit, their spread and, where there is one, their goal.

A part of the suite is a module with one function, `measure(quick: bool) -> Measurements`, and a row of PARTS in run.py.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

Better = Literal["less", "more"]


@dataclass(frozen=True)
class Measurement:
    """One number that was measured, the median where it was measured several times.

    Attributes:
        value, unit: "x" is the unit of a ratio.
        better: which way is an improvement; None for what is only told.
        goal: at most this where less is better, at least this where more is.
        low, high: the least and the greatest of the repeats.
    """

    value: float
    unit: str
    better: Better | None = None
    goal: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal

    @property
    def spread(self) -> float:
        """How far the repeats lie apart, as a share of the value."""
        if self.low is None or self.high is None or not self.value:
            return 0.0
        return (self.high - self.low) / abs(self.value)

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


Measurements = dict[str, Measurement]


def median_of(
    repeats: Sequence[float], unit: str, better: Better | None = None, goal: float | None = None
) -> Measurement:
    """The median of repeats, with their spread."""
    return Measurement(float(median(repeats)), unit, better, goal, float(min(repeats)), float(max(repeats)))


def median_ratio(
    above: Sequence[float], below: Sequence[float], better: Better, goal: float | None = None
) -> Measurement:
    """The median of the ratios of pairs that were measured one right after the other, so that noise hits both."""
    return median_of([a / b for a, b in zip(above, below, strict=True)], "x", better, goal)


def table(parts: dict[str, Measurements]) -> str:
    """The figures of all parts as one Markdown table."""
    lines = ["| part | measured | value | spread | goal | reached |", "|---|---|---|---|---|---|"]
    lines += [_row(part, name, figure) for part, figures in parts.items() for name, figure in figures.items()]
    return "\n".join(lines)


def shown(value: float, unit: str) -> str:
    """A number as people read it, with its unit."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{digits}f} {unit}"


def _row(part: str, name: str, figure: Measurement) -> str:
    spread, goal, reached = "", "", ""
    if figure.low is not None and figure.high is not None and figure.low < figure.high:
        spread = f"{shown(figure.low, '').strip()} to {shown(figure.high, '').strip()}"
    if figure.goal is not None:
        goal = f"at {'least' if figure.better == 'more' else 'most'} {shown(figure.goal, figure.unit)}"
        reached = "yes" if figure.holds else "**no**"
    return f"| {part} | {name} | {shown(figure.value, figure.unit)} | {spread} | {goal} | {reached} |"
