"""Folders that no other account may enter."""

import os
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from stat import S_IMODE

import psutil

NOBODY = (65534, 65534)  # the account that root's PostgreSQL runs as
GROUP_TRAVERSABLE = 0o710


def make_private(folder: Path) -> None:
    """Create a folder that only we may enter; an existing one keeps its mode.

    A folder of root's lets the group of root's PostgreSQL pass, whose cluster is in a folder of its own inside.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not _lost_its_group(folder):
            return
    if os.geteuid() == 0:
        with suppress(OSError):  # a container may have no such group; then PostgreSQL's files are elsewhere
            os.chown(folder, -1, NOBODY[1])
            folder.chmod(GROUP_TRAVERSABLE)


def make_process_folder(folders: Path) -> Path:
    """Return a new, empty folder of this process in `folders`; remove those of processes that are gone."""
    own = folders / str(os.getpid())
    for folder in folders.glob("[0-9]*"):
        if folder == own or not psutil.pid_exists(int(folder.name)):
            rmtree(folder, ignore_errors=True)
    make_private(folders.parent)
    own.mkdir(mode=0o700, parents=True)
    return own


def _lost_its_group(folder: Path) -> bool:
    """Return whether the folder is owned by root and lost its group when it was copied or restored."""
    found = folder.stat()
    return found.st_uid == 0 and S_IMODE(found.st_mode) == GROUP_TRAVERSABLE and found.st_gid != NOBODY[1]
