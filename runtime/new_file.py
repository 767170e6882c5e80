"""Results in files: whether one can be written, asked before the hours that it takes to make it, and its writing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def refuse_unwritable(file: Path) -> None:
    """Raise `OSError` unless this file can be made, or replaced, in a folder that exists."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{file} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{file} cannot be written: the folder {folder} does not allow it")


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """Where to write what is put in place at once at the end, so that a reader never sees a half; if it gets there."""
    part = file.with_name(f"{file.name}.part")
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_whole(file: Path, content: bytes) -> None:
    """Put the content in place at once."""
    with written_whole(file) as part:
        part.write_bytes(content)
