"""How long those wait who write a view, at rest and while something else goes on."""

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
PAUSE = 0.01  # between two views of one writer: some 300 a second in all, a busy evening and not the most there can be


@dataclass(frozen=True)
class Writing:
    """Who writes where: users of the database at `url`, of movies from 1 to `movies`."""

    url: str
    users: list[int]
    movies: int


def waits_beside(writing: Writing, work: Callable[[], Any]) -> list[float]:
    """Milliseconds that each view took which was written while `work` went on, by a process of its own."""
    with multiprocessing.get_context("spawn").Manager() as shared:
        started, over = shared.Event(), shared.Event()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            waits = pool.submit(write_until, writing, started, over)
            started.wait()
            try:
                work()
            finally:
                over.set()
            return waits.result()


def write_until(writing: Writing, started: threading.Event, over: threading.Event) -> list[float]:
    """Write views until it is over; to be run in a process of its own."""
    database = Database(writing.url, WRITERS)
    rng = np.random.default_rng(2)
    stop = threading.Event()

    def write(movies: list[int]) -> list[float]:
        took = []
        for turn, movie in enumerate(movies):
            if stop.is_set():
                break
            began = time.perf_counter()
            with database.statement() as db:
                user_ratings.put(
                    db, writing.users[(turn * WRITERS + movie) % len(writing.users)], movie, 0.5 + turn % 10 / 2
                )
            took.append(1000 * (time.perf_counter() - began))
            time.sleep(PAUSE)
        return took

    with ThreadPoolExecutor(WRITERS) as pool:
        found = [pool.submit(write, rng.integers(1, writing.movies + 1, 1_000_000).tolist()) for _ in range(WRITERS)]
        time.sleep(0.5)  # until all are connected
        started.set()
        over.wait()
        stop.set()
        waits = [wait for writer in found for wait in writer.result()[10:]]
    database.close()
    return waits
