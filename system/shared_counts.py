"""Metrics of several processes in one folder (the multiprocess mode of prometheus_client); any process can sum them.

Each process maps files of its own there, which the kernel keeps when it is killed: what has been counted stays counted.
The next process that starts takes them over, so that there are never more files than as many processes at once need.
"""

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

import psutil
from prometheus_client import CollectorRegistry, disable_created_metrics, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from system.private_folder import make_process_folder

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name; processes that are started from here inherit it
ROOM = {"counter": 2**18, "histogram": 2**20, "gauge_livesum": 2**16, "gauge_livemin": 2**16}


@contextmanager
def sharing(folders: Path) -> Iterator[None]:
    """Keep what is counted in the block, here and in processes that are started there, in a new folder.

    Metrics that were made before stay outside. Raises `OSError` where there is no room.
    """
    own = make_process_folder(folders)
    os.environ[FOLDER] = str(own)
    # the library decides at its import, before any setting is known
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    _reserve(own)
    try:
        yield
    finally:
        rmtree(own, ignore_errors=True)


def own_counts() -> CollectorRegistry:
    """Return where this process makes its metrics, which are shared if it is started within `sharing`."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    if folder := _folder():
        _reserve(folder)
    return CollectorRegistry()


def shown(own: CollectorRegistry) -> CollectorRegistry:
    """Return what to read the metrics of all processes from; where none are shared, `own` itself."""
    folder = _folder()
    if folder is None:
        return own
    _forget_dead(folder)
    everyone = CollectorRegistry()
    everyone.register(_AllProcesses(folder))
    return everyone


class _AllProcesses(Collector):
    """Sums over the files of a folder, whose name the library's own `collect` would take for a pattern."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        while True:
            with suppress(FileNotFoundError):  # a new process has just taken one over
                found: Iterable[Metric] = MultiProcessCollector.merge(  # type: ignore[no-untyped-call]
                    [str(file) for file in self._folder.glob("*.db")]
                )
                return found


def _reserve(folder: Path) -> None:
    """Take the room for this process's metrics, or take over the counts of a dead one.

    Later is too late: on a disk that fills up meanwhile, the kernel would kill the process for counting.
    """
    _forget_dead(folder)
    allocate = getattr(os, "posix_fallocate", None)  # which macOS does not have
    for kind, size in ROOM.items():
        file = folder / f"{kind}_{os.getpid()}.db"
        if not file.exists():
            _take_over(file)
        if allocate is not None and not file.exists():
            unready = file.with_suffix(".unready")  # whoever reads the folder by now could not read an empty file
            with unready.open("wb") as room:
                allocate(room.fileno(), 0, size)
            unready.rename(file)


def _take_over(file: Path) -> None:
    """Make this process's file of one of the same kind whose process is dead, if there is any."""
    for left in file.parent.glob(f"{file.stem.rpartition('_')[0]}_*.db"):
        if not psutil.pid_exists(_pid(left)):
            with suppress(FileNotFoundError):  # another process that starts was quicker
                left.rename(file)
                return


def _forget_dead(folder: Path) -> None:
    """Delete the gauges of dead processes; their counts stay."""
    for file in folder.glob("gauge_live*.db"):
        if not psutil.pid_exists(_pid(file)):
            with suppress(FileNotFoundError):  # two may be at it at once
                mark_process_dead(_pid(file), glob.escape(str(folder)))  # type: ignore[no-untyped-call]


def _pid(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])


def _folder() -> Path | None:
    return Path(os.environ[FOLDER]) if FOLDER in os.environ else None
