"""Measure the CPU that counting for /metrics adds to a request for a list, and the time to render /metrics.

Two applications answer the same bytes with the same access log, one with metrics and one without. They take turns.
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
from web.request_metrics import RequestMetrics, metrics, record_route_pattern

ROUTE, BODY = "/users/<user_id>/recommendations", b"[]"
MOST_MICROSECONDS = 30.0
Application = Callable[..., object]


def measure(quick: bool) -> Measurements:
    """Measure in a separate process, because a process must share its counts from its start."""
    command = [sys.executable, __file__, "5" if quick else "15", "500" if quick else "4000"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {
        "added CPU per request": median_of(found["added"], "us", "less", MOST_MICROSECONDS),
        "CPU per request without metrics": median_of(found["without"], "us"),
        "rendering /metrics": Measurement(found["page"], "ms", "less"),
    }


def measure_turns(repeats: int, requests: int) -> dict[str, object]:
    """Return the microseconds added to a request and those without metrics, by turn, and the page's milliseconds."""
    counts = RequestMetrics()
    counting, plain = application(counts), application(None)
    request_us(counting, requests)
    without, added = [], []
    for _ in range(repeats):
        without.append(request_us(plain, requests))
        added.append(request_us(counting, requests) - without[-1])
    return {"added": added, "without": without, "page": median(rendering_ms(counts) for _ in range(repeats))}


def application(counts: RequestMetrics | None) -> Application:
    """Return an application that answers at once, with metrics if `counts` is given."""
    app = Flask(__name__)
    app.extensions["metrics"] = counts

    @app.get(ROUTE)
    def show(user_id: str) -> Response:
        if counts:
            metrics().listed("stored")
        return Response(BODY)

    if counts:
        app.after_request(record_route_pattern)
    return RequestLog(app, counts.request if counts else lambda environ, status, seconds: None)


def request_us(app: Application, requests: int) -> float:
    """Return the microseconds of CPU that a request takes."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/users/1/recommendations", "SERVER_NAME": "x",
               "SERVER_PORT": "1", "wsgi.url_scheme": "http"}  # fmt: skip
    began = time.thread_time()
    for _ in range(requests):
        for _ in app(dict(environ), lambda status, headers: None):  # type: ignore[attr-defined]
            pass
    return 1e6 * (time.thread_time() - began) / requests


def rendering_ms(counts: RequestMetrics) -> float:
    """Return the milliseconds to add up the counts of all processes and render /metrics."""
    began = time.perf_counter()
    generate_latest(shown(counts.registry))
    return 1e3 * (time.perf_counter() - began)


if __name__ == "__main__":
    logging.disable()
    with TemporaryDirectory() as folder, sharing(Path(folder) / "metrics"):
        print(json.dumps(measure_turns(int(sys.argv[1]), int(sys.argv[2]))))
