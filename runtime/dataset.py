"""The folder that holds the asked MovieLens set: a given one, one fetched before, or one downloaded now."""

import argparse
import fcntl
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import settings
from runtime.download import UnreachableError, fetch
from runtime.formats import detect
from runtime.private_folder import make_private
from runtime.report import DatasetError
from runtime.unpack import unpack

log = logging.getLogger(__name__)

# The first is the one that is taken when none is asked for.
NAMES = ("ml-latest-small", "ml-latest", "ml-32m", "ml-25m", "ml-20m", "ml-10m", "ml-1m", "ml-100k")
GROUPLENS = "https://files.grouplens.org/datasets/movielens"
# RecBole, a Python package, carries MovieLens 100K as an example: real ratings where only a package index can be had.
SPARE_PACKAGE = "recbole==1.2.1"
SPARE = "ml-100k-recbole"
SPARE_SIZE = "MovieLens 100K (1,682 films, 100,000 ratings)"
ADVICE = "Or unpack a MovieLens zip yourself and set MATINEE_DATASET to its folder."


def locate(dataset: str, state_dir: Path, *, fallback: bool = False, base_url: str = GROUPLENS) -> Path:
    """The folder that holds `dataset`, the name of a set or a folder; a set that is not there yet is downloaded.

    With `fallback`, where GroupLens cannot be reached, MovieLens 100K from the package index stands in, and does so
    from then on without asking again. Raises `DatasetError`.
    """
    if present := find(dataset, state_dir, fallback=fallback):
        return present
    shelf = state_dir / "datasets"
    with _alone(shelf, dataset):
        return _present(dataset, shelf, fallback) or _obtain(dataset, shelf, fallback, base_url)


def find(dataset: str, state_dir: Path, *, fallback: bool = False) -> Path | None:
    """The folder as `locate` has it if it is there already, else None; nothing is downloaded. Raises `DatasetError`."""
    return _present(dataset, state_dir / "datasets", fallback) if dataset in NAMES else _given(dataset)


def _given(dataset: str) -> Path:
    folder = settings.folder(dataset)
    if not folder.is_dir():
        raise DatasetError(
            f"{dataset!r} is neither a MovieLens set nor a folder. The sets are {', '.join(NAMES)}. "
            "Set MATINEE_DATASET to one of them or to a folder that holds one."
        )
    detect(folder)
    return folder


def _present(dataset: str, shelf: Path, fallback: bool) -> Path | None:
    for name in (dataset, SPARE) if fallback else (dataset,):
        folder = shelf / name
        if folder.exists():
            _check_still_whole(folder)
            if name != dataset:
                log.info("using %s; ./download_dataset.sh %s fetches the usual set", SPARE_SIZE, dataset)
            return folder
    return None


def _check_still_whole(folder: Path) -> None:
    try:
        detect(folder)
    except DatasetError as error:
        raise DatasetError(f"{error} Remove that folder and the set will be downloaded again.") from error


@contextmanager
def _alone(shelf: Path, dataset: str) -> Iterator[None]:
    """Hold a lock against another process that downloads the same set; the kernel drops it with the process."""
    make_private(shelf.parent)
    shelf.mkdir(exist_ok=True)
    with (shelf / f".{dataset}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _obtain(dataset: str, shelf: Path, fallback: bool, base_url: str) -> Path:
    try:
        return _download(dataset, shelf, base_url)
    except UnreachableError as error:
        if not fallback:
            raise DatasetError(f"{error} Check the network and try again. {ADVICE}") from error
        log.warning("%s Taking %s from the package index instead.", error, SPARE_SIZE)
        return _from_package_index(shelf)


def _download(dataset: str, shelf: Path, base_url: str) -> Path:
    folder, archive = shelf / dataset, shelf / f"{dataset}.zip"
    if not archive.exists():
        log.info("downloading %s from %s", dataset, base_url)
        fetch(f"{base_url}/{archive.name}", archive)
    try:
        unpack(archive, folder)
    except DatasetError as error:
        archive.unlink()
        raise DatasetError(f"{error} The zip was deleted; try again. {ADVICE}") from error
    archive.unlink()
    log.info("%s is in %s", dataset, folder)
    return folder


def _from_package_index(shelf: Path) -> Path:
    with TemporaryDirectory(dir=shelf, prefix=".pip-") as place:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
            *(
                "--timeout",
                "15",
                "--retries",
                "1",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--dest",
                place,
                SPARE_PACKAGE,
            ),
        ]
        pip = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own pip
        wheels = list(Path(place).glob("*.whl"))
        if pip.returncode or not wheels:
            said = pip.stderr.strip().splitlines() or ["nothing"]
            raise DatasetError(f"The package index did not give {SPARE_PACKAGE} either; pip says: {said[-1]} {ADVICE}")
        unpack(wheels[0], shelf / SPARE)
    log.info("%s is in %s", SPARE_SIZE, shelf / SPARE)
    return shelf / SPARE


def main(arguments: Sequence[str]) -> int:
    """Fetch the set named on the command line, or the one the settings ask for, and print its folder."""
    parser = argparse.ArgumentParser(prog="download_dataset.sh", description=main.__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES, help="a MovieLens set")
    name = parser.parse_args(arguments).name
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        chosen = settings.load()
        asked = name or chosen.dataset
        print(locate(asked or NAMES[0], chosen.state_dir, fallback=not asked))
    except (DatasetError, settings.SettingsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
