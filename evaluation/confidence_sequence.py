"""Compute confidence sequences: intervals that are valid at all times together, with error probability alpha at most.

Proposition 2.5 of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences" (Annals of Statistics 52(6), 2024; arXiv:2103.06476v9): Robbins' normal mixture with the variance
estimated, in its form for changing variances.

A user's likes grow between looks, so time is measured by the variance of the sum, not by the number of users; the
paper does so for a Brownian motion. Here the covariance of later with earlier sums is at least that of the motion, as
long as users who have liked more do not like less later; by Slepian's inequality the probability to leave the bounds
is then no larger.
"""

import numpy as np

from evaluation.bootstrap import IntervalEstimate
from evaluation.offline_metrics import Values

ALPHA = 0.05
NARROWEST_AT = 5_000  # t*, the variance of the sum at which the interval is narrowest, in likes squared
MIN_USERS = 30  # in each arm, because the intervals are asymptotic


def radius(variance: Values, t: Values, alpha: float = ALPHA) -> Values:
    """Return half the width of the interval of a mean, elementwise.

    Args:
        variance: of the mean.
        t: the variance of the sum.
    """
    # rho^2 = (-W(-alpha^2 / e) - 1) / t*, W the branch -1 of Lambert's function; with W(x) = log(-x) - log(-log(-x)):
    # rho^2 = (-2 log alpha + log(-2 log alpha + 1)) / t*
    rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / NARROWEST_AT
    # For n users with numbers of variance v, t = n v and the variance of the mean is v / n. The paper's
    # sqrt((n v rho^2 + 1) / (n^2 rho^2) log((n v rho^2 + 1) / alpha^2)) is therefore
    # sqrt(variance 2 (t rho^2 + 1) / (t rho^2) log(sqrt(t rho^2 + 1) / alpha)), and 0 where t is 0
    t = np.maximum(t, np.finfo(float).tiny)
    found: Values = np.sqrt(variance * 2 * (t * rho2 + 1) / (t * rho2) * np.log(np.sqrt(t * rho2 + 1) / alpha))
    return found


def mean(x: Values) -> IntervalEstimate | None:
    """Return the mean of one number for each user, with its interval; None while there are too few users."""
    if len(x) < MIN_USERS:
        return None
    return _around(x.mean(), x.var(ddof=1) / len(x), len(x))


def difference(x: Values, control: Values) -> IntervalEstimate | None:
    """Return the mean over the users of an arm minus that over the control's; None while there are too few users."""
    if min(len(x), len(control)) < MIN_USERS:
        return None
    variance = x.var(ddof=1) / len(x) + control.var(ddof=1) / len(control)
    return _around(x.mean() - control.mean(), variance, 1 / (1 / len(x) + 1 / len(control)))


def _around(value: float, variance: float, n: float) -> IntervalEstimate:
    half = float(radius(np.array(variance), np.array(variance * n * n)))
    return IntervalEstimate(float(value), float(value) - half, float(value) + half)
