"""From the start of the process, with its own PostgreSQL, to the first personal list, on catalogues of two sizes."""

import time

from measurements import Measurements, median_of
from predecessors import seed_retrain
from prepared_service import PreparedState, prepared_state, running

MOST = {10_000: 2.0, 87_000: 5.0}  # seconds


def measure(quick: bool) -> Measurements:
    """Seconds; beside them what the seed needed, which had its model in memory alone and trained it anew."""
    figures: Measurements = {}
    for movies in (1000,) if quick else MOST:
        with prepared_state(movies, readers=100, collectors=1, each=40 if quick else 160) as prepared:
            _start(prepared)  # once, for what is made once
            took = [_start(prepared) for _ in range(1 if quick else 5)]
            figures[f"restart, {movies:,} movies"] = median_of(took, "s", "less", MOST.get(movies))
            if not quick:
                figures[f"restart of the seed, {movies:,} movies"] = median_of(
                    [seed_retrain(prepared.dataset).cold], "s"
                )
    return figures


def _start(prepared: PreparedState) -> float:
    """Seconds from the start of the process until it has answered with a list that is made for someone."""
    with running(prepared) as process:
        process.rate(prepared.readers[0], 1, 4.0)  # so that nothing that was stored is of use
        process.get(f"/users/{prepared.readers[0]}/recommendations")
        took = time.monotonic() - process.began
        process.stop()
    return took
