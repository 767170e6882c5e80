"""Write files whole or not at all, and name the disk when it is full."""

import errno
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from settings import OperatorError

FULL = ("No space left on device", "Disk quota exceeded")  # errors of Java and Arrow have only the text


class FullDiskError(OperatorError):
    """The disk is full; the message names the folder and says what to do, which the error of the system does not."""


@contextmanager
def translate_disk_full(
    folder: Path, advice: str = "set MATINEE_STATE_DIR to a folder on another disk", texts: Collection[str] = FULL
) -> Iterator[None]:
    """Raise `FullDiskError` if a block that writes files in `folder` finds the disk full.

    `texts` say so in errors other than the system's own.
    """
    try:
        yield
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or any(words in str(error) for words in texts):
            raise FullDiskError(f"The disk of {folder} is full. Make room there, or {advice}.") from error
        raise


def require_writable(file: Path) -> None:
    """Raise `OSError` unless the file can be created or replaced, before hours of work are lost."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{file} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{file} cannot be written: the folder {folder} does not allow it")
    if file.is_dir():
        raise IsADirectoryError(f"{file} cannot be written: it is a folder; name a file in it")
    if file.exists() and not file.is_file():
        raise OSError(f"{file} cannot be written: it is a device or a pipe, which would be replaced by a file")


@contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """Yield a path to write to; the file is put in place at the end, if the block succeeds.

    Of two writers the last one wins. Raises `FullDiskError`.
    """
    folder = file.absolute().parent
    # a folder of its own beside the file: a unique name, the same disk, and the writer chooses the file's mode
    with (
        translate_disk_full(folder, f"write {file.name} to another disk", texts=()),  # PostgreSQL's disk is another
        tempfile.TemporaryDirectory(prefix=".matinee-", dir=folder) as own,
    ):
        part = Path(own, file.name)
        yield part
        part.replace(file)


def write_atomically(file: Path, content: bytes) -> None:
    """Write the content whole or not at all."""
    with atomic_write(file) as part:
        part.write_bytes(content)
