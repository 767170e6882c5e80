"""What a piece of work takes of the machine: seconds, CPU seconds, and the most memory of all processes together."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from footprint import Footprint, cpu_seconds, look_at

POLL_SECONDS = 0.5
MEMORY = ("server", "java", "workers", "postgres")


@dataclass
class Cost:
    """What a piece of work took, once it is over.

    Attributes:
        seconds, cpu: by the clock, and of all cores.
        peak: megabytes of each kind of process when all together held the most.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    peak: dict[str, int] | None = None

    @property
    def megabytes(self) -> int:
        """The most that all held together."""
        return sum((self.peak or {}).values())


@contextmanager
def measure_cost() -> Iterator[Cost]:
    """The cost of the block, of this process and all it starts."""
    cost, over = Cost(), threading.Event()
    looks = [look_at(os.getpid())]

    def watch() -> None:
        while not over.wait(POLL_SECONDS):
            looks[:] = [max(looks[0], look_at(os.getpid()), key=_total)]

    watcher = threading.Thread(target=watch, name="peak", daemon=True)
    began, cpu = time.monotonic(), cpu_seconds(os.getpid())
    watcher.start()
    try:
        yield cost
    finally:
        over.set()
        watcher.join()
    cost.seconds, cost.cpu = round(time.monotonic() - began, 1), round(cpu_seconds(os.getpid()) - cpu, 1)
    cost.peak = {name: round(value) for name, value in asdict(looks[0]).items() if name in MEMORY}


def _total(look: Footprint) -> float:
    return look.total
