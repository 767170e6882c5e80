"""Intervals that may be looked at at any time: the chance that they ever miss is at most alpha.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
theory and asymptotic confidence sequences" (Annals of Statistics 2024, arXiv:2103.06476), theorem 2.2: Robbins' normal
mixture with the variance estimated.
"""

import numpy as np

from evaluation.bootstrap import IntervalEstimate
from evaluation.offline_metrics import Values

ALPHA = 0.05
NARROWEST_AT = 500  # users at whom the interval is narrowest, t*
MIN_USERS = 30  # in each arm: it is a limit theorem


def radius(variance: Values, t: Values, alpha: float = ALPHA) -> Values:
    """Return half the width of the interval of a mean at t observations, elementwise.

    Args:
        variance: of the mean, sigma^2 / t.
    """
    # rho^2 = (-2 log alpha + log(-2 log alpha + 1)) / t*
    rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / NARROWEST_AT
    # sigma sqrt(2 (t rho^2 + 1) / (t^2 rho^2) log(sqrt(t rho^2 + 1) / alpha))
    found: Values = np.sqrt(variance * 2 * (t * rho2 + 1) / (t * rho2) * np.log(np.sqrt(t * rho2 + 1) / alpha))
    return found


def mean(x: Values) -> IntervalEstimate | None:
    """Return the mean of one number a user; None while there are too few users."""
    if len(x) < MIN_USERS:
        return None
    return _around(x.mean(), x.var(ddof=1) / len(x), len(x))


def difference(x: Values, control: Values) -> IntervalEstimate | None:
    """Return the mean of the users of one arm minus that of another; None while there are too few users."""
    if min(len(x), len(control)) < MIN_USERS:
        return None
    variance = x.var(ddof=1) / len(x) + control.var(ddof=1) / len(control)
    return _around(x.mean() - control.mean(), variance, len(x) + len(control))


def _around(value: float, variance: float, t: int) -> IntervalEstimate:
    half = float(radius(np.array(variance), np.array(float(t))))
    return IntervalEstimate(float(value), float(value) - half, float(value) + half)
