"""A list that is there and current: beside the same bytes from memory, and the bare SELECT in PostgreSQL."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from http_load import KeepAliveConnection, Load, LoadResult, under_load
from measurements import Measurements, median_of, median_ratio
from prepared_service import PreparedState, keep_lists, list_of, port_of, prepared_state, running, warm_up
from processes import ServiceProcess, free_port
from sqlalchemy import make_url

from embedded.postgres import EmbeddedPostgres
from settings import ROOT, Settings
from storage.recommendations import READ_LIST

CONNECTIONS = 1, 16, 64
KEPT = 1000  # readers whose lists the service has in memory, as it has those that it was asked for last
ONCE = 4000  # readers of a repeat, each of whom asks for the first time
MOST_A_SECOND = 2000  # first requests, so that none is a second one
SETTLED = 3  # seconds; for a part of the first, 64 connections are made
SHARE_OF_MOST = 0.5  # the fixed rate, of the most that was reached
TWINS = {
    "service": "the service from memory",
    "asking": "the least that asks PostgreSQL",
    "bare": "the bare HTTP server",
}
GOALS = {"service": 0.70, "bare": 0.70}  # of what the same server answers from memory
HOP_BY_HOP = (b"date", b"server", b"connection", b"x-request-id")


def measure(quick: bool) -> Measurements:
    """Requests a second and percentiles, in turns: the service, then its twins that answer from memory."""
    seconds, repeats = (0.4, 1) if quick else (3.0, 5)
    with (
        prepared_state(1000 if quick else 10_000, readers=KEPT + repeats * ONCE) as prepared,
        running(prepared) as process,
        EmbeddedPostgres(prepared.state_dir) as url,
    ):
        keep_lists(process, prepared.readers[:KEPT])
        requests = [list_of(user) for user in prepared.readers]
        warm_up(process, requests[:KEPT])
        figures = _closed(process, url, requests, seconds, repeats)
        most = max(figure.value for name, figure in figures.items() if name.startswith("the service, "))
        load = Load(port_of(process), requests[:KEPT], 64, seconds, most * SHARE_OF_MOST)
        seen = [under_load(load) for _ in range(repeats)]
        figures |= _percentiles(f"at a fixed {SHARE_OF_MOST:.0%} of the most", seen)
        return figures | _bare(prepared, url, seconds, repeats)


def _closed(process: ServiceProcess, url: str, requests: list[bytes], seconds: float, repeats: int) -> Measurements:
    figures: Measurements = {}
    with ExitStack() as stack:
        twins = {kind: stack.enter_context(_twin(kind, port_of(process), requests[0], url)) for kind in TWINS}
        for connections in CONNECTIONS:
            ours: list[LoadResult] = []
            rates: dict[str, list[float]] = {kind: [] for kind in TWINS}
            for _ in range(repeats):
                ours.append(under_load(Load(port_of(process), requests[:KEPT], connections, seconds)))
                for kind, port in twins.items():
                    rates[kind].append(under_load(Load(port, requests[:KEPT], connections, seconds)).per_second())
            figures |= _beside(connections, ours, rates)
        return figures | _from_the_table(process, twins["service"], requests[KEPT:], repeats)


def _from_the_table(process: ServiceProcess, twin: int, requests: list[bytes], repeats: int) -> Measurements:
    """What the first request of each reader gets: a list that only the table has."""
    own, rates = [], []
    for number in range(repeats):
        some = requests[number * ONCE : (number + 1) * ONCE]
        own.append(under_load(Load(port_of(process), some, 16, ONCE / MOST_A_SECOND)).per_second())
        rates.append(under_load(Load(twin, some, 16, ONCE / MOST_A_SECOND)).per_second())
    return {
        "the service, from the table, 16 connections": median_of(own, "/s", "more"),
        "the service from the table of the service from memory, 16 connections": median_ratio(own, rates, "more"),
    }


def _beside(connections: int, ours: list[LoadResult], rates: dict[str, list[float]]) -> Measurements:
    by = f"{connections} connection{'s' if connections > 1 else ''}"
    own = [seen.per_second() for seen in ours]
    figures = {f"the service, {by}": median_of(own, "/s", "more")} | _percentiles(by, ours)
    for kind, name in TWINS.items():
        figures[f"{name}, {by}"] = median_of(rates[kind], "/s")
        figures[f"the service of {name}, {by}"] = median_ratio(own, rates[kind], "more", GOALS.get(kind))
    return figures


def _percentiles(what: str, seen: list[LoadResult]) -> Measurements:
    return {f"p{p}, {what}": median_of([one.ms(p) for one in seen], "ms", "less") for p in (50, 95, 99)}


@contextmanager
def _twin(kind: str, port: int, request: bytes, url: str) -> Iterator[int]:
    """The port of a server that gives every request the answer that the service on `port` gives to this one."""
    with KeepAliveConnection(port) as wire:
        wire.ask(request)
        head, body = wire.answer
    pairs = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    fields = [(name.decode(), value.decode()) for name, value in pairs if name.lower() not in HOP_BY_HOP]
    own = free_port()
    command = [sys.executable, "benchmarks/memory_server.py", kind, str(own), str(Settings().threads), url]
    with tempfile.TemporaryFile() as log:  # a file, as whoever starts a service has one
        twin = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert twin.stdin
        assert twin.stdout
        twin.stdin.write(json.dumps([fields, body.decode()]))
        twin.stdin.close()
        if twin.stdout.readline() != "ready\n":
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield own
    finally:
        twin.kill()
        twin.wait()
        if twin.stdout:
            twin.stdout.close()


def _bare(prepared: PreparedState, url: str, seconds: float, repeats: int) -> Measurements:
    """The statement itself by pgbench, which PostgreSQL brings; nothing where it is not installed."""
    if not shutil.which("pgbench"):
        return {}
    script = prepared.state_dir.with_name("read.sql")
    chance = f"\\set user random({min(prepared.readers)}, {max(prepared.readers)})\n"
    script.write_text(chance + READ_LIST.body.replace("$1", ":user").replace("$2", "-1").replace("$3", "0") + ";\n")
    return {
        f"the bare SELECT by pgbench, {connections} connections": median_of(
            [_pgbench(url, script, connections, max(SETTLED, round(seconds))) for _ in range(repeats)], "/s"
        )
        for connections in CONNECTIONS
    }


def _pgbench(url: str, script: Path, connections: int, seconds: int) -> float:
    where = make_url(url)
    command = ["pgbench", "-n", "-M", "prepared", "-f", str(script), "-c", str(connections), "-T", str(seconds)]
    command += ["-h", str(where.host), "-p", str(where.port), "-U", str(where.username), str(where.database)]
    told = subprocess.run(command, env={"PGPASSWORD": str(where.password)}, capture_output=True, text=True, check=True)
    return float(told.stdout.partition("tps = ")[2].split()[0])
