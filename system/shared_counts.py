"""Counts of several processes in one folder, so that whichever is asked can tell the sums.

Each process maps files of its own there, which the kernel keeps when it is killed: what has been counted stays counted.
The next that starts goes on in them, so that there are never more files than as many processes at once have needed.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from prometheus_client import CollectorRegistry, disable_created_metrics, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from system.private_folder import make_process_folder
from system.process import process_exists

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name; processes that are started from here inherit it
ROOM = {"counter": 2**18, "histogram": 2**20, "gauge_livesum": 2**16, "gauge_livemin": 2**16}
KEPT = {"counter", "histogram"}  # of a process that has ended; what is so at the moment ends with it


@contextmanager
def sharing(folders: Path) -> Iterator[None]:
    """Have what is counted in the block, here and in processes that are started there, be kept in a new folder.

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
    """Where this process makes its metrics, which are shared if it is started within `sharing`."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    if folder := _folder():
        _reserve(folder)
    return CollectorRegistry()


def shown(own: CollectorRegistry) -> CollectorRegistry:
    """What to read the counts of all processes from; where none are shared, `own` itself."""
    folder = _folder()
    if folder is None:
        return own
    _forget_ended(folder)
    everyone = CollectorRegistry()
    everyone.register(Everyone(folder))
    return everyone


class Everyone(Collector):
    """The sums over the files of a folder; the library's own way takes signs in the folder's name for a pattern."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Each metric, over all processes."""
        while True:
            files = self._files()
            with suppress(FileNotFoundError):
                found: Iterable[Metric] = MultiProcessCollector.merge(map(str, files))  # type: ignore[no-untyped-call]
                if self._files() == files:  # else one was renamed meanwhile, and may be in it twice or not at all
                    return found

    def _files(self) -> set[Path]:
        return set(self._folder.glob("*.db"))


def _reserve(folder: Path) -> None:
    """Take the room for this process's counts, or over the files of one that has ended.

    Later is too late: on a disk that fills up meanwhile, the kernel would kill it for counting.
    """
    _forget_ended(folder)
    allocate = getattr(os, "posix_fallocate", None)  # which macOS does not have
    for kind, size in ROOM.items():
        file = folder / f"{kind}_{os.getpid()}.db"
        if kind in KEPT and not file.exists():
            _inherit(file)
        if allocate is not None and not file.exists():
            unready = file.with_suffix(".unready")  # whoever reads the folder by now could not read an empty file
            with unready.open("wb") as room:
                allocate(room.fileno(), 0, size)
            unready.rename(file)


def _forget_ended(folder: Path) -> None:
    """What processes that have ended said of themselves is so no more."""
    for file in folder.glob("gauge_live*.db"):
        if not process_exists(_pid(file)):
            file.unlink(missing_ok=True)  # two may be at it at once


def _inherit(file: Path) -> None:
    """Make this process's file of one whose process has ended, if there is any."""
    kind = file.stem.rpartition("_")[0]
    for left in file.parent.glob(f"{kind}_*.db"):
        if not process_exists(_pid(left)):
            with suppress(FileNotFoundError):  # another process that starts was quicker
                left.rename(file)
                return


def _pid(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])


def _folder() -> Path | None:
    return Path(os.environ[FOLDER]) if FOLDER in os.environ else None
