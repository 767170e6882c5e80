"""A service with a known value for every metric of /metrics, without a training run."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
from handmade_model import EVEN, IDS, flip, new_user, two_tastes
from processes import poll
from raw_http import served

from app import create_app
from health import Health
from recommender import Recommender
from settings import Settings
from storage import generations, predictions, runs
from storage.database import Database
from storage.predictions import PredictionRow
from system.memory import Heap
from system.process_metrics import JvmProbe, ProcessProbe
from web.server_probe import ServerProbe

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
THREADS = 3
HEAP = Heap(used=100, most=400, pid=None)


def samples(page: str) -> Samples:
    """Return each value of a page by name and labels."""
    found = SAMPLE.findall(page)
    return {(name, frozenset(LABEL.findall(labels))): float(value) for name, labels, value in found}


class MetricsSnapshot:
    """The values that /metrics of a service shows now."""

    def __init__(self, client: httpx.Client) -> None:
        answer = client.get("/metrics")
        assert answer.status_code == 200, answer.text
        self.text = answer.text
        self._samples = samples(answer.text)

    def __call__(self, name: str, **labels: str) -> float | None:
        """Return the value of a metric with exactly these labels, or None."""
        return self._samples.get((f"matinee_{name}", frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all samples with these labels."""
        wanted = frozenset(labels.items())
        return sum(
            value for (found, has), value in self._samples.items() if found == f"matinee_{name}" and wanted <= has
        )

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self._samples}


def judged(value: float) -> dict[str, Any]:
    """Return the measures of a record, in the form of evaluation.held_out_result."""
    names = ("NDCG@10", "gain", "Recall@10", "hit rate@10", "RMSE", "RMSE of means")
    interval = [value, value - 0.1, value + 0.1]
    return {"users": 50.0, "coverage@10": 0.05, "popularity": [0.1, 0.0, 0.2]} | dict.fromkeys(names, interval)


def trained(database: Database) -> int:
    """Store a published run, a rejected one and a failed one, and a rating of the online evaluation.

    Return the id of the published generation.
    """
    details = {"held_out": {"candidate": {"given": {"10": judged(0.3)}}}}
    for outcome, verdict in (("published", "accepted"), ("rejected", "rejected")):
        with database.transaction() as db:
            run = runs.begin(db, "train")
            made = generations.add(
                db, two_tastes(), generations.GenerationRecord(run, verdict, "made by hand", outcome, details)
            )
            runs.end(db, run, outcome, {"generation": made, "seconds": {"ranker": 2.5, "rater": 1.5}})
    with database.transaction() as db:
        runs.end(db, runs.begin(db, "train"), "failed", {"seconds": {}}, "made to fail")
    live = made - 1
    flip(database, live)
    user = new_user(database, {EVEN[0]: 5.0})
    with database.transaction() as db:
        predictions.add(db, [PredictionRow(user, 1, IDS[0], live, 5.0, 4.0, 3)], np.array([user]), np.array([1]))
    return live


@contextmanager
def serve_with_probes(recommender: Recommender, health: Health) -> Iterator[httpx.Client]:
    """Serve an application whose probes have run once, as they do each second in a process."""
    app = create_app(recommender, health, Settings())
    registry = app.extensions["metrics"].registry
    with served(app, THREADS) as server, httpx.Client(base_url="http://{}:{}".format(*server.address)) as client:
        poll(lambda: server.workers.active_count == 0)
        ProcessProbe(registry, "server")()
        ServerProbe(registry, server.workers, health, recommender)()
        JvmProbe(registry, lambda: HEAP)()
        yield client
