"""Keeps the processes that serve beside the first one: starts them, starts again one that ends, ends them."""

import logging
import time
from functools import partial

from settings import Settings
from system.child import Child
from system.line import Answer

log = logging.getLogger(__name__)

COMMAND = ["-m", "serving.worker"]
AGAIN_SECONDS = 1.0  # after a start; twice as long after each that soon ended again, for the next will do no better
MOST_AGAIN_SECONDS = 30.0
SETTLED_SECONDS = 10.0  # who lives so long has not ended because it could not start
STOP_SECONDS = 5.0


class Workers:
    """As many as the settings want; to be called from one thread."""

    def __init__(self, settings: Settings, database_url: str, answer: Answer) -> None:
        """Have each of them ask `answer` for what only the first process knows."""
        self._places: list[Child | None] = [None] * (settings.processes - 1)
        self._given = settings, database_url
        self._answer = answer
        self._started = -AGAIN_SECONDS
        self._wait = AGAIN_SECONDS

    def keep(self) -> None:
        """Have all of them running; to be called now and then."""
        if self._note_ends():
            soon = time.monotonic() < self._started + SETTLED_SECONDS
            self._wait = min(2 * self._wait, MOST_AGAIN_SECONDS) if soon else AGAIN_SECONDS
        if None in self._places and time.monotonic() >= self._started + self._wait:
            self._start_all()

    def _note_ends(self) -> bool:
        """Whether any has ended since it was last looked."""
        found = False
        for place, child in enumerate(self._places):
            if child is not None and child.process.poll() is not None:
                log.error("process %d, which serves, %s; starting another", child.process.pid, child.why_ended())
                self._places[place] = None
                found = True
        return found

    def hang_up(self) -> None:
        """Have all finish the requests that are under way and end."""
        for child in self._running:
            child.line.close()

    def stop(self) -> None:
        """Wait until all have ended, for a while."""
        until = time.monotonic() + STOP_SECONDS
        for child in self._running:
            child.end(max(0.0, until - time.monotonic()))

    @property
    def _running(self) -> list[Child]:
        return [child for child in self._places if child is not None]

    def _start_all(self) -> None:
        self._started = time.monotonic()
        for place, child in enumerate(self._places):
            if child is None:
                self._places[place] = self._start()

    def _start(self) -> Child | None:
        try:
            return Child(COMMAND, self._given, self._answer, _nothing)
        except (OSError, RuntimeError) as error:
            log.error("a process that serves could not be started, and soon it is tried again: %s", error)
            return None


_nothing = partial(log.debug, "the line to a process that serves was cut")
