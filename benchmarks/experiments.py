"""Simulate how many users an experiment needs, by A/B and by interleaving, with and without a true lift.

Users like shown movies at random, at rates from a gamma distribution with the squared coefficient of variation of the
ratings per user of ml-latest-small, 2.65. The lift multiplies the likes of the better arm's movies; in an interleaved
list each arm has half of the places. Prints the share of simulated experiments that have found a difference by each
number of users, with a look after every 100. Finally prints the share of false alarms between equal arms whose likes
grow with many looks at the same users, with equal and with unequal like rates.
"""

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import numpy as np

from evaluation.confidence_sequence import radius
from evaluation.offline_metrics import Values

UNEVENNESS, EACH = 2.65, 100


def likes_by_user(rng: np.random.Generator, users: int, likes: float, lift: float) -> tuple[Values, Values]:
    """Return each user's contribution: likes times +2 or -2 by arm in A/B, and the credit of an interleaved list."""
    rate = rng.gamma(1 / UNEVENNESS, likes * UNEVENNESS, users)
    better = rng.random(users) < 0.5
    by_user = 2 * np.where(better, 1, -1) * rng.poisson(rate * np.where(better, 1 + lift, 1))
    interleaved = rng.poisson(rate / 2 * (1 + lift)) - rng.poisson(rate / 2)
    return by_user.astype(float), interleaved.astype(float)


def found_by(x: Values, weight: float) -> float:
    """Return the number of users at which the interval first excludes 0; infinity if it never does.

    Args:
        weight: the factor from the sum of x to the sum whose variance measures time.
    """
    t = np.arange(1, len(x) + 1, dtype=float)[EACH - 1 :: EACH]
    mean = np.cumsum(x)[EACH - 1 :: EACH] / t
    variance = np.cumsum(x * x)[EACH - 1 :: EACH] / t - mean**2
    out = np.flatnonzero(np.abs(mean) > radius(variance / t, variance * t * weight**2))
    return float(t[out[0]]) if len(out) else np.inf


def growing_alarms(rng: np.random.Generator, experiments: int, unevenness: float, users: int, looks: int) -> int:
    """Return the number of experiments with a false alarm between equal arms; likes grow before each look."""
    alarms = 0
    for _ in range(experiments):
        rate = rng.gamma(1 / unevenness, unevenness, users) if unevenness else np.ones(users)
        likes = np.cumsum(rng.poisson(np.broadcast_to(rate[:, None] / 5, (users, looks))), axis=1)
        arms = likes[::2], likes[1::2]
        variance = sum(arm.var(axis=0, ddof=1) / len(arm) for arm in arms)
        half = radius(np.asarray(variance), np.asarray(variance * (users / 4) ** 2))
        alarms += bool((np.abs(arms[0].mean(axis=0) - arms[1].mean(axis=0)) > half).any())
    return alarms


def main() -> None:
    """Print both curves and the false alarms."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lift", type=float, default=0.1)
    arguments.add_argument("--likes", type=float, default=5.0, help="likes per user")
    arguments.add_argument("--users", type=int, default=60_000)
    arguments.add_argument("--experiments", type=int, default=200)
    given = arguments.parse_args()
    rng = np.random.default_rng(1)
    for lift in (given.lift, 0.0):
        runs = [likes_by_user(rng, given.users, given.likes, lift) for _ in range(given.experiments)]
        needed = np.array(
            [[found_by(one, weight) for one, weight in zip(both, (1 / 4, 1), strict=True)] for both in runs]
        )
        print(f"lift {lift:.0%}, {given.likes:g} likes per user, {given.experiments} experiments")
        print(f"{'users':>8} {'A/B':>6} {'interleaved':>12}")
        for users in (200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, given.users):
            shares = (needed <= users).mean(axis=0)
            print(f"{users:>8,} {shares[0]:>6.1%} {shares[1]:>12.1%}")
        if lift:
            medians = np.median(needed, axis=0)
            print(f"median users needed: {medians[0]:,.0f} by A/B, {medians[1]:,.0f} interleaved")
    for unevenness in (0, UNEVENNESS):
        alarms = growing_alarms(rng, 1_000, unevenness, users=500, looks=500)
        print(f"likes that grow, unevenness {unevenness:g}: {alarms / 1_000:.1%} false alarms in 1,000 experiments")


if __name__ == "__main__":
    main()
