"""Show the progress of long work: a bar on a terminal, a line every few seconds in a log."""

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 5.0
LINE = "{desc}: {percentage:.0f} % of {total_fmt}, {rate_fmt}, {remaining} left"
LINE_OF_SHARES = "{desc}: {percentage:.0f} % after {elapsed}"  # the shares of a run are too rough to foresee its end


class _LogLines(io.TextIOBase):
    """Takes what tqdm would draw on a terminal and logs it."""

    def write(self, text: str) -> int:
        if line := text.strip():
            log.info(line)
        return len(text)


@contextmanager
def progress(total: int | None, what: str, *, unit: str, initial: int = 0) -> Iterator[Callable[[int], object]]:
    """Yield `advance(n)`, to be called after every n units; `initial` of them were done before.

    Work that is over within seconds leaves nothing in a log.
    """
    tqdm.set_lock(threading.RLock())  # its own is also a semaphore of the system, which a killed process leaves there
    if sys.stderr.isatty():
        bar = tqdm(total=total, desc=what, unit=unit, unit_scale=True, initial=initial)
    else:
        pace = SECONDS_BETWEEN_LINES
        line = LINE_OF_SHARES if unit == "%" else LINE
        lines = {"file": _LogLines(), "bar_format": line, "mininterval": pace, "delay": pace, "miniters": 1}
        bar = tqdm(total=total, desc=what, unit=unit, unit_scale=True, initial=initial, **lines)
    with bar:
        yield bar.update
