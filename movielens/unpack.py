"""Unpack a MovieLens dataset from a zip, without trusting the paths in it."""

import shutil
import stat
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from movielens.formats import FILES, LINKS, TAGS, detect
from movielens.line_report import DatasetError

BESIDE = (LINKS.file, TAGS.file, "u.genre")
LARGEST = 4 << 30  # bytes unpacked; the ratings of the largest dataset, 32M, are under 1 GB


def unpack(archive: Path, folder: Path) -> None:
    """Unpack movies, ratings, links, tags and README from `archive` into the new `folder`, completely or not at all.

    Raises `DatasetError` for a damaged or hostile zip, and for one without a MovieLens dataset.
    """
    aside = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        with ZipFile(archive) as zipped:
            for member in _members(zipped, archive.name):
                with zipped.open(member) as source, (aside / _path(member).name).open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        detect(aside)
        aside.rename(folder)
    except (BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DatasetError(f"{archive.name} is damaged: {error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _members(zipped: ZipFile, name: str) -> list[ZipInfo]:
    """Return the files to unpack, all from one folder of the zip; the README has the licence."""
    for member in zipped.infolist():
        if _is_unsafe(member):
            raise DatasetError(
                f"{name} is not safe to unpack: {member.filename!r} would land outside. Nothing was kept."
            )
    homes = [_path(member).parent for member in zipped.infolist() if _path(member).name in FILES]
    taken = {_path(m): m for m in zipped.infolist() if _path(m).parent in homes[:1] and _is_wanted(_path(m).name)}
    if sum(member.file_size for member in taken.values()) > LARGEST:
        raise DatasetError(f"{name} would unpack to more than {LARGEST:,} bytes.")
    return list(taken.values())


def _is_unsafe(member: ZipInfo) -> bool:
    path = _path(member)
    return (
        path.is_absolute() or ".." in path.parts or "\\" in member.filename or stat.S_ISLNK(member.external_attr >> 16)
    )


def _is_wanted(name: str) -> bool:
    return name in FILES or name in BESIDE or name.startswith("README")


def _path(member: ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename)
