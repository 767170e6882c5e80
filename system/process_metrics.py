"""Metrics that each process takes of itself each second: memory, CPU, open files and the JVM."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge

from system.memory import Heap

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
Probe = Callable[[], None]


class EachSecond:
    """Runs probes of this process each second, in a thread, until stopped."""

    def __init__(self, *probes: Probe) -> None:
        self._probes = probes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="each-second", daemon=True)

    def start(self) -> None:
        """Begin, with a first turn at once."""
        self._thread.start()

    def stop(self) -> None:
        """Run them no more."""
        self._over.set()
        self._thread.join(EVERY_SECONDS)

    def _watch(self) -> None:
        while True:
            for probe in self._probes:
                try:
                    probe()
                except Exception:
                    log.exception("a probe of this process failed")
            if self._over.wait(EVERY_SECONDS):
                return


class ProcessProbe:
    """Memory, CPU time and open files of this process, by what it does: "server" or "trainer"."""

    def __init__(self, registry: CollectorRegistry, role: str) -> None:
        gauge, labels = _gauges(registry), ["role"]
        self._memory = gauge("matinee_process_resident_memory_bytes", "Memory in use.", labels).labels(role)
        self._files = gauge("matinee_process_open_fds", "Open files and sockets.", labels).labels(role)
        cpu = Counter("matinee_process_cpu_seconds", "CPU time taken.", labels, registry=registry)
        self._cpu, self._counted = cpu.labels(role), 0.0
        self._process = psutil.Process()
        gauge("matinee_processes", "Processes alive.", labels).labels(role).set(1)

    def __call__(self) -> None:
        times = self._process.cpu_times()
        self._cpu.inc(times.user + times.system - self._counted)
        self._counted = times.user + times.system
        self._memory.set(self._process.memory_info().rss)
        self._files.set(self._process.num_fds())


class JvmProbe:
    """Whether Spark's JVM runs, and its memory; `heap` returns None while none runs."""

    def __init__(self, registry: CollectorRegistry, heap: Callable[[], Heap | None]) -> None:
        gauge, self._heap = _gauges(registry), heap
        self._up = gauge("matinee_jvm_up", "1 while Spark's JVM runs.")
        self._used = gauge("matinee_jvm_heap_used_bytes", "Heap in use by Spark's JVM.")
        self._most = gauge("matinee_jvm_heap_max_bytes", "Heap that Spark's JVM may grow to.")
        self._memory = gauge("matinee_jvm_resident_memory_bytes", "Memory in use by Spark's JVM.")

    def __call__(self) -> None:
        heap = self._heap()
        self._up.set(heap is not None)
        self._used.set(heap.used if heap else 0)
        self._most.set(heap.most if heap else 0)
        resident = 0
        if heap and heap.pid:
            with suppress(psutil.NoSuchProcess):  # it has just ended
                resident = psutil.Process(heap.pid).memory_info().rss
        self._memory.set(resident)


def _gauges(registry: CollectorRegistry) -> Callable[..., Gauge]:
    """Return a maker of gauges whose values add up over all live processes."""

    def gauge(name: str, documentation: str, labels: list[str] | None = None) -> Gauge:
        return Gauge(name, documentation, labels or [], registry=registry, multiprocess_mode="livesum")

    return gauge
