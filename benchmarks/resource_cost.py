"""Measure the cost of a block: seconds, CPU seconds, and the peak memory of all processes together."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from operator import attrgetter

from footprint import cpu_seconds, measure_footprint

POLL_SECONDS = 0.5
MEMORY = ("server", "java", "workers", "postgres")


@dataclass
class Cost:
    """The cost of a block; complete when the block has ended.

    Attributes:
        seconds: wall-clock time.
        cpu: CPU seconds of all cores.
        peak: megabytes by kind of process at the time of the largest total.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    peak: dict[str, int] | None = None

    @property
    def megabytes(self) -> int:
        """Return the peak memory of all processes together."""
        return sum((self.peak or {}).values())


@contextmanager
def measure_cost() -> Iterator[Cost]:
    """Yield the cost of the block for this process and its children."""
    cost, over = Cost(), threading.Event()
    largest = [measure_footprint(os.getpid())]

    def watch() -> None:
        while not over.wait(POLL_SECONDS):
            largest[0] = max(largest[0], measure_footprint(os.getpid()), key=attrgetter("total"))

    watcher = threading.Thread(target=watch, name="peak-memory", daemon=True)
    began, cpu = time.monotonic(), cpu_seconds(os.getpid())
    watcher.start()
    try:
        yield cost
    finally:
        over.set()
        watcher.join()
    cost.seconds, cost.cpu = round(time.monotonic() - began, 1), round(cpu_seconds(os.getpid()) - cpu, 1)
    cost.peak = {name: round(value) for name, value in asdict(largest[0]).items() if name in MEMORY}
