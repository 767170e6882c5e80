"""How a process that lives long keeps its size."""

import ctypes

_M_MMAP_THRESHOLD = -3
LARGE = 1024 * 1024


def give_back_large_blocks() -> None:
    """Have every block from 1 MiB on go back to the system as soon as it is freed; with glibc only, elsewhere nothing.

    glibc by itself raises that limit, up to 32 MiB, with each large block that is freed. From then on the arrays and
    buffers of a retrain lie among small blocks that stay, and the process grew by some 20 MB with each retrain.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
