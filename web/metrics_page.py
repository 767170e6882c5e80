"""/metrics: everything that is counted and measured, as Prometheus reads it (docs/metrics.md).

The database is read when the page is asked for, and is the same in every process.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from platform import python_version
from typing import Any

from flask import Blueprint, Response, current_app
from prometheus_client import CollectorRegistry, Info, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Row

from storage import inspection
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.inspection import DatabaseStatistics
from system.shared_counts import shown
from web.openapi import VERSION
from web.request_metrics import metrics
from web.v1.generation_routes import Generation

log = logging.getLogger(__name__)

metrics_page = Blueprint("metrics", __name__)

TEXT = "text/plain; version=0.0.4; charset=utf-8"

TRAINING_OUTCOMES = ("published", "done", "rejected", "failed", "interrupted")  # shown from 0 on, as a rate needs
HELD_OUT = {  # a measure on the held-out users: its metric's name and description
    "ndcg": ("ndcg", "NDCG@10 of the held-out users' lists."),
    "popularity": ("popularity_ndcg", "NDCG@10 of the most popular movies for the same users."),
    "recall": ("recall", "Recall@10 of the held-out users' lists."),
    "hit_rate": ("hit_ratio", "Share of held-out users whose list has a movie that they liked later."),
    "rmse": ("rmse", "RMSE of the expected ratings of held-out users, in stars."),
    "popularity_rmse": ("popularity_rmse", "RMSE of each movie's mean rating for held-out users, in stars."),
}
ONLINE = {
    "views": ("views", "Ratings that the live generation predicted before it could learn from them."),
    "rmse": ("rmse", "RMSE of these predictions, in stars."),
    "hit_rate": ("hit_ratio", "Share of these movies that were in the first ten places of the list."),
    "median_rank": ("median_rank", "Median rank of these movies among all that their users had not rated."),
}


class DatabaseMetrics(Collector):
    """Export `storage.inspection.statistics`; during a database outage, export only that it is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        taken = self._take()
        yield _gauge("database_up", "1 while PostgreSQL answers.", taken is not None)
        if taken is None:
            return
        yield _gauge("database_size_bytes", "Size of the database.", taken.bytes)
        yield _gauge("users", "Users, as PostgreSQL estimates.", taken.users)
        yield _gauge("views", "Views of our users, as PostgreSQL estimates.", taken.views)
        verdicts = CounterMetricFamily(
            "matinee_generations", "Verdicts of the gate on the results of training runs.", labels=["verdict"]
        )
        for verdict in ("accepted", "rejected"):
            verdicts.add_metric([verdict], taken.verdicts.get(verdict, 0))
        yield verdicts
        yield from _runs(taken.runs)
        if taken.live is not None:
            yield from _generation(taken.live)

    def _take(self) -> DatabaseStatistics | None:
        try:
            with self._database.statement() as db:
                return inspection.statistics(db)
        except DatabaseUnavailableError as error:
            log.warning("metrics without the database: %s", error)
            return None


def other_metrics(database: Database) -> CollectorRegistry:
    """Return what the page shows beside the counts: the versions, and the database."""
    registry = CollectorRegistry()
    built = Info("matinee_build", "Versions of the service, Python and Spark.", registry=registry)
    built.info({"version": VERSION, "python": python_version(), "pyspark": version("pyspark")})
    registry.register(DatabaseMetrics(database))
    return registry


@metrics_page.get("/metrics")
def show_metrics() -> Response:
    """Answer with all metrics, those of other processes of this service among them."""
    text = generate_latest(shown(metrics().registry)) + generate_latest(current_app.extensions["other_metrics"])
    return Response(text, headers={"Cache-Control": "no-store"}, content_type=TEXT)


def _runs(rows: Sequence[Row[Any]]) -> Iterator[Metric]:
    labels = ["kind", "outcome"]
    count = CounterMetricFamily("matinee_runs", "Runs of jobs that have ended.", labels=labels)
    total = CounterMetricFamily("matinee_run_seconds", "Total duration of these runs.", labels=labels)
    last = GaugeMetricFamily("matinee_last_run_duration_seconds", "Duration of the newest run.", labels=labels)
    ended = GaugeMetricFamily("matinee_last_run_timestamp_seconds", "End of the newest run.", labels=labels)
    phases = GaugeMetricFamily(
        "matinee_last_run_phase_seconds", "Duration of each phase of the newest run.", labels=[*labels, "phase"]
    )
    for outcome in set(TRAINING_OUTCOMES) - {row.outcome for row in rows if row.kind == "train"}:
        count.add_metric(["train", outcome], 0)
    for row in rows:
        which = [row.kind, row.outcome]
        count.add_metric(which, row.runs)
        total.add_metric(which, row.seconds)
        last.add_metric(which, row.last_seconds)
        ended.add_metric(which, row.finished_at.timestamp())
        for phase, seconds in row.phases.items():
            phases.add_metric([*which, phase], seconds)
    return iter((count, total, last, ended, phases))


def _generation(row: Row[Any]) -> Iterator[Metric]:
    # a training learns what was confirmed before it began
    learned_until = datetime.fromisoformat(row.run["started_at"]) if row.run else row.created_at
    yield _gauge("live_generation_id", "The generation that is live in the database.", row.id)
    yield _gauge("live_generation_created_timestamp_seconds", "When it was created.", row.created_at.timestamp())
    yield _gauge(
        "live_generation_learned_timestamp_seconds",
        "It has learned all ratings up to this time.",
        learned_until.timestamp(),
    )
    if held_out := Generation.of(row).metrics:
        yield _gauge("held_out_people", "Held-out users on whom the live generation was evaluated.", held_out.users)
        for name, (called, about) in HELD_OUT.items():
            if estimate := getattr(held_out, name):
                yield _gauge(f"held_out_{called}", about, estimate.value)
    for name, (called, about) in ONLINE.items() if row.online else ():
        yield _gauge(f"online_{called}", about, row.online[name])


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"matinee_{name}", about, value=value)
