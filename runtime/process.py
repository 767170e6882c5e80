"""Processes as the operating system sees them: whose child one is, and what runs under a number."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Looked up here, not in the child: between fork and exec loading a library could wait for a lock for ever.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def die_with_parent(with_signal: signal.Signals, parent: int | None = None) -> None:
    """Have the kernel send us `with_signal` when the thread that started us ends; Linux only, elsewhere nothing.

    A change of uid clears it, an exec does not. Give `parent`, when it is known, to exit at once if that process
    is gone already.
    """
    if _prctl is None:
        return
    _prctl(_PR_SET_PDEATHSIG, int(with_signal))
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def command_of(pid: int) -> str:
    """The command line of a living process; empty for one that has ended, waited for or not."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    shown = subprocess.run(["/bin/ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)  # noqa: S603
    return shown.stdout.strip()
