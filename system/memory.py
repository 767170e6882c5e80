"""How much memory processes take, and how one that lives long keeps its size."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

_M_MMAP_THRESHOLD = -3
LARGE = 1024 * 1024


@dataclass(frozen=True)
class Heap:
    """Of a JVM: bytes in use, bytes that it may grow to, and the process it belongs to, if that is known."""

    used: int
    most: int
    pid: int | None


def resident(pid: int) -> int:
    """Bytes of memory in use by a process; 0 once it has ended, and where there is no /proc to tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back_large_blocks() -> None:
    """Have every block from 1 MiB on go back to the system as soon as it is freed; with glibc only, elsewhere nothing.

    glibc by itself raises that limit, up to 32 MiB, with each large block that is freed. From then on the arrays and
    buffers of a retrain lie among small blocks that stay, and the process grew by some 20 MB with each retrain.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
