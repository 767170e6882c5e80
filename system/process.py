"""Processes of the operating system: signals, process groups, exit statuses and working folders."""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

log = logging.getLogger("matinee")

SUBMITTED = "PYSPARK_GATEWAY_PORT"  # set by spark-submit, whose JVM is then ours to use but not to end
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
KILLED_SECONDS = 1.0  # for which the processes of a group that was killed are waited for
_PR_SET_PDEATHSIG = 1
_ON_LINUX: bool = sys.platform == "linux"
# Looked up here, not in the child: between fork and exec loading a library could wait for a lock for ever.
_prctl = ctypes.CDLL(None).prctl if _ON_LINUX else None


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


def on_stop_signals(handle: Callable[[int, FrameType | None], None]) -> None:
    """Have a signal that wants an orderly end call `handle`, unless whoever started us has it ignored."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a script's &
            signal.signal(number, handle)


def end_after(work: Callable[[], int]) -> NoReturn:
    """Do the work of this process, then end it at once with the status that `work` returns; an error is logged.

    An ordinary exit would wait for a training run, which the next start closes, and for the threads of the HTTP server,
    which would hold the port and answer no request.
    """
    status = 1
    try:
        status = work()
    except KeyboardInterrupt:  # before there is anything to stop in order
        status = 130  # as a shell reports Ctrl-C
    except BaseException:
        log.critical("process %d ends with an error", os.getpid(), exc_info=True)
    finally:
        os._exit(status)


def end_group(leader: int, seconds: float) -> None:
    """End all processes of the group with this leader; kill what is left of them after so many seconds."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, KILLED_SECONDS)):
        with suppress(ProcessLookupError):
            os.killpg(leader, number)
            until = time.monotonic() + patience
            while time.monotonic() < until:
                os.killpg(leader, 0)
                time.sleep(0.02)


def describe_exit(status: int) -> str:
    """Return in words how a process ended: `status` is its exit status, or minus the number of the signal."""
    if status == -signal.SIGKILL:
        return "was killed, as the system does when its memory runs out"
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def process_works_in(pid: int, folder: Path) -> bool:
    """Return whether a live process has this id and `folder` as its working folder."""
    try:
        return Path(psutil.Process(pid).cwd()) == folder
    except psutil.Error:  # it has ended, or is another user's
        return False
