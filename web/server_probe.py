"""Gauges that a serving process updates each second: threads, connection pool, health, generation."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge
from waitress.task import ThreadedTaskDispatcher

from health import COMPONENTS, ComponentState, Health
from recommender import Recommender
from system.process_metrics import summed_gauge

GAUGES = {  # summed over the processes
    "matinee_threads": "Threads that answer requests.",
    "matinee_threads_busy": "Threads that are answering a request.",
    "matinee_requests_queued": "Requests that wait for a thread.",
    "matinee_database_pool_connections": "Connections that the pool may hold.",
    "matinee_database_pool_connections_in_use": "Connections of the pool in use.",
    "matinee_processes_ready": "Processes that can answer recommendations.",
}


class ServerProbe:
    """Looks at the parts of a serving process; a probe of system.process_metrics."""

    def __init__(
        self, registry: CollectorRegistry, workers: ThreadedTaskDispatcher, health: Health, recommender: Recommender
    ) -> None:
        self._workers, self._health, self._recommender = workers, health, recommender
        self._gauges = [summed_gauge(registry, name, about) for name, about in GAUGES.items()]
        self._parts = summed_gauge(
            registry, "matinee_part_state", "Processes with a part in this state.", "part", "state"
        )
        self._waits = Counter(
            "matinee_database_pool_waits", "Times that a thread waited for a connection.", registry=registry
        )
        self._waited = 0
        self._served = Gauge(
            "matinee_served_generation_id",
            "The oldest generation that a process serves; 0 before the first.",
            registry=registry,
            multiprocess_mode="livemin",
        )

    def __call__(self) -> None:
        workers, pool = self._workers, self._recommender.database.pool
        threads = len(workers.threads), workers.active_count, len(workers.queue)
        values = (*threads, pool.size(), pool.checkedout(), self._health.ready)
        for gauge, value in zip(self._gauges, values, strict=True):
            gauge.set(value)
        self._waits.inc(pool.waits - self._waited)
        self._waited = pool.waits
        for part in COMPONENTS:
            now = self._health[part].state  # once: it may be asked of another process, and may change meanwhile
            for state in get_args(ComponentState):
                self._parts.labels(part, state).set(now == state)
        live = self._recommender.model.live
        self._served.set(live.id if live else 0)
