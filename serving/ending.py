"""How a process that serves ends: at once, whatever has happened in it and whichever threads are still at work."""

import logging
import os
from collections.abc import Callable
from typing import NoReturn

log = logging.getLogger("matinee")

FAILED = 1
INTERRUPTED = 130  # as a shell tells of a program that Ctrl-C has ended


def end_after(work: Callable[[], int]) -> NoReturn:
    """Do the work of this process, then end it with the status that `work` returns; an error is logged and ends it too.

    Not by leaving: that would wait for the threads of the HTTP server, which would hold the port and answer nobody,
    and for a training that is under way. The next start closes its run.
    """
    status = FAILED
    try:
        status = work()
    except KeyboardInterrupt:  # before there was anything to stop in order
        status = INTERRUPTED
    except BaseException:
        log.critical("process %d ends with an error", os.getpid(), exc_info=True)
    finally:
        os._exit(status)
