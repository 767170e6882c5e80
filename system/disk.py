"""A full disk, told by name: the system's own words say neither which disk nor what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = ("No space left on device", "Disk quota exceeded")  # Java's and Arrow's errors have only the words


class FullDiskError(RuntimeError):
    """There was no room for what had to be written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The disk of {folder} is full. Make room there, or set MATINEE_STATE_DIR to a folder on another disk."
        )


@contextmanager
def translate_disk_full(folder: Path) -> Iterator[None]:
    """For a block that writes to files in `folder`: raise `FullDiskError` where there is no room for them."""
    try:
        yield
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or any(words in str(error) for words in FULL):
            raise FullDiskError(folder) from error
        raise
