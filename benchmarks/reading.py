"""Measure reads of a current list, of servers that return the same bytes from memory, and of the bare SELECT."""

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

from http_load import Load, LoadResult, run_load
from measurements import Measurements, median_of, median_ratio
from prepared_service import (
    PreparedState,
    baseline_server,
    cache_lists,
    list_request,
    port_of,
    prepared_state,
    running,
    warm_up,
)
from processes import ServiceProcess
from sqlalchemy import make_url

from embedded.postgres import EmbeddedPostgres
from storage.recommendations import CURRENT_VERSIONS

CONNECTIONS = 1, 16, 64
CACHED = 1000  # number of users whose lists the service has cached
FIRST_READS = 4000  # number of users in a repeat, each of whom reads their list for the first time
MOST_A_SECOND = 2000  # limit of first reads, so that no user reads twice
PGBENCH_SECONDS = 3  # at least, because opening 64 connections takes a part of the first second
SHARE_OF_MAXIMUM = 0.5  # the fixed rate, as a share of the highest throughput
APPLICATION = "application"
BASELINES = {  # KIND of memory_server.py: name in the results
    APPLICATION: "application from memory",
    "postgres-check": "minimal PostgreSQL check",
    "bare": "bare HTTP server",
}
GOALS = {"postgres-check": 0.85}


def measure(quick: bool) -> Measurements:
    """Return requests a second and percentiles of the service and of each baseline, measured in turns."""
    seconds, repeats = (0.4, 1) if quick else (3.0, 5)
    with (
        prepared_state(1000 if quick else 10_000, light_users=CACHED + repeats * FIRST_READS) as prepared,
        running(prepared) as process,
        EmbeddedPostgres(prepared.state_dir) as url,
    ):
        cache_lists(process, prepared.light_users[:CACHED])
        requests = [list_request(user) for user in prepared.light_users]
        warm_up(process, requests[:CACHED])
        found = _measure_throughput(process, url, requests, seconds, repeats)
        maximum = max(one.value for name, one in found.items() if name.startswith("the service, "))
        load = Load(port_of(process), requests[:CACHED], 64, seconds, maximum * SHARE_OF_MAXIMUM)
        results = [run_load(load) for _ in range(repeats)]
        found |= _percentiles(f"fixed rate of {SHARE_OF_MAXIMUM:.0%} of the maximum", results)
        return found | _measure_select(prepared, url, seconds, repeats)


def _measure_throughput(
    process: ServiceProcess, url: str, requests: list[bytes], seconds: float, repeats: int
) -> Measurements:
    found: Measurements = {}
    with ExitStack() as stack:
        baselines = {
            kind: stack.enter_context(baseline_server(kind, port_of(process), requests[0], url)) for kind in BASELINES
        }
        for connections in CONNECTIONS:
            ours: list[LoadResult] = []
            rates: dict[str, list[float]] = {kind: [] for kind in BASELINES}
            for _ in range(repeats):
                ours.append(run_load(Load(port_of(process), requests[:CACHED], connections, seconds)))
                for kind, port in baselines.items():
                    rates[kind].append(run_load(Load(port, requests[:CACHED], connections, seconds)).per_second())
            found |= _beside_baselines(connections, ours, rates)
        return found | _measure_first_reads(process, baselines[APPLICATION], requests[CACHED:], repeats)


def _measure_first_reads(process: ServiceProcess, baseline: int, requests: list[bytes], repeats: int) -> Measurements:
    """Measure each user's first read, for which the service reads the stored list from the table."""
    ours: list[float] = []
    rates: list[float] = []
    for number in range(repeats):
        some = requests[number * FIRST_READS : (number + 1) * FIRST_READS]
        for port, found in ((port_of(process), ours), (baseline, rates)):
            found.append(run_load(Load(port, some, 16, FIRST_READS / MOST_A_SECOND)).per_second())
    return {
        "the service, lists read from the table, 16 connections": median_of(ours, "/s", "more"),
        "lists read from the table / application from memory, 16 connections": median_ratio(ours, rates, "more"),
    }


def _beside_baselines(connections: int, ours: list[LoadResult], rates: dict[str, list[float]]) -> Measurements:
    by = f"{connections} connection{'s' if connections > 1 else ''}"
    own = [result.per_second() for result in ours]
    found = {f"the service, {by}": median_of(own, "/s", "more")} | _percentiles(by, ours)
    for kind, name in BASELINES.items():
        found[f"{name}, {by}"] = median_of(rates[kind], "/s")
        found[f"the service / {name}, {by}"] = median_ratio(own, rates[kind], "more", GOALS.get(kind))
    return found


def _percentiles(what: str, results: list[LoadResult]) -> Measurements:
    return {f"p{p}, {what}": median_of([one.ms(p) for one in results], "ms", "less") for p in (50, 95, 99)}


def _measure_select(prepared: PreparedState, url: str, seconds: float, repeats: int) -> Measurements:
    """Measure the statement alone with pgbench; return nothing if pgbench is not installed."""
    if not shutil.which("pgbench"):
        return {}
    script = prepared.state_dir.with_name("read.sql")
    user = f"\\set user random({min(prepared.light_users)}, {max(prepared.light_users)})\n"
    script.write_text(f"{user}{CURRENT_VERSIONS.body.replace('$1', ':user')};\n")
    return {
        f"bare SELECT by pgbench, {connections} connections": median_of(
            [_pgbench(url, script, connections, max(PGBENCH_SECONDS, round(seconds))) for _ in range(repeats)], "/s"
        )
        for connections in CONNECTIONS
    }


def _pgbench(url: str, script: Path, connections: int, seconds: int) -> float:
    where = make_url(url)
    command = ["pgbench", "-n", "-M", "prepared", "-f", str(script), "-c", str(connections), "-T", str(seconds)]
    command += ["-h", str(where.host), "-p", str(where.port), "-U", str(where.username), str(where.database)]
    done = subprocess.run(command, env={"PGPASSWORD": str(where.password)}, capture_output=True, text=True, check=True)
    return float(done.stdout.partition("tps = ")[2].split()[0])
