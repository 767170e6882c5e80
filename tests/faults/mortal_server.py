"""server.py, but it kills itself with SIGKILL at the point of a retrain that the file `die-at` in its state names.

The points are put around the service's own functions from here; it has nothing of this in itself.
"""

import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from jobs.run import Run
from recommender import Recommender
from settings import ROOT
from storage import generations, recommendations

ORDER = Path(os.environ["MATINEE_STATE_DIR"]) / "die-at"
FITS = ("ranker", "rater", "neighbours")
FIT_SECONDS = 0.3  # after a fit was begun: Spark is in the middle of it


def die_if(point: str) -> None:
    if ORDER.exists() and ORDER.read_text() == point:
        os.kill(os.getpid(), signal.SIGKILL)


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
    advance = Run.advance

    def mortal(run: Run, phase: str, done: float = 0.0) -> None:
        advance(run, phase, done)
        if phase in FITS:
            threading.Timer(FIT_SECONDS, die_if, [phase]).start()
        else:
            die_if(phase)

    Run.advance = mortal  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    in_each_phase()
    after(recommendations, "publish", "lists written")
    after(generations, "flip", "flip")
    before(Recommender, "use", "flipped")
    after(recommendations, "prune", "prune")
    runpy.run_path(str(ROOT / "server.py"), run_name="__main__")
