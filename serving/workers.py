"""Keep the worker processes: start them, replace one that ends, and stop them."""

import logging
import os
import pickle
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO, cast

from settings import ROOT, Settings
from system.process import describe_exit

log = logging.getLogger(__name__)

COMMAND = ["-m", "serving.worker"]
AGAIN_SECONDS = 1.0  # after a start; twice as long after each that soon ended again, for the next will do no better
MOST_AGAIN_SECONDS = 30.0
SETTLED_SECONDS = 10.0  # a process that lives so long has started
STOP_SECONDS = 5.0


class Workers:
    """The worker processes. Start them from the main thread: the kernel ends them with the thread that started them."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._places: list[subprocess.Popen[bytes] | None] = [None] * (settings.processes - 1)
        self._given = pickle.dumps((settings, database_url, os.getpid()))
        self._started = -AGAIN_SECONDS
        self._wait = AGAIN_SECONDS

    def keep(self) -> None:
        """Start processes that are missing; call this regularly."""
        if self._note_ends():
            soon = time.monotonic() < self._started + SETTLED_SECONDS
            self._wait = min(2 * self._wait, MOST_AGAIN_SECONDS) if soon else AGAIN_SECONDS
        if None in self._places and time.monotonic() >= self._started + self._wait:
            self._start_all()

    def _note_ends(self) -> bool:
        """Return whether any has ended since the last call."""
        found = False
        for place, process in enumerate(self._places):
            if process is not None and process.poll() is not None:
                how = describe_exit(process.returncode)
                log.error("process %d, which serves, %s; starting another", process.pid, how)
                self._places[place] = None
                found = True
        return found

    def terminate(self) -> None:
        """Ask all workers to finish their requests and end."""
        for process in self._running:
            process.terminate()

    def stop(self) -> None:
        """Wait until all workers have ended, and kill those that take too long."""
        until = time.monotonic() + STOP_SECONDS
        for process in self._running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in self._places if process is not None]

    def _start_all(self) -> None:
        self._started = time.monotonic()
        for place, process in enumerate(self._places):
            if process is None:
                self._places[place] = self._start()

    def _start(self) -> "subprocess.Popen[bytes] | None":
        try:
            started = subprocess.Popen([sys.executable, *COMMAND], cwd=ROOT, stdin=subprocess.PIPE)  # noqa: S603 - our own module
        except OSError as error:
            log.error("a process that serves could not be started; the next attempt follows soon: %s", error)
            return None
        with suppress(BrokenPipeError), cast("IO[bytes]", started.stdin) as pipe:  # it may end at once, as keep() finds
            pipe.write(self._given)
        return started
