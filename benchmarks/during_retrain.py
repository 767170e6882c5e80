"""Reads at a fixed rate while the service trains and publishes, beside the same at rest."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from statistics import mean
from typing import Any

from http_load import Load, LoadResult, carry_out, checked, under_load
from measurements import Measurement, Measurements, median_of
from prepared_service import keep_lists, list_of, port_of, prepared_state, running, warm_up
from processes import ServiceProcess, poll

RATE = 200.0  # requests a second
MOST_OF_REST, MOST_PAUSE_MS = 3.0, 150.0
LONGEST = 300.0  # seconds that a retrain may take
SPAN = 20.0  # seconds of a measurement at rest
SLICE = 2.0  # seconds of load that are begun again until a retrain has ended


def measure(quick: bool) -> Measurements:
    """Percentiles at rest, and from the beginning of a retrain to its end; Spark is warm, as it is after the first."""
    with (
        prepared_state(1000 if quick else 9_700, readers=100 if quick else 1000, factors=False) as prepared,
        running(prepared) as process,
    ):
        retrain(process)
        keep_lists(process, prepared.readers)
        requests = [list_of(user) for user in prepared.readers]
        warm_up(process, requests)
        load = Load(port_of(process), requests, 16, 3.0 if quick else SPAN, RATE)
        before = under_load(load)
        meanwhile, seconds = _during(process, load)
        after = under_load(load)
    rest = mean([before.ms(99), after.ms(99)])
    return {
        "p99 at rest": median_of([before.ms(99), after.ms(99)], "ms", "less"),
        "p50 in a retrain": Measurement(meanwhile.ms(50), "ms", "less"),
        "p99 in a retrain": Measurement(meanwhile.ms(99), "ms", "less"),
        "p99 in a retrain of that at rest": Measurement(meanwhile.ms(99) / rest, "x", "less", MOST_OF_REST),
        "longest wait for an answer in a retrain": Measurement(meanwhile.ms(100), "ms", "less", MOST_PAUSE_MS),
        "longest wait for an answer at rest": Measurement(max(before.ms(100), after.ms(100)), "ms", "less"),
        "the retrain": Measurement(seconds, "s", "less"),
    }


def retrain(process: ServiceProcess) -> float:
    """Have the service train and wait until that has ended; how many seconds it took."""
    asked = process.http.post("/api/v1/retrain")
    asked.raise_for_status()
    run = asked.json()["run_id"]
    ended = poll(lambda: _ended(process, run), LONGEST, "the end of a retrain")
    if ended["outcome"] != "published":
        raise RuntimeError(f"the retrain was to be published: {ended}")
    began, finished = (datetime.fromisoformat(ended[name]) for name in ("started_at", "finished_at"))
    return (finished - began).total_seconds()


def _ended(process: ServiceProcess, run: int) -> dict[str, Any] | None:
    told: dict[str, Any] = process.get("/api/v1/retrain")
    return told if told["run_id"] == run and told["outcome"] else None


def _during(process: ServiceProcess, load: Load) -> tuple[LoadResult, float]:
    """What clients saw during a retrain, and how long it took: loads follow each other until it has ended."""
    every, done = LoadResult(), threading.Event()
    with ThreadPoolExecutor(1) as pool, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as clients:
        clients.submit(int).result()  # the process of the clients is there before the retrain begins
        training = pool.submit(retrain, process)
        training.add_done_callback(lambda _: done.set())
        while not done.is_set():
            seen = checked(clients.submit(carry_out, replace(load, seconds=SLICE)).result())
            every.answered += seen.answered
            every.seconds += seen.seconds
        return every, training.result()
