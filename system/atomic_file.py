"""Files that are written whole or not at all, and a check beforehand that they can be written."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def require_writable(file: Path) -> None:
    """Raise `OSError` unless the file can be created or replaced; ask this before hours of work."""
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

    Of two writers the last one wins. Raises `OSError` that names the disk if it is full.
    """
    folder = file.absolute().parent
    # a folder of its own beside the file: a unique name, the same disk, and the writer chooses the file's mode
    with _room_for(file, folder), tempfile.TemporaryDirectory(prefix=".matinee-", dir=folder) as own:
        part = Path(own, file.name)
        yield part
        part.replace(file)


def write_atomically(file: Path, content: bytes) -> None:
    """Write the content whole or not at all."""
    with atomic_write(file) as part:
        part.write_bytes(content)


@contextmanager
def _room_for(file: Path, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            f"{file} was not written: the disk of {folder} is full. Make room there, or name a file on another disk."
        ) from error
