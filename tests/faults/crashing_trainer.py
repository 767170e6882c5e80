"""The process that trains, but it kills the service where the file `die-at` in its state says, in a retrain.

That is itself and the process that started it, with SIGKILL. The points are put around the service's own functions from
here; it has nothing of this in itself.
"""

import os
import signal
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from jobs import trainer_process
from jobs.job_run import JobRun
from live_model import LiveModel
from settings import Settings
from storage import generations, recommendations

ORDER = Path(os.environ["MATINEE_STATE_DIR"]) / "die-at"
FITS = ("ranker", "rater")  # the neighbours of so few movies take no time
FIT_SECONDS = 0.3  # after a fit was begun: Spark is in the middle of it


def die_if(point: str) -> None:
    if ORDER.exists() and ORDER.read_text() == point:
        for pid in (os.getppid(), os.getpid()):
            os.kill(pid, signal.SIGKILL)


def before(owner: Any, name: str, point: str) -> None:
    """Die instead of calling a function."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def mortal(*args: Any) -> Any:
        die_if(point)
        return function(*args)

    setattr(owner, name, mortal)


def after(owner: Any, name: str, point: str) -> None:
    """Die when a function has done its work, before the transaction it works in is committed."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def mortal(*args: Any) -> Any:
        result = function(*args)
        die_if(point)
        return result

    setattr(owner, name, mortal)


def in_each_phase() -> None:
    """Die in a phase as soon as the run's record says that it has begun; in a fit a moment later."""
    advance = JobRun.advance

    def mortal(run: JobRun, phase: str, done: float = 0.0) -> None:
        advance(run, phase, done)
        if phase in FITS:
            threading.Timer(FIT_SECONDS, die_if, [phase]).start()
        else:
            die_if(phase)

    JobRun.advance = mortal  # type: ignore[method-assign, assignment]


def prepare(settings: Settings, database_url: str, parent: int) -> None:
    """Make this process one that trains, as the service does, and that dies where it is told to."""
    in_each_phase()
    after(recommendations, "store_lists", "lists written")
    after(generations, "flip", "flip")
    before(LiveModel, "use", "flipped")
    after(recommendations, "prune", "prune")
    trainer_process.prepare(settings, database_url, parent)
