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


class MetricsPage:
    """What the page shows beside the counts."""

    def __init__(self, database: Database) -> None:
        self._rest = CollectorRegistry()
        built = Info("matinee_build", "What runs here.", registry=self._rest)
        built.info({"version": VERSION, "python": python_version(), "pyspark": version("pyspark")})
        self._rest.register(DatabaseMetrics(database))

    def text(self, own: CollectorRegistry) -> bytes:
        """All metrics, those of other processes of this service among them."""
        return generate_latest(shown(own)) + generate_latest(self._rest)


@metrics_page.get("/metrics")
def show_metrics() -> Response:
    page: MetricsPage = current_app.extensions["metrics_page"]
    response = Response(page.text(metrics().registry), content_type=TEXT)
    response.headers["Cache-Control"] = "no-store"
    return response
