"""Download a file over HTTP, with resumption and an MD5 check; unpack a zip without trusting its paths."""

import hashlib
import logging
import re
import shutil
import stat
import time
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from movielens.formats import FILES, LINKS, TAGS, detect
from movielens.line_report import DatasetError
from system.progress import progress

log = logging.getLogger(__name__)

CONNECT_AND_READ_SECONDS = (5, 30)
PAUSES = (0.5, 2.0, 5.0)
CHUNK = 1 << 16
BESIDE = (LINKS.file, TAGS.file, "u.genre")
LARGEST = 4 << 30  # limit of unpacked bytes; the ratings of the largest dataset, 32M, are under 1 GB
REASONS = {
    requests.exceptions.SSLError: "its certificate is not trusted here",
    requests.exceptions.ProxyError: "the proxy does not let it through",
    requests.Timeout: "no answer in time",
    requests.ConnectionError: "no connection",
    requests.exceptions.ChunkedEncodingError: "the connection broke",
    requests.RequestException: "the answer is not understood",
}


class UnreachableError(DatasetError):
    """The server could not be reached, or its answer was invalid."""


def fetch(url: str, target: Path) -> None:
    """Download `url` to `target`, which appears only when it is complete and checked.

    An incomplete download stays beside it as a .part file, which the next call resumes. If the file has changed
    meanwhile, the mix of two versions fails the MD5 or the checksums in the zip. Raises `UnreachableError` if the
    server cannot be reached, `DatasetError` for a file that does not exist or fails its checksum.
    """
    part = target.with_name(f"{target.name}.part")
    with _session() as session:
        try:
            expected = _published_md5(session, f"{url}.md5")
            _transfer_all(session, url, part)
        except requests.RequestException as error:
            raise UnreachableError(f"{url} cannot be downloaded: {_reason(error)}.") from error
    _check(part, url, expected)
    part.replace(target)


def _session() -> requests.Session:
    """Return a session that retries when the server is busy but not when it cannot be reached."""
    session = requests.Session()
    busy = Retry(
        total=3, connect=0, read=0, backoff_factor=0.3, status_forcelist=(500, 502, 503, 504),
        raise_on_status=False, respect_retry_after_header=False,
    )  # fmt: skip
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=busy))
    return session


def _published_md5(session: requests.Session, url: str) -> str | None:
    """Return the MD5 in "MD5 (ml-25m.zip) = 6b51..." or "6b51...  ml-25m.zip"; None if none is published."""
    response = session.get(url, timeout=CONNECT_AND_READ_SECONDS)
    if response.status_code == requests.codes.not_found:
        return None
    response.raise_for_status()
    digest = re.search(r"\b[0-9a-fA-F]{32}\b", response.text)
    return digest.group().lower() if digest else None


def _transfer_all(session: requests.Session, url: str, part: Path) -> None:
    for pause in (*PAUSES, None):
        before = _size(part)
        try:
            _transfer(session, url, part)
            return
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            if pause is None or _size(part) <= before:
                raise
            log.warning("%s was cut after %s bytes (%s); trying again", url, f"{_size(part):,}", _reason(error))
            time.sleep(pause)


def _transfer(session: requests.Session, url: str, part: Path) -> None:
    """Download the rest of the file, or all of it if there is no part or the server does not support ranges."""
    start = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with session.get(url, headers=headers, stream=True, timeout=CONNECT_AND_READ_SECONDS) as response:
        if response.status_code == requests.codes.not_found:
            raise DatasetError(f"{url} does not exist. Is the dataset still published under this name?")
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # the file is complete; the process ended before it could rename it
        response.raise_for_status()
        _save(response, part, start if response.status_code == requests.codes.partial_content else 0)


def _save(response: requests.Response, part: Path, start: int) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    name = part.name.removesuffix(".part")
    with part.open("ab" if start else "wb") as file, progress(total, name, unit="B", initial=start) as advance:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            advance(len(chunk))


def _check(part: Path, url: str, expected: str | None) -> None:
    if expected is None:
        log.info("no checksum is published for %s; the checksums in the zip are checked when it is unpacked", url)
        return
    with part.open("rb") as file:
        actual = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if actual != expected:
        part.unlink()
        raise DatasetError(
            f"{url} arrived damaged: its MD5 is {actual}, the published one is {expected}. It was deleted; try again."
        )
    log.info("%s has the published MD5 %s", url, expected)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code}"
    return next(words for kind, words in REASONS.items() if isinstance(error, kind))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack movies, ratings, links, tags and README from `archive` into the new `folder`, or nothing on an error.

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
    """Return the files to unpack, all from one folder of the zip; README is among them for the licence."""
    for member in zipped.infolist():
        if _is_unsafe(member):
            raise DatasetError(
                f"{name} is not safe to unpack: {member.filename!r} is outside the folder. Nothing was kept."
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
