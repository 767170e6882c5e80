"""Measure the time from the start of the process and its PostgreSQL to the first personal list, on two catalogues."""

import time

from measurements import Measurements, median_of
from predecessors import predecessor_retrain
from prepared_service import PreparedState, prepared_state, running

GOALS = {10_000: 2.0, 87_000: 5.0}  # seconds, by the number of movies


def measure(quick: bool) -> Measurements:
    """Return the seconds of a restart, and of a restart of the predecessor, which trains before it can answer."""
    found: Measurements = {}
    for movies in (1000,) if quick else GOALS:
        with prepared_state(movies, light_users=100, heavy_users=1, ratings_each=40 if quick else 160) as prepared:
            _start(prepared)  # the first start creates what later ones reuse
            seconds = [_start(prepared) for _ in range(1 if quick else 5)]
            found[f"restart, {movies:,} movies"] = median_of(seconds, "s", "less", GOALS.get(movies))
            if not quick:
                theirs = predecessor_retrain(prepared.dataset).cold
                found[f"restart of the predecessor, {movies:,} movies"] = median_of([theirs], "s")
    return found


def _start(prepared: PreparedState) -> float:
    """Return the seconds from the start of the process to the answer with a newly computed list."""
    user = prepared.light_users[0]
    with running(prepared) as process:
        process.rate(user, 1, 4.0)  # makes the stored list stale
        process.get(f"/users/{user}/recommendations")
        seconds = time.monotonic() - process.began
        process.stop()
    return seconds
