"""Fetching MovieLens sets from a real HTTP server that cuts, lies and changes its mind."""

import hashlib
import io
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pytest

from movielens import dataset, download
from movielens.dataset import DATASET_NAMES, FALLBACK, ensure_dataset
from movielens.reader import DatasetError, read_movies

ROOT = Path(__file__).resolve().parents[2]
SET = {
    "movies.csv": b"movieId,title,genres\n1,Heat (1995),Action\n",
    "ratings.csv": b"userId,movieId,rating,timestamp\n" + b"1,1,4.0,100\n" * 30_000,
    "README.txt": b"the licence",
    "links.csv": b"movieId,imdbId,tmdbId\n1,0113277,949\n",
    "tags.csv": b"userId,movieId,tag,timestamp\n1,1,heist,100\n",
    "genome.csv": b"not needed",
}
ATOMIC = {
    "ml-100k.item": b"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n1\tHeat\t1995\tAct\n",
    "ml-100k.inter": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t1\t3\t881250949\n",
}


def zipped(*members: tuple[str | ZipInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_STORED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return content.getvalue()


def movielens_zip(folder: str = "ml-latest-small", files: dict[str, bytes] = SET) -> bytes:
    return zipped((f"{folder}/", b""), *((f"{folder}/{name}", body) for name, body in files.items()))


@dataclass
class Site:
    """What the server serves, how it misbehaves, and what it was asked for: (path, Range, bytes sent)."""

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None, int]] = field(default_factory=list)
    url: str = ""

    def publish(
        self, content: bytes, name: str = "ml-latest-small", md5: str | None = "MD5 ({name}.zip) = {md5}\n"
    ) -> None:
        self.files[f"/{name}.zip"] = content
        if md5 is not None:
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            self.files[f"/{name}.zip.md5"] = md5.format(name=name, md5=digest).encode()

    def zips_asked(self) -> list[tuple[str | None, int]]:
        return [(wanted, sent) for path, wanted, sent in self.asked if path.endswith(".zip")]


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = site.files.get(self.path)
            status = 404 if body is None else 200
            if self.path.endswith(".zip") and site.statuses:
                status = site.statuses.pop(0)
            if body is None or status != 200:
                site.asked.append((self.path, self.headers["Range"], 0))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send(body)

        def send(self, body: bytes) -> None:
            wanted, start = self.headers["Range"], 0
            if wanted:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                site.asked.append((self.path, wanted, 0))
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            cut = site.cuts.pop(0) if self.path.endswith(".zip") and site.cuts else len(body)
            sent = body[start:][:cut]
            site.asked.append((self.path, wanted, len(sent)))
            self.wfile.write(sent)
            self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            """The tests look at `asked`."""

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0, 0.0))
    served = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(served))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody() -> str:
    """The address of a server that is not there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def package_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index, with a RecBole in it."""
    index = tmp_path / "index"
    index.mkdir()
    described = b"Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\nRequires-Dist: does-not-exist\n"
    wheel = zipped(
        *((f"recbole/dataset_example/ml-100k/{name}", body) for name, body in ATOMIC.items()),
        ("recbole-1.2.1.dist-info/METADATA", described),
        ("recbole-1.2.1.dist-info/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ("recbole-1.2.1.dist-info/RECORD", b""),
    )
    (index / "recbole-1.2.1-py3-none-any.whl").write_bytes(wheel)
    package = tmp_path / "package" / "fallback.txt"
    package.parent.mkdir()
    package.write_text(f"recbole==1.2.1 --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n")
    monkeypatch.setattr(dataset, "FALLBACK_PACKAGE", package)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def left_over(state: Path) -> list[str]:
    """What lies on the datasets_dir besides the sets and the locks."""
    return sorted(path.name for path in (state / "datasets").iterdir() if path.is_file() and path.suffix != ".lock")


def test_a_set_is_downloaded_once_and_only_what_is_read_is_unpacked(tmp_path: Path, site: Site) -> None:
    site.publish(movielens_zip())
    folder = ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    assert folder == tmp_path / "datasets" / "ml-latest-small"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: body for name, body in SET.items() if name != "genome.csv"
    }
    assert left_over(tmp_path) == []
    asked = len(site.asked)
    assert ensure_dataset("ml-latest-small", tmp_path, base_url=site.url) == folder
    assert len(site.asked) == asked


