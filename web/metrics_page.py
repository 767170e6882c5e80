"""/metrics: everything that is counted and measured, as Prometheus reads it (docs/metrics.md)."""

from importlib.metadata import version
from platform import python_version

from flask import Blueprint, Response, current_app
from prometheus_client import CollectorRegistry, Info, generate_latest

from storage.database import Database
from system.shared_counts import shown
from web.database_metrics import DatabaseMetrics
from web.openapi import VERSION
from web.request_metrics import metrics

metrics_page = Blueprint("metrics", __name__)

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def other_metrics(database: Database) -> CollectorRegistry:
    """Return what the page shows beside the counts: the versions, and the database."""
    registry = CollectorRegistry()
    built = Info("matinee_build", "What runs here.", registry=registry)
    built.info({"version": VERSION, "python": python_version(), "pyspark": version("pyspark")})
    registry.register(DatabaseMetrics(database))
    return registry


@metrics_page.get("/metrics")
def show_metrics() -> Response:
    """Answer with all metrics, those of other processes of this service among them."""
    text = generate_latest(shown(metrics().registry)) + generate_latest(current_app.extensions["other_metrics"])
    return Response(text, headers={"Cache-Control": "no-store"}, content_type=TEXT)
