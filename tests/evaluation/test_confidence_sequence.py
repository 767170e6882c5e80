"""The intervals of experiments: seldom wrong however often they are looked at, and found by hand."""

import numpy as np
import pytest

from evaluation import confidence_sequence as sequence

SIMULATED = 500


def test_an_experiment_of_equals_that_is_looked_at_daily_raises_an_alarm_in_at_most_5_of_100() -> None:
    """40 users come a day for 100 days; what they like is as uneven as in MovieLens, and the days add up."""
    rng, days, daily, alarms = np.random.default_rng(5), 100, 40, 0
    for _ in range(1_000):
        x = rng.poisson(rng.gamma(1 / 2.65, 5 * 2.65, days * daily)).astype(float)
        arm = rng.random(days * daily) < 0.5
        n = [np.cumsum(side)[daily - 1 :: daily] for side in (arm, ~arm)]
        total = [np.cumsum(x * side)[daily - 1 :: daily] for side in (arm, ~arm)]
        square = [np.cumsum(x * x * side)[daily - 1 :: daily] for side in (arm, ~arm)]
        mean = [s / m for s, m in zip(total, n, strict=True)]
        variance = sum((q / m - c * c) / (m - 1) for q, m, c in zip(square, n, mean, strict=True))
        half = sequence.radius(np.asarray(variance), np.asarray(variance / (1 / n[0] + 1 / n[1]) ** 2))
        enough = np.minimum(*n) >= sequence.MIN_USERS
        alarms += bool((enough & (np.abs(mean[0] - mean[1]) > half)).any())
    assert alarms <= 50


def test_equals_whose_likes_grow_between_looks_raise_an_alarm_in_at_most_5_of_100() -> None:
    """The same 500 users before each of 500 looks; if time is counted in users it is 6."""
    rng, alarms = np.random.default_rng(5), 0
    for _ in range(SIMULATED):
        likes = np.cumsum(rng.poisson(0.2, (500, 500)), axis=1)
        arms = likes[::2], likes[1::2]
        variance = np.asarray(sum(arm.var(axis=0, ddof=1) / len(arm) for arm in arms))
        half = sequence.radius(variance, variance * 125**2)
        alarms += bool((np.abs(arms[0].mean(axis=0) - arms[1].mean(axis=0)) > half).any())
    assert alarms <= 0.05 * SIMULATED


def test_the_interval_is_the_published_formula() -> None:
    x = np.arange(100.0)
    found = sequence.mean(x)
    assert found is not None
    rho2, v = (-2 * np.log(0.05) + np.log(-2 * np.log(0.05) + 1)) / 5_000, 100 * x.var(ddof=1)
    inner = 2 * (v * rho2 + 1) / (100**2 * rho2) * np.log(np.sqrt(v * rho2 + 1) / 0.05)
    assert found.value - found.low == pytest.approx(np.sqrt(inner))
    assert found.high - found.value == pytest.approx(found.value - found.low)


def test_few_users_say_nothing() -> None:
    assert sequence.mean(np.ones(29)) is None
    assert sequence.difference(np.ones(100), np.ones(29)) is None
