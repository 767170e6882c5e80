"""Folders that nobody else on the machine may look into."""

import os
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from stat import S_IMODE

import psutil

NOBODY = (65534, 65534)  # the account that root's PostgreSQL runs as: it needs no name
GROUP_TRAVERSABLE = 0o710


def make_private(folder: Path) -> None:
    """Make a folder that only we may enter; one that exists stays as whoever made it wanted it.

    Root's lets the group of root's PostgreSQL pass through, which keeps its own files inside in a folder of its own.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not _lost_its_group(folder):
            return
    if os.geteuid() == 0:
        with suppress(OSError):  # a container may know no such group; then PostgreSQL's files lie elsewhere
            os.chown(folder, -1, NOBODY[1])
            folder.chmod(GROUP_TRAVERSABLE)


def make_process_folder(folders: Path) -> Path:
    """An empty folder of this process among those of others; those of processes that are gone are cleared away."""
    own = folders / str(os.getpid())
    for folder in folders.glob("[0-9]*"):
        if folder == own or not psutil.pid_exists(int(folder.name)):
            rmtree(folder, ignore_errors=True)
    make_private(folders.parent)
    own.mkdir(mode=0o700, parents=True)
    return own


def _lost_its_group(folder: Path) -> bool:
    """Whether it is one of root's that was copied, or put back from a backup, without its group."""
    found = folder.stat()
    return found.st_uid == 0 and S_IMODE(found.st_mode) == GROUP_TRAVERSABLE and found.st_gid != NOBODY[1]
