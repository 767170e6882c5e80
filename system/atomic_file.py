"""Results in files: whether one can be written, asked before the hours that it takes to make it, and its writing."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def require_writable(file: Path) -> None:
    """Raise `OSError` unless this file can be made, or replaced, in a folder that exists."""
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
    """Where to write what is put in place at once at the end, so that a reader never sees a half; if it gets there.

    Of two who write the same file the last one's stays. Raises `OSError` with the disk's name when it is full.
    """
    folder = file.absolute().parent
    # a folder of its own in that of the file: a name that nobody else has, on the same disk, and a mode that is the
    # writer's own choice
    with _room_for(file, folder), tempfile.TemporaryDirectory(prefix=".matinee-", dir=folder) as own:
        part = Path(own, file.name)
        yield part
        part.replace(file)


def write_atomically(file: Path, content: bytes) -> None:
    """Put the content in place at once."""
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
