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
        """Start the thread, which runs the probes at once and then each second."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
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
        memory = summed_gauge(registry, "matinee_process_resident_memory_bytes", "Memory in use.", "role")
        files = summed_gauge(registry, "matinee_process_open_fds", "Open files and sockets.", "role")
        cpu = Counter("matinee_process_cpu_seconds", "CPU time taken.", ["role"], registry=registry)
        self._memory, self._files, self._cpu = memory.labels(role), files.labels(role), cpu.labels(role)
        self._process, self._counted = psutil.Process(), 0.0
        summed_gauge(registry, "matinee_processes", "Processes alive.", "role").labels(role).set(1)

    def __call__(self) -> None:
        times = self._process.cpu_times()
        self._cpu.inc(times.user + times.system - self._counted)
        self._counted = times.user + times.system
        self._memory.set(self._process.memory_info().rss)
        self._files.set(self._process.num_fds())


class JvmProbe:
    """Whether Spark's JVM runs, and its memory; `heap` returns None while none runs."""

    def __init__(self, registry: CollectorRegistry, heap: Callable[[], Heap | None]) -> None:
        self._heap = heap
        self._up = summed_gauge(registry, "matinee_jvm_up", "1 while Spark's JVM runs.")
        self._used = summed_gauge(registry, "matinee_jvm_heap_used_bytes", "Heap in use by Spark's JVM.")
        self._most = summed_gauge(registry, "matinee_jvm_heap_max_bytes", "Heap that Spark's JVM may grow to.")
        self._memory = summed_gauge(registry, "matinee_jvm_resident_memory_bytes", "Memory in use by Spark's JVM.")

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


def summed_gauge(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Gauge:
    """Return a gauge whose values add up over all live processes."""
    return Gauge(name, about, labels, registry=registry, multiprocess_mode="livesum")
