"""What processes say of themselves each second: memory, CPU, files, and whatever else is asked of them."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from system.memory import Heap, resident

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
FILES = Path("/proc/self/fd")  # only Linux has it
Probe = Callable[[], None]


class Vitals:
    """Looks at this process each second, in a thread of its own, until stopped."""

    def __init__(self, *probes: Probe) -> None:
        self._probes = probes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="vitals", daemon=True)

    def start(self) -> None:
        """Begin, with a first look at once."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(EVERY_SECONDS)

    def _watch(self) -> None:
        while True:
            for probe in self._probes:
                try:
                    probe()
                except Exception:
                    log.exception("a look at this process failed")
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
        gauge("matinee_processes", "Processes alive.", labels).labels(role).set(1)

    def __call__(self) -> None:
        taken = time.process_time()
        self._cpu.inc(taken - self._counted)
        self._counted = taken
        self._memory.set(resident(os.getpid()))
        self._files.set(len(os.listdir(FILES)) if FILES.is_dir() else 0)


class JvmProbe:
    """Whether Spark's JVM is there, and its memory; `heap` gives None while there is none."""

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
        self._memory.set(resident(heap.pid) if heap and heap.pid else 0)


def _gauges(registry: CollectorRegistry) -> Callable[..., Gauge]:
    """Makes gauges whose values, of all processes that live, add up."""

    def gauge(name: str, documentation: str, labels: list[str] | None = None) -> Gauge:
        return Gauge(name, documentation, labels or [], registry=registry, multiprocess_mode="livesum")

    return gauge
