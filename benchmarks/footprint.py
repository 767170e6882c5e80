"""Measure memory, CPU, file descriptors and threads of the processes of a running service from /proc."""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
MEGABYTE = 1024  # in the kilobytes of /proc
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Footprint:
    """A sample of a service: megabytes by kind of process, and descriptors and threads of two Python processes.

    Attributes:
        at: time.monotonic() of the sample.
        server: resident memory of the first Python process, which answers requests.
        others: resident memory of all other processes that answer requests.
        trainer: resident memory of the training process; 0 without one.
        java: resident memory of Spark's JVM; 0 without one.
        workers: memory of Spark's Python workers; shared pages count once.
        postgres: memory of all PostgreSQL processes; shared pages count once; 0 if the service did not start it.
        descriptors, threads: of the first Python process.
        trainer_descriptors, trainer_threads: of the training process.
    """

    at: float
    server: float
    java: float
    workers: float
    postgres: float
    descriptors: int
    threads: int
    others: float = 0.0
    trainer: float = 0.0
    trainer_descriptors: int = 0
    trainer_threads: int = 0

    @property
    def total(self) -> float:
        """Return the megabytes of all processes."""
        return self.server + self.others + self.trainer + self.java + self.workers + self.postgres

    def __str__(self) -> str:
        beside = f"others {self.others:.0f}, trainer {self.trainer:.0f}, java {self.java:.0f}"
        beside += f", workers {self.workers:.0f}, postgres {self.postgres:.0f}"
        return f"server {self.server:.0f} MB, {self.descriptors} descriptors, {self.threads} threads; {beside} MB"


def measure_footprint(server: int) -> Footprint:
    """Return a sample of the service whose first Python process has this id."""
    sizes: dict[str, float] = defaultdict(float)
    trainer = 0, 0
    for pid, name in _descendants(server, _children()):
        with suppress(OSError, KeyError):  # the process has ended
            kind = _kind(pid, name)
            shared = kind in ("workers", "postgres")
            sizes[kind] += _kilobytes(pid, "smaps_rollup", "Pss") if shared else _kilobytes(pid, "status", "VmRSS")
            if kind == "trainer":
                trainer = _count(pid, "fd"), _count(pid, "task")
    return Footprint(
        at=time.monotonic(),
        server=_kilobytes(server, "status", "VmRSS") / MEGABYTE,
        **{kind: sizes[kind] / MEGABYTE for kind in ("others", "trainer", "java", "workers", "postgres")},
        descriptors=_count(server, "fd"),
        threads=_count(server, "task"),
        trainer_descriptors=trainer[0],
        trainer_threads=trainer[1],
    )


def _kind(pid: int, name: str) -> str:
    if name == "java" or name.startswith("postgres"):
        return name.partition(":")[0]
    command = (PROC / str(pid) / "cmdline").read_bytes()
    return "others" if b"serving.worker" in command else "trainer" if b"multiprocessing-fork" in command else "workers"


def _count(pid: int, what: str) -> int:
    return len(list((PROC / str(pid) / what).iterdir()))


def peak_megabytes(pid: int) -> float:
    """Return the sum of the peak megabytes so far of a process and its descendants."""
    peak = 0.0
    for one in (pid, *(child for child, _ in _descendants(pid, _children()))):
        with suppress(OSError, KeyError):  # the process has ended
            peak += _kilobytes(one, "status", "VmHWM")
    return peak / MEGABYTE


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and its descendants, including those that have ended."""
    seconds = 0.0
    for one in (pid, *(child for child, _ in _descendants(pid, _children()))):
        with suppress(OSError):  # the process has ended; its parent counts it
            user, system, *ended = (PROC / str(one) / "stat").read_text().rpartition(")")[2].split()[11:15]
            seconds += sum(map(int, (user, system, *ended))) / TICKS
    return seconds


def _children() -> dict[int, list[tuple[int, str]]]:
    """Return the id and name of every process, by the id of its parent."""
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            found[int(rest.split()[1])].append((int(folder.name), name))
    return found


def _descendants(pid: int, children: dict[int, list[tuple[int, str]]]) -> Iterator[tuple[int, str]]:
    for child in children.get(pid, []):
        yield child
        yield from _descendants(child[0], children)


def _kilobytes(pid: int, file: str, row: str) -> float:
    lines = (PROC / str(pid) / file).read_text().splitlines()
    return float(dict(line.split(":", 1) for line in lines if ":" in line)[row].split()[0])
