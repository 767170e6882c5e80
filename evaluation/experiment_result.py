"""Compute the result of an experiment: likes per user, differences to the control, and significantly worse arms."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation import confidence_sequence
from evaluation.bootstrap import IntervalEstimate
from ranking.experiment import Experiment


@dataclass(frozen=True)
class ArmResult:
    """The result of an arm: users, movies shown and movies liked.

    Attributes:
        difference: likes per user minus those of the control; None for the control, and with too few users.
    """

    name: str
    users: int
    shown: int
    liked: int
    difference: IntervalEstimate | None

    @property
    def is_worse(self) -> bool:
        return self.difference is not None and self.difference.high < 0

    @property
    def interval(self) -> str:
        """Return the difference with its interval as text."""
        d = self.difference
        return f"{d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})" if d else "-"

    def __str__(self) -> str:
        return f"{self.name:<28} {self.users:>8,} {self.shown:>9,} {self.liked:>8,}  {self.interval}"


@dataclass(frozen=True)
class ExperimentResult:
    """The arms of an experiment, the control first."""

    name: str
    arms: list[ArmResult]

    @property
    def worse(self) -> list[ArmResult]:
        """Return the arms that are significantly worse than the control."""
        return [arm for arm in self.arms if arm.is_worse]

    def __str__(self) -> str:
        head = f"{'arm':<28} {'users':>8} {'shown':>9} {'liked':>8}  likes per user minus the control's"
        return "\n".join([head, *map(str, self.arms)])


def stored_result(experiment: Experiment, stored: Any) -> ExperimentResult:
    """Return the result from its stored JSON; an empty result if nothing is stored yet."""
    if stored is None:
        return result(experiment, [])
    arms = [arm | {"difference": arm["difference"] and IntervalEstimate(**arm["difference"])} for arm in stored["arms"]]
    return ExperimentResult(stored["name"], [ArmResult(**arm) for arm in arms])


def result(experiment: Experiment, rows: Iterable[Any]) -> ExperimentResult:
    """Return the result of an experiment so far.

    Args:
        rows: (user_id, arm, shown, liked), one for each user and arm with movies shown.
    """
    liked: dict[str, dict[int, int]] = {arm: {} for arm in experiment.arms}
    shown = dict.fromkeys(experiment.arms, 0)
    for row in rows:
        if row.arm in liked:
            liked[row.arm][row.user_id] = row.liked
            shown[row.arm] += row.shown
    return ExperimentResult(
        experiment.name,
        [
            ArmResult(arm, len(by_user), shown[arm], sum(by_user.values()), _difference(experiment, arm, liked))
            for arm, by_user in liked.items()
        ],
    )


def _difference(experiment: Experiment, arm: str, liked: dict[str, dict[int, int]]) -> IntervalEstimate | None:
    control = experiment.arms[0]
    if arm == control:
        return None
    if experiment.interleave:  # within each user
        users = sorted(liked[arm].keys() | liked[control].keys())
        credit = [liked[arm].get(user, 0) - liked[control].get(user, 0) for user in users]
        return confidence_sequence.mean(np.array(credit, float))
    both = (np.array(list(liked[name].values()), float) for name in (arm, control))
    return confidence_sequence.difference(*both)
