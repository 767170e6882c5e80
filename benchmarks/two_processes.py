"""Reads from one process and from two on one port, side by side, and what a read costs the processes that serve."""

import os
from pathlib import Path

from http_load import Load, under_load
from measurements import Measurement, Measurements, median_of, median_ratio
from prepared_service import keep_lists, list_of, port_of, prepared_state, running, warm_up
from processes import ServiceProcess, processes_of

CONNECTIONS = 16
GOAL = 1.6  # times the reads of one, where the clients and PostgreSQL have cores of their own
CLOCK = os.sysconf("SC_CLK_TCK")


def measure(quick: bool) -> Measurements:
    """One, two, one, two ...: noise hits both; every second run of each is on the same stage and database."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    with prepared_state(1000 if quick else 9_700, readers=100 if quick else 1000) as prepared:
        requests = [list_of(user) for user in prepared.readers]
        with running(prepared) as one, running(prepared, MATINEE_PROCESSES="2") as two:
            keep_lists(one, prepared.readers)
            for process in (one, two):
                warm_up(process, requests)
            for _ in range(2 if quick else 5):
                for count, process in ((1, one), (2, two)):
                    load = Load(port_of(process), requests, CONNECTIONS, 2.0 if quick else 6.0)
                    before = serving_seconds(process)
                    seen = under_load(load)
                    rates[count].append(seen.per_second())
                    costs[count].append((serving_seconds(process) - before) / len(seen.answered) * 1000)
    return {
        "reads by one process": median_of(rates[1], "/s", "more"),
        "reads by two processes": median_of(rates[2], "/s", "more"),
        "two of one": median_ratio(rates[2], rates[1], "more", GOAL),
        "CPU of a read, one process": median_of(costs[1], "ms", "less"),
        "CPU of a read, two processes": median_of(costs[2], "ms", "less"),
        "cores of this machine": Measurement(float(os.cpu_count() or 1), ""),
    }


def serving_seconds(process: ServiceProcess) -> float:
    """CPU seconds taken so far by the processes that answer on the port of a service."""
    workers = [int(shown.split()[0]) for shown in processes_of(process.state_dir) if "serving.worker" in shown]
    mine = [pid for pid in workers if _parent(pid) == process.process.pid]
    return sum(_seconds(pid) for pid in (process.process.pid, *mine))


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _parent(pid: int) -> int:
    return int(_fields(pid)[1])


def _seconds(pid: int) -> float:
    user, system = _fields(pid)[11:13]
    return (int(user) + int(system)) / CLOCK
