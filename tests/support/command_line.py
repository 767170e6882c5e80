"""Run the commands of cli.py as an operator does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

import pytest
from processes import INHERITED_VARIABLES, SMALL

import cli
from settings import ROOT

WIDE = {"COLUMNS": "200"}  # click wraps its messages for narrow terminals


class Operator:
    """Runs commands, in this process with the Spark of the tests, or in a new process."""

    def __init__(self, environ: dict[str, str]) -> None:
        of_tests = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
        self.environ = of_tests | SMALL | WIDE | environ

    def run(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        out, err = StringIO(), StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["cli.py", *arguments])
            for name, value in (self.environ | environ).items():
                patch.setenv(name, value)
            before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
            try:
                with pytest.raises(SystemExit) as ended:
                    cli.main()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), out.getvalue(), err.getvalue())

    def says(self, *arguments: str, **environ: str) -> str:
        """Run a command that must succeed, and return its output."""
        done = self.run(*arguments, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str, **environ: str) -> str:
        """Run a command that must fail, and return its one line on standard error."""
        done = self.run(*arguments, **environ)
        assert done.returncode == 1, done.stderr
        (line,) = done.stderr.splitlines()
        return line

    @contextmanager
    def begun(self, *command: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
        """Start a script in a new process."""
        with subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=self.environ | environ, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_deliver_interrupts,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()


def _deliver_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background may ignore them
