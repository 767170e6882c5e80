"""Counters of requests, which /metrics shows (web/metrics_page.py).

Every label has few values: a request is counted under the pattern of its route, never under its path.
"""

from typing import get_args
from wsgiref.types import WSGIEnvironment

from flask import Response, current_app, request
from prometheus_client import Counter, Histogram

from ranking.rankings import ListSource
from storage.impression_buffer import RecordedAs
from system.shared_counts import own_counts

# from a list read from the database to a request that waits for it as long as one may
BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10)
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"}
OTHER = "other"  # a route or a method that there is not
ROUTE, STRATEGY = "matinee.route", "matinee.strategy"  # what a request's environ is given on its way
SOURCES = {"stored": "stored", "popular": "popular", "blended": "folded_in", "personal": "folded_in"}


class RequestMetrics:
    """The counts of this process, or its share in those of several (system/shared_counts.py)."""

    def __init__(self) -> None:
        self.registry = own = own_counts()
        labels = ["route", "method", "strategy"]
        self._requests = Counter("matinee_http_requests", "Requests answered.", [*labels, "status"], registry=own)
        self._seconds = Histogram(
            "matinee_http_request_duration_seconds", "Time to answer.", labels, registry=own, buckets=BUCKETS
        )
        self._lists = Counter("matinee_lists", "Lists by how they came to be.", ["source"], registry=own)
        self._views = Counter("matinee_views_written", "Views written.", ["change"], registry=own)
        self._impressions = Counter("matinee_impressions", "Lists shown to users.", ["recorded"], registry=own)
        # kept, since a look-up by labels takes as long as counting; made at 0, since a rate needs a first value
        self._by_labels: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}
        self._by_source = {source: self._lists.labels(source) for source in set(SOURCES.values())}
        self._by_recorded = {each: self._impressions.labels(each) for each in get_args(RecordedAs)}
        self._by_change = {change: self._views.labels(change) for change in ("created", "replaced", "removed")}

    def request(self, environ: WSGIEnvironment, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        method = environ["REQUEST_METHOD"]
        labels = (environ.get(ROUTE, OTHER), method if method in METHODS else OTHER, environ.get(STRATEGY, ""), status)
        if labels not in self._by_labels:
            self._by_labels[labels] = self._requests.labels(*labels), self._seconds.labels(*labels[:3])
        answered, took = self._by_labels[labels]
        answered.inc()
        took.observe(seconds)

    def listed(self, made: ListSource) -> None:
        """Count a list that the current request is answered with: stored before, or by which strategy it was made."""
        request.environ[STRATEGY] = made
        self._by_source[SOURCES[made]].inc()

    def impressed(self, recorded: RecordedAs, n: int) -> None:
        """Count impressions: stored, repeated within ten minutes, or dropped since PostgreSQL was away for long."""
        self._by_recorded[recorded].inc(n)

    def written(self, created: int = 0, replaced: int = 0, removed: int = 0) -> None:
        """Count views: of a movie that had none by this user, in the place of another, taken back."""
        for change, n in (("created", created), ("replaced", replaced), ("removed", removed)):
            if n:
                self._by_change[change].inc(n)


def metrics() -> RequestMetrics:
    """Return the counts of the application that answers."""
    return current_app.extensions["metrics"]


def record_route_pattern(response: Response) -> Response:
    """Let the request know the pattern of its route, once it leaves the application."""
    if rule := request.url_rule:
        request.environ[ROUTE] = rule.rule
    return response