def test_the_10m_zip_may_call_its_folder_what_it_likes(tmp_path: Path, site: Site) -> None:
    files = {"movies.dat": b"1::Heat (1995)::Action\n", "ratings.dat": b"1::1::5::1\n"}
    site.publish(movielens_zip("ml-10M100K", files), "ml-10m")
    assert read_movies(ensure_dataset("ml-10m", tmp_path, base_url=site.url))[0][0].title == "Heat"


def test_a_cut_download_is_resumed(tmp_path: Path, site: Site) -> None:
    content = movielens_zip()
    site.publish(content)
    site.cuts = [200_000, 100_000]
    folder = ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    assert (folder / "ratings.csv").read_bytes() == SET["ratings.csv"]
    (first, _), *later = site.zips_asked()
    assert first is None
    starts = [int(str(wanted)[len("bytes=") : -1]) for wanted, _ in later]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(content)


def test_a_later_start_goes_on_where_an_earlier_one_was_cut(tmp_path: Path, site: Site) -> None:
    site.publish(movielens_zip())
    site.cuts = [100_000, 0, 0]
    with pytest.raises(DatasetError, match=r"cannot be downloaded: the connection broke.*set MATINEE_DATASET"):
        ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    assert left_over(tmp_path) == ["ml-latest-small.zip.part"]
    site.cuts = []
    folder = ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    assert (folder / "ratings.csv").read_bytes() == SET["ratings.csv"]
    assert str(site.zips_asked()[-1][0]).startswith("bytes=")
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("md5", ["{md5}", None])
def test_the_rest_of_another_version_is_found_out(tmp_path: Path, site: Site, md5: str | None) -> None:
    site.publish(movielens_zip(files=SET | {"movies.csv": b"movieId,title,genres\n1,Old (1990),Drama\n"}), md5=md5)
    site.cuts = [100_000, 0]
    with pytest.raises(DatasetError, match="cannot be downloaded"):
        ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    site.publish(movielens_zip(), md5=md5)
    site.cuts = []
    with pytest.raises(DatasetError, match=r"damaged.* deleted; try again"):
        ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    folder = ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    assert (folder / "movies.csv").read_bytes() == SET["movies.csv"]
    assert site.zips_asked()[-1][1] == len(site.files["/ml-latest-small.zip"])


def test_a_part_that_is_already_whole_is_not_asked_for_again(tmp_path: Path, site: Site) -> None:
    site.publish(movielens_zip())
    datasets_dir = tmp_path / "datasets"
    datasets_dir.mkdir()
    (datasets_dir / "ml-latest-small.zip.part").write_bytes(site.files["/ml-latest-small.zip"])
    assert (ensure_dataset("ml-latest-small", tmp_path, base_url=site.url) / "movies.csv").exists()
    assert [sent for _, sent in site.zips_asked()] == [0]


def test_a_busy_server_is_asked_again(tmp_path: Path, site: Site) -> None:
    site.publish(movielens_zip())
    site.statuses = [503, 502]
    assert ensure_dataset("ml-latest-small", tmp_path, base_url=site.url).is_dir()


