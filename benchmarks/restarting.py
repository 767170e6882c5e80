"""From the start of the process, with its own PostgreSQL, to the first personal list, on catalogues of two sizes."""

import time

from figures import Figures, middle
from older_ways import seed_retrain
from stage import Stage, running, stage

MOST = {10_000: 2.0, 87_000: 5.0}  # seconds


def measure(quick: bool) -> Figures:
    """Seconds; beside them what the seed needed, which had its model in memory alone and trained it anew."""
    figures: Figures = {}
    for movies in (1000,) if quick else MOST:
        with stage(movies, readers=100, collectors=1, each=40 if quick else 160) as on:
            _start(on)  # once, for what is made once
            took = [_start(on) for _ in range(1 if quick else 5)]
            figures[f"restart, {movies:,} movies"] = middle(took, "s", "less", MOST.get(movies))
            if not quick:
                figures[f"restart of the seed, {movies:,} movies"] = middle([seed_retrain(on.dataset).cold], "s")
    return figures


def _start(on: Stage) -> float:
    """Seconds from the start of the process until it has answered with a list that is made for someone."""
    with running(on) as process:
        process.rate(on.readers[0], 1, 4.0)  # so that nothing that was stored is of use
        process.get(f"/users/{on.readers[0]}/recommendations")
        took = time.monotonic() - process.began
        process.stop()
    return took
