"""Measure reads at a fixed rate while the service trains and publishes, and at rest."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from statistics import mean
from typing import Any

from http_load import Load, LoadResult, require_success, run_load, send_load
from measurements import Measurement, Measurements, median_of
from prepared_service import cache_lists, list_request, port_of, prepared_state, running, warm_up
from processes import ServiceProcess, poll

RATE = 200.0  # requests a second
GOAL_RATIO, GOAL_MAXIMUM_MS = 3.0, 150.0
RETRAIN_TIMEOUT = 300.0  # seconds
REST_SECONDS = 20.0  # duration of a measurement at rest
SLICE_SECONDS = 2.0  # duration of one load; loads follow each other until the retrain ends


def measure(quick: bool) -> Measurements:
    """Return percentiles at rest, and during a whole retrain with a warm Spark session."""
    with (
        prepared_state(1000 if quick else 9_700, light_users=100 if quick else 1000, factors=False) as prepared,
        running(prepared) as process,
    ):
        retrain(process)
        cache_lists(process, prepared.light_users)
        requests = [list_request(user) for user in prepared.light_users]
        warm_up(process, requests)
        load = Load(port_of(process), requests, 16, 3.0 if quick else REST_SECONDS, RATE)
        before = run_load(load)
        meanwhile, seconds = _load_during_retrain(process, load)
        after = run_load(load)
    at_rest = mean([before.ms(99), after.ms(99)])
    return {
        "p99 at rest": median_of([before.ms(99), after.ms(99)], "ms", "less"),
        "p50 in a retrain": Measurement(meanwhile.ms(50), "ms", "less"),
        "p99 in a retrain": Measurement(meanwhile.ms(99), "ms", "less"),
        "p99 in a retrain / p99 at rest": Measurement(meanwhile.ms(99) / at_rest, "x", "less", GOAL_RATIO),
        "maximum in a retrain": Measurement(meanwhile.ms(100), "ms", "less", GOAL_MAXIMUM_MS),
        "maximum at rest": Measurement(max(before.ms(100), after.ms(100)), "ms", "less"),
        "duration of the retrain": Measurement(seconds, "s", "less"),
    }


def retrain(process: ServiceProcess) -> float:
    """Start a training run, wait for its end, and return its duration in seconds."""
    answer = process.http.post("/api/v1/retrain")
    answer.raise_for_status()
    run = answer.json()["run_id"]
    ended = poll(lambda: _ended_run(process, run), RETRAIN_TIMEOUT, "the end of a retrain")
    if ended["outcome"] != "published":
        raise RuntimeError(f"the retrain was not published: {ended}")
    began, finished = (datetime.fromisoformat(ended[name]) for name in ("started_at", "finished_at"))
    return (finished - began).total_seconds()


def _ended_run(process: ServiceProcess, run: int) -> dict[str, Any] | None:
    state: dict[str, Any] = process.get("/api/v1/retrain")
    return state if state["run_id"] == run and state["outcome"] else None


def _load_during_retrain(process: ServiceProcess, load: Load) -> tuple[LoadResult, float]:
    """Send loads until a retrain has ended. Return their answers and the duration of the retrain."""
    every, done = LoadResult(), threading.Event()
    with ThreadPoolExecutor(1) as pool, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as clients:
        clients.submit(int).result()  # start the process of the clients before the retrain begins
        training = pool.submit(retrain, process)
        training.add_done_callback(lambda _: done.set())
        while not done.is_set():
            result = require_success(clients.submit(send_load, replace(load, seconds=SLICE_SECONDS)).result())
            every.answered += result.answered
            every.seconds += result.seconds
        return every, training.result()