@pytest.mark.parametrize("md5", ["MD5 ({name}.zip) = {md5}\n", "{md5}  {name}.zip\n", "{md5}"])
def test_the_published_checksum_is_held_against_the_zip(
    tmp_path: Path, site: Site, md5: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    site.publish(movielens_zip(), md5=md5)
    ensure_dataset("ml-latest-small", tmp_path / "first", base_url=site.url)
    assert "has the published MD5" in caplog.text
    site.files["/ml-latest-small.zip"] = movielens_zip(files=SET | {"README.txt": b"another"})
    with pytest.raises(DatasetError, match=r"arrived damaged: its MD5 is .* It was deleted; try again"):
        ensure_dataset("ml-latest-small", tmp_path / "second", fallback=True, base_url=site.url)
    assert left_over(tmp_path / "second") == []


def test_without_a_published_checksum_the_zip_checks_itself(
    tmp_path: Path, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    content = movielens_zip()
    site.publish(content, md5=None)
    ensure_dataset("ml-latest-small", tmp_path / "first", base_url=site.url)
    assert "no checksum is published" in caplog.text
    site.publish(content.replace(b"1,1,4.0,100", b"1,1,5.0,100", 1), md5=None)
    with pytest.raises(DatasetError, match=r"damaged: Bad CRC-32 for file .*The zip was deleted; try again"):
        ensure_dataset("ml-latest-small", tmp_path / "second", base_url=site.url)
    assert not (tmp_path / "second/datasets/ml-latest-small").exists()
    assert left_over(tmp_path / "second") == []


def symlink(name: str) -> ZipInfo:
    member = ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    "evil",
    ["../../evil.txt", "ml-latest-small/../../ratings.csv", "/tmp/evil.txt", "..\\evil.txt", symlink("ml/movies.csv")],  # noqa: S108
)
def test_a_zip_that_would_write_elsewhere_is_refused(tmp_path: Path, site: Site, evil: str | ZipInfo) -> None:
    members = [(f"ml-latest-small/{name}", body) for name, body in SET.items()]
    site.publish(zipped(*members, (evil, b"/etc/passwd")))
    with pytest.raises(DatasetError, match="not safe to unpack"):
        ensure_dataset("ml-latest-small", tmp_path / "state", base_url=site.url)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert [path.name for path in (tmp_path / "state/datasets").iterdir()] == [".ml-latest-small.lock"]


def test_a_zip_that_would_fill_the_disk_is_refused(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST", 100_000)
    site.publish(movielens_zip())
    with pytest.raises(DatasetError, match="would unpack to more than 100,000 bytes"):
        ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)


@pytest.mark.parametrize("content", [b"<html>Please log in</html>", movielens_zip(files={"movies.csv": b""})])
def test_what_is_no_movielens_zip_is_refused_and_deleted(tmp_path: Path, site: Site, content: bytes) -> None:
    site.publish(content, md5=None)
    with pytest.raises(DatasetError, match=r"(damaged|no whole MovieLens set).*The zip was deleted"):
        ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == [".ml-latest-small.lock"]


def test_a_set_that_is_not_published_is_an_error_even_with_the_fallback(tmp_path: Path, site: Site) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        ensure_dataset("ml-1m", tmp_path, fallback=True, base_url=site.url)


def test_what_an_earlier_process_left_half_unpacked_is_swept_away(tmp_path: Path, site: Site) -> None:
    site.publish(movielens_zip())
    half = tmp_path / "datasets" / ".ml-latest-small.unpacking"
    half.mkdir(parents=True)
    (half / "stray").touch()
    folder = ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    assert not half.exists()
    assert not (folder / "stray").exists()


def test_a_set_that_lost_a_file_is_said_to_be_so(tmp_path: Path, site: Site) -> None:
    site.publish(movielens_zip())
    (ensure_dataset("ml-latest-small", tmp_path, base_url=site.url) / "ratings.csv").unlink()
    with pytest.raises(DatasetError, match=r"found movies\.csv\. Remove that folder"):
        ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)


def test_two_processes_at_once_download_one_time(tmp_path: Path, site: Site) -> None:
    site.publish(movielens_zip())
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "datasets" / "ml-latest-small"] * 4
    assert len(site.zips_asked()) == 1


def test_without_the_server_an_asked_set_is_an_error_that_says_what_to_do(tmp_path: Path, nobody: str) -> None:
    with pytest.raises(DatasetError, match=r"no connection\. Check the network .* set MATINEE_DATASET to its folder"):
        ensure_dataset("ml-latest-small", tmp_path, base_url=nobody)


