"""What a serving process says of itself each second: its threads, its pool, its parts, what it serves."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge
from waitress.task import ThreadedTaskDispatcher

from health import COMPONENTS, ComponentState, Health
from recommender import Recommender


class ServerProbe:
    """Looks at the parts of a serving process; a probe of system.process_metrics."""

    def __init__(
        self, registry: CollectorRegistry, workers: ThreadedTaskDispatcher, health: Health, recommender: Recommender
    ) -> None:
        self._workers, self._health, self._recommender = workers, health, recommender
        self._registry = registry
        self._threads = self._sum("matinee_threads", "Threads that answer requests.")
        self._busy = self._sum("matinee_threads_busy", "Those of them that are at it.")
        self._queued = self._sum("matinee_requests_queued", "Requests that wait for a thread.")
        self._pool_size = self._sum("matinee_database_pool_connections", "Connections that the pool may hold.")
        self._pool_used = self._sum("matinee_database_pool_connections_in_use", "Those of them in use.")
        self._waits = Counter(
            "matinee_database_pool_waits", "Times that a connection was waited for.", registry=registry
        )
        self._waited = 0
        self._ready = self._sum("matinee_processes_ready", "Processes that can answer recommendations.")
        self._parts = self._sum("matinee_part_state", "Processes with a part in this state.", "part", "state")
        self._served = Gauge(
            "matinee_served_generation_id",
            "The oldest generation that a process serves; 0 before the first.",
            registry=registry,
            multiprocess_mode="livemin",
        )

    def __call__(self) -> None:
        self._threads.set(len(self._workers.threads))
        self._busy.set(self._workers.active_count)
        self._queued.set(len(self._workers.queue))
        pool = self._recommender.database.pool
        self._pool_size.set(pool.size)
        self._pool_used.set(pool.in_use)
        self._waits.inc(pool.waits - self._waited)
        self._waited = pool.waits
        self._ready.set(self._health.ready)
        for part in COMPONENTS:
            now = self._health[part].state  # once: it may be asked of another process, and may change meanwhile
            for state in get_args(ComponentState):
                self._parts.labels(part, state).set(now == state)
        live = self._recommender.model.live
        self._served.set(live.id if live else 0)

    def _sum(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, labels, registry=self._registry, multiprocess_mode="livesum")
