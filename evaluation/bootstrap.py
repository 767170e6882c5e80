"""Compute bootstrap confidence intervals by resampling users with replacement."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from evaluation.offline_metrics import Values

RESAMPLES = 1000
AT_ONCE = 100  # resamples drawn together, which bounds the memory for 10,000 users
SEED = 20_070_101


@dataclass(frozen=True)
class IntervalEstimate:
    """An estimate with the bounds of its 95 % interval; nan without users."""

    value: float
    low: float
    high: float

    def rounded(self) -> list[float | None]:
        """Return [value, low, high] rounded, with None for nan."""
        return [None if np.isnan(x) else round(x, 5) for x in astuple(self)]


def estimate(statistic: Callable[[Values], Values], *columns: Values) -> IntervalEstimate:
    """Return a statistic of the sums over all users, with its 95 % interval.

    Args:
        statistic: takes the sums of each column over users [c, resamples] and returns [resamples].
        columns: one number for each user, [u]; nan counts as 0.
    """
    table = np.nan_to_num(np.stack(columns)) if columns[0].size else np.zeros((len(columns), 0))
    users = table.shape[1]
    if users == 0:
        return IntervalEstimate(float("nan"), float("nan"), float("nan"))
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.concatenate([statistic(table @ times.T) for times in _resamples(users)])
        whole = float(statistic(table.sum(axis=1, keepdims=True))[0])
    low, high = np.nanpercentile(values, [2.5, 97.5]) if np.isfinite(values).any() else (np.nan, np.nan)
    return IntervalEstimate(whole, float(low), float(high))


@lru_cache(maxsize=1)  # drawing takes the most time, and an evaluation makes a hundred estimates on the same users
def _resamples(users: int) -> list[npt.NDArray[np.uint8]]:
    """Return how often each user is drawn in each resample, as blocks [AT_ONCE, users]."""
    rng, share = np.random.default_rng(SEED), np.full(users, 1 / users)
    return [rng.multinomial(users, share, AT_ONCE).astype(np.uint8) for _ in range(RESAMPLES // AT_ONCE)]


def mean(values: Values) -> IntervalEstimate:
    """Return the mean of the values [u] that are not nan."""
    return ratio(values, (~np.isnan(values)).astype(float))


def ratio(parts: Values, wholes: Values) -> IntervalEstimate:
    """Return the sum of the parts [u] divided by the sum of the wholes [u]."""
    return estimate(lambda sums: sums[0] / sums[1], parts, wholes)


def root_mean_square(squares: Values, counts: Values) -> IntervalEstimate:
    """Return the RMSE over all users, from each user's sum of squared errors [u] and number of errors [u]."""
    return estimate(lambda sums: np.sqrt(sums[0] / sums[1]), squares, counts)


def paired_difference(a: Values, b: Values) -> IntervalEstimate:
    """Return the mean of a - b over the users who have both values; a and b are [u] in the same order."""
    return mean(a - b)


def paired_rmse_difference(a: Values, b: Values, counts: Values) -> IntervalEstimate:
    """Return RMSE of a minus RMSE of b on the same ratings, from sums of squared errors [u] and their counts [u]."""
    return estimate(lambda sums: np.sqrt(sums[0] / sums[2]) - np.sqrt(sums[1] / sums[2]), a, b, counts)
