"""Measure the latency of writing a rating, at rest and while other work runs."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from storage import user_ratings
from storage.database import Database

WRITERS = 4
PAUSE_SECONDS = 0.01  # between two ratings of a writer: about 300 a second in all, well below the maximum


@dataclass(frozen=True)
class Writers:
    """Users of the database at `url`, who rate movies from 1 to `movies`."""

    url: str
    users: list[int]
    movies: int


def latencies_during(writers: Writers, work: Callable[[], Any]) -> list[float]:
    """Return the milliseconds of each rating that a separate process writes while `work` runs."""
    with multiprocessing.get_context("spawn").Manager() as shared:
        started, over = shared.Event(), shared.Event()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            latencies = pool.submit(write_until, writers, started, over)
            started.wait()
            try:
                work()
            finally:
                over.set()
            return latencies.result()


def write_until(writers: Writers, started: threading.Event, over: threading.Event) -> list[float]:
    """Write ratings from several threads until `over` is set, and return the milliseconds of each."""
    database = Database(writers.url, WRITERS)
    rng = np.random.default_rng(2)
    stop = threading.Event()

    def write(movies: list[int]) -> list[float]:
        milliseconds: list[float] = []
        for turn, movie in enumerate(movies):
            if stop.is_set():
                break
            began = time.perf_counter()
            with database.statement() as db:
                user = writers.users[(turn * WRITERS + movie) % len(writers.users)]
                user_ratings.put(db, user, movie, 0.5 + turn % 10 / 2)
            milliseconds.append(1000 * (time.perf_counter() - began))
            time.sleep(PAUSE_SECONDS)
        return milliseconds

    with ThreadPoolExecutor(WRITERS) as pool:
        found = [pool.submit(write, rng.integers(1, writers.movies + 1, 1_000_000).tolist()) for _ in range(WRITERS)]
        time.sleep(0.5)  # until all are connected
        started.set()
        over.wait()
        stop.set()
        latencies = [one for writer in found for one in writer.result()[10:]]  # the first ones are cold
    database.close()
    return latencies
