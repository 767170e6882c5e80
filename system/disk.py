"""Name the disk that is full: the system's own error says neither which disk nor what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from settings import OperatorError

FULL = ("No space left on device", "Disk quota exceeded")  # errors of Java and Arrow have only the text


class FullDiskError(OperatorError):
    """The disk is full."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The disk of {folder} is full. Make room there, or set MATINEE_STATE_DIR to a folder on another disk."
        )


@contextmanager
def translate_disk_full(folder: Path) -> Iterator[None]:
    """Raise `FullDiskError` if a block that writes files in `folder` finds the disk full."""
    try:
        yield
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or any(words in str(error) for words in FULL):
            raise FullDiskError(folder) from error
        raise
