"""Measure reads from one process and from two on one port, in turns, and the CPU of the serving processes per read."""

import os
from pathlib import Path

from http_load import Load, run_load
from measurements import Measurement, Measurements, median_of, median_ratio
from prepared_service import cache_lists, list_request, port_of, prepared_state, running, warm_up
from processes import ServiceProcess, processes_of

CONNECTIONS = 16
GOAL = 1.6  # below 2, because the clients and PostgreSQL share the cores
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def measure(quick: bool) -> Measurements:
    """Return reads a second and CPU per read. Both services share one state and take turns: noise affects both."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    with prepared_state(1000 if quick else 9_700, light_users=100 if quick else 1000) as prepared:
        requests = [list_request(user) for user in prepared.light_users]
        with running(prepared) as one, running(prepared, MATINEE_PROCESSES="2") as two:
            cache_lists(one, prepared.light_users)
            for process in (one, two):
                warm_up(process, requests)
            for _ in range(2 if quick else 5):
                for count, process in ((1, one), (2, two)):
                    load = Load(port_of(process), requests, CONNECTIONS, 2.0 if quick else 6.0)
                    before = serving_seconds(process)
                    result = run_load(load)
                    rates[count].append(result.per_second())
                    costs[count].append((serving_seconds(process) - before) / len(result.answered) * 1000)
    return {
        "reads by one process": median_of(rates[1], "/s", "more"),
        "reads by two processes": median_of(rates[2], "/s", "more"),
        "two processes / one process": median_ratio(rates[2], rates[1], "more", GOAL),
        "CPU per read, one process": median_of(costs[1], "ms", "less"),
        "CPU per read, two processes": median_of(costs[2], "ms", "less"),
        "cores of this machine": Measurement(float(os.cpu_count() or 1), ""),
    }


def serving_seconds(process: ServiceProcess) -> float:
    """Return the CPU seconds so far of the processes that answer a service's requests."""
    workers = [int(line.split()[0]) for line in processes_of(process.state_dir) if "serving.worker" in line]
    own = [pid for pid in workers if _parent(pid) == process.process.pid]
    return sum(_seconds(pid) for pid in (process.process.pid, *own))


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _parent(pid: int) -> int:
    return int(_fields(pid)[1])


def _seconds(pid: int) -> float:
    user, system = _fields(pid)[11:13]
    return (int(user) + int(system)) / CLOCK_TICKS