@pytest.mark.usefixtures("package_index")
def test_without_the_server_the_package_index_stands_in_from_then_on(
    tmp_path: Path, site: Site, nobody: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = ensure_dataset("ml-latest-small", tmp_path, fallback=True, base_url=nobody)
    assert folder == tmp_path / "datasets" / FALLBACK
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == ATOMIC
    assert "Using MovieLens 100K (1,682 movies, 100,000 ratings) from the package index instead" in caplog.text
    site.publish(movielens_zip())
    assert ensure_dataset("ml-latest-small", tmp_path, fallback=True, base_url=site.url) == folder
    assert site.asked == []
    asked_for = ensure_dataset("ml-latest-small", tmp_path, base_url=site.url)
    assert asked_for.name == "ml-latest-small"
    assert ensure_dataset("ml-latest-small", tmp_path, fallback=True, base_url=nobody) == asked_for


@pytest.mark.usefixtures("package_index")
def test_a_server_that_refuses_counts_as_out_of_reach(tmp_path: Path, site: Site) -> None:
    site.publish(movielens_zip())
    site.statuses = [403]
    assert ensure_dataset("ml-latest-small", tmp_path, fallback=True, base_url=site.url).name == FALLBACK


def test_without_server_and_package_index_the_error_says_what_pip_said(
    tmp_path: Path, nobody: str, package_index: Path
) -> None:
    next(package_index.iterdir()).unlink()
    with pytest.raises(DatasetError, match=r"pip says: .*recbole.* set MATINEE_DATASET to its folder"):
        ensure_dataset("ml-latest-small", tmp_path / "state", fallback=True, base_url=nobody)


def test_a_package_with_another_hash_is_refused(tmp_path: Path, nobody: str, package_index: Path) -> None:
    with next(package_index.iterdir()).open("ab") as wheel:
        wheel.write(b"something else")
    with pytest.raises(DatasetError, match=r"pip says: .*"):
        ensure_dataset("ml-latest-small", tmp_path / "state", fallback=True, base_url=nobody)


def test_an_image_has_the_package_beside_and_needs_no_pip(
    tmp_path: Path, nobody: str, package_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next(package_index.iterdir()).rename(dataset.FALLBACK_PACKAGE.with_name("recbole-1.2.1-py3-none-any.whl"))
    monkeypatch.setattr("sys.executable", "/no/python")
    folder = ensure_dataset("ml-latest-small", tmp_path, fallback=True, base_url=nobody)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == ATOMIC


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    for name, body in SET.items():
        (tmp_path / name).write_bytes(body)
    assert ensure_dataset(str(tmp_path), tmp_path / "state") == tmp_path
    assert not (tmp_path / "state").exists()


def test_a_folder_without_a_set_and_an_unknown_name_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no whole MovieLens set"):
        ensure_dataset(str(tmp_path), tmp_path)
    with pytest.raises(DatasetError, match=r"'ml-2m' is neither .* ml-latest-small, .*Set MATINEE_DATASET"):
        ensure_dataset("ml-2m", tmp_path)


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MATINEE_")}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=kept | environment)


def test_the_module_prints_the_folder_of_a_set_that_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "datasets" / "ml-1m"
    folder.mkdir(parents=True)
    (folder / "movies.dat").touch()
    python = (sys.executable, "-m", "movielens.dataset")
    found = run(*python, "ml-1m", MATINEE_STATE_DIR=str(tmp_path), PYTHONPATH=str(ROOT))
    assert (found.returncode, found.stdout) == (1, "")
    assert "found movies.dat. Remove that folder" in found.stderr
    (folder / "ratings.dat").touch()
    found = run(*python, "ml-1m", MATINEE_STATE_DIR=str(tmp_path), PYTHONPATH=str(ROOT))
    assert (found.returncode, found.stdout) == (0, f"{folder}\n")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script in a project whose path has spaces and whose environment is this Python."""
    home = tmp_path / "a folder with spaces"
    home.mkdir()
    for name in ("download_dataset.sh", "settings.py"):
        (home / name).write_bytes((ROOT / name).read_bytes())
    for folder in ("movielens", "ranking", "catalogue"):
        (home / folder).symlink_to(ROOT / folder)
    shutil.copytree(ROOT / "system", home / "system")
    environment = f'VENV_PYTHON="{sys.executable}"\nensure_environment() {{ [ "$1" = requirements.txt ]; }}\n'
    (home / "system/environment.sh").write_text(environment)
    return home / "download_dataset.sh"


def test_the_script_names_every_set_and_refuses_others(script: Path) -> None:
    for flag in ("-h", "--help"):
        shown = run("bash", script, flag)
        assert shown.returncode == 0
        assert " ".join(DATASET_NAMES) in shown.stdout
    for wrong in ("ml-2m", "", "ml-1m ml-10m", "1m", "*"):
        refused = run("bash", script, wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert f"'{wrong}' is not the name of a MovieLens set" in refused.stderr
    assert run("bash", script, "ml-1m", "ml-10m").returncode == 2


def test_the_script_runs_from_anywhere_in_a_path_with_spaces(script: Path) -> None:
    folder = script.parent / "var" / "datasets" / "ml-latest-small"
    folder.mkdir(parents=True)
    for name, body in SET.items():
        (folder / name).write_bytes(body)
    for arguments in ((), ("ml-latest-small",)):
        found = run("bash", script, *arguments)
        assert (found.returncode, found.stdout, found.stderr) == (0, f"{folder}\n", "")
