"""Counts of several processes in one folder, so that whichever is asked can tell the sums.

Each process maps files of its own there, which the kernel keeps when it is killed: what has been counted stays counted.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from prometheus_client import CollectorRegistry, disable_created_metrics, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from runtime.private_folder import own_folder
from runtime.process import lives

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name; processes that are started from here inherit it
ROOM = {"counter": 2**18, "histogram": 2**20, "gauge_livesum": 2**16, "gauge_livemin": 2**16}


@contextmanager
def sharing(folders: Path) -> Iterator[None]:
    """Have what is counted in the block, here and in processes that are started there, be kept in a new folder.

    Metrics that were made before stay outside. Raises `OSError` where there is no room.
    """
    own = own_folder(folders)
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
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not lives(pid):
            file.unlink(missing_ok=True)  # two may be asked at once
    everyone = CollectorRegistry()
    everyone.register(Everyone(folder))
    return everyone


class Everyone(Collector):
    """The sums over the files of a folder; the library's own way takes signs in the folder's name for a pattern."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Each metric, over all processes."""
        found: Iterable[Metric] = MultiProcessCollector.merge(map(str, self._folder.glob("*.db")))  # type: ignore[no-untyped-call]
        return found


def _reserve(folder: Path) -> None:
    """Take the room for this process's counts: on a disk that fills up later, the kernel would kill it for counting."""
    allocate = getattr(os, "posix_fallocate", None)  # which macOS does not have
    if allocate is None:
        return
    for kind, size in ROOM.items():
        file = folder / f"{kind}_{os.getpid()}.db"
        if not file.exists():
            unready = file.with_suffix(".unready")  # whoever reads the folder by now could not read an empty file
            with unready.open("wb") as room:
                allocate(room.fileno(), 0, size)
            unready.rename(file)


def _folder() -> Path | None:
    return Path(os.environ[FOLDER]) if FOLDER in os.environ else None
