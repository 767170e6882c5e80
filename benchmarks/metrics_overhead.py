"""What counting for /metrics adds to a request that reads a list, and how long one look at the page takes.

Both applications answer the same bytes under the same log, one counts and one does not; they take turns.
"""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.extend(str(Path(__file__).resolve().parent.parent / folder) for folder in ("benchmarks", "."))

from flask import Flask, Response
from measurements import Measurement, Measurements, median_of
from prometheus_client import generate_latest

from system.shared_counts import sharing, shown
from web.request_log import RequestLog
from web.request_metrics import RequestMetrics, metrics, record_route_patterns

ROUTE, BODY = "/users/<user_id>/recommendations", b"[]"
MOST_MICROSECONDS = 30.0
Application = Callable[..., object]


def measure(quick: bool) -> Measurements:
    """In a process of its own: whether counts are shared is settled once for a process."""
    command = [sys.executable, __file__, "5" if quick else "15", "500" if quick else "4000"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {
        "counting a request": median_of(found["added"], "us", "less", MOST_MICROSECONDS),
        "a request without it": median_of(found["without"], "us"),
        "a look at the page": Measurement(found["page"], "ms", "less"),
    }


def turns(repeats: int, requests: int) -> dict[str, object]:
    """Microseconds that counting adds to a request, those of one without it, and milliseconds of a look, each turn."""
    counts = RequestMetrics()
    counting, plain = application(counts), application(None)
    timed(counting, requests)
    without, added = [], []
    for _ in range(repeats):
        without.append(timed(plain, requests))
        added.append(timed(counting, requests) - without[-1])
    return {"added": added, "without": without, "page": median(look(counts) for _ in range(repeats))}


def application(counts: RequestMetrics | None) -> Application:
    """Answers a list at once, and counts it if there is something to count with."""
    app = Flask(__name__)
    app.extensions["metrics"] = counts

    @app.get(ROUTE)
    def show(user_id: str) -> Response:
        if counts:
            metrics().listed("stored")
        return Response(BODY)

    if counts:
        record_route_patterns(app)
    return RequestLog(app, counts.request if counts else lambda environ, status, seconds: None)


def timed(app: Application, requests: int) -> float:
    """Microseconds of CPU that a request takes."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/users/1/recommendations", "SERVER_NAME": "x",
               "SERVER_PORT": "1", "wsgi.url_scheme": "http"}  # fmt: skip
    began = time.thread_time()
    for _ in range(requests):
        for _ in app(dict(environ), lambda status, headers: None):  # type: ignore[attr-defined]
            pass
    return 1e6 * (time.thread_time() - began) / requests


def look(counts: RequestMetrics) -> float:
    """Milliseconds to add up and write down what all processes have counted."""
    began = time.perf_counter()
    generate_latest(shown(counts.registry))
    return 1e3 * (time.perf_counter() - began)


if __name__ == "__main__":
    logging.disable()
    with TemporaryDirectory() as folder, sharing(Path(folder) / "metrics"):
        print(json.dumps(turns(int(sys.argv[1]), int(sys.argv[2]))))
