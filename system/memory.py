"""The memory of a JVM, and a setting of malloc that keeps a long-lived process from growing."""

import ctypes
from dataclasses import dataclass

_M_MMAP_THRESHOLD = -3
LARGE = 1024 * 1024


@dataclass(frozen=True)
class Heap:
    """A JVM's heap: bytes in use, bytes it may grow to, and the JVM's process id if that is known."""

    used: int
    most: int
    pid: int | None


def give_back_large_blocks() -> None:
    """Give every block from 1 MiB on back to the system as soon as it is freed; does nothing without glibc.

    glibc by itself raises that limit, up to 32 MiB, with each large block that is freed. From then on the arrays and
    buffers of a retrain lie among small blocks that stay, and the process grew by some 20 MB with each retrain.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
