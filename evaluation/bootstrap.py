"""How sure a mean over users is: confidence intervals from drawing the users again and again, with replacement."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from evaluation.offline_metrics import Values

RESAMPLES = 1000
AT_ONCE = 100  # resamples drawn together, to bound the memory at 10,000 users
SEED = 20_070_101


@dataclass(frozen=True)
class IntervalEstimate:
    """A number with the ends of its 95 % interval; nan without any user."""

    value: float
    low: float
    high: float

    def rounded(self) -> list[float | None]:
        """[value, low, high] as JSON has them."""
        return [None if np.isnan(x) else round(x, 5) for x in astuple(self)]


def estimate(statistic: Callable[[Values], Values], *columns: Values) -> IntervalEstimate:
    """The statistic of the users' sums, and its 95 % interval.

    Args:
        statistic: takes sums over users [c, resamples] of each column, gives [resamples].
        columns: one number a user each, [u]; nan counts as 0.
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


@lru_cache(maxsize=1)  # drawing takes longer than all else, and a judgement has a hundred estimates of the same users
def _resamples(users: int) -> list[npt.NDArray[np.uint8]]:
    """Return how often each user is drawn in each resample, as blocks [AT_ONCE, users]."""
    rng, share = np.random.default_rng(SEED), np.full(users, 1 / users)
    return [rng.multinomial(users, share, AT_ONCE).astype(np.uint8) for _ in range(RESAMPLES // AT_ONCE)]


def mean(values: Values) -> IntervalEstimate:
    """The mean over the users who have a value, [u]; nan is no value."""
    return ratio(values, (~np.isnan(values)).astype(float))


def ratio(parts: Values, wholes: Values) -> IntervalEstimate:
    """The sum of the parts over the sum of the wholes, [u] each."""
    return estimate(lambda sums: sums[0] / sums[1], parts, wholes)


def root_mean_square(squares: Values, counts: Values) -> IntervalEstimate:
    """RMSE over all errors of all users, from each user's sum of squares [u] and number of errors [u]."""
    return estimate(lambda sums: np.sqrt(sums[0] / sums[1]), squares, counts)


def paired_difference(a: Values, b: Values) -> IntervalEstimate:
    """The mean of a - b over the users who have both, [u] each in the same order."""
    return mean(a - b)


def paired_rmse_difference(a: Values, b: Values, counts: Values) -> IntervalEstimate:
    """RMSE of a minus RMSE of b on the same errors' places, from sums of squares [u] and their number [u]."""
    return estimate(lambda sums: np.sqrt(sums[0] / sums[2]) - np.sqrt(sums[1] / sums[2]), a, b, counts)
