"""Compare HTTP servers: their speed, and the longest wait of a healthy client beside slow or hostile clients.

    python benchmarks/http_servers.py          prints the table for benchmarks/README.md

Each server runs the whole application with one list from memory. "waitress" is the server of this project, "cheroot" is
CherryPy's own. They take turns, so that other load on the machine affects both.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event, Thread

sys.path.extend(str(Path(__file__).resolve().parent.parent / folder) for folder in ("benchmarks", "tests/support", "."))

import cherrypy
from http_load import Load, get, run_load
from memory_server import application
from processes import free_port

HERE = Path(__file__).resolve().parent
KINDS = "waitress", "cheroot"
THREADS = 10
REPEATS = 3
LOAD_SECONDS = 2.0
HOSTILE_SECONDS = 5.0
CONNECTIONS = (1, 16, 64)
LIST = get("/users/1/recommendations")
LARGE = get("/docs/swagger-ui-bundle.js")
HALF = b"POST /users/1/views/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 15\r\n\r\n{"
ANSWER = json.dumps([[["Content-Type", "application/json"]], json.dumps([{"movie_id": n} for n in range(1000, 1060)])])


@dataclass(frozen=True)
class Hostile:
    """A kind of hostile client.

    Attributes:
        count: the number of concurrent clients.
        first: the bytes that each sends first.
        each_second: the bytes that each sends every second after that.
    """

    count: int
    first: bytes
    each_second: bytes = b""


HOSTILES = {
    "nobody": Hostile(0, b""),
    "500 silent connections": Hostile(500, b""),
    "200 that send a byte a second": Hostile(200, b"GET /", b"x"),
    "200 that read nothing, ten large requests each": Hostile(200, 10 * LARGE),
    "100 half bodies": Hostile(100, HALF),
}


def cheroot(port: int) -> None:
    """Serve with CherryPy's own server."""
    headers, body = json.load(sys.stdin)
    cherrypy.tree.graft(application(headers, body.encode(), ""), "/")
    cherrypy.config.update({
        "environment": "production", "log.screen": False, "server.socket_port": port, "server.thread_pool": THREADS,
    })  # fmt: skip
    cherrypy.server.httpserver, cherrypy.server.bind_addr = cherrypy.server.httpserver_from_self()
    cherrypy.server.httpserver.keep_alive_conn_limit = 500  # else it closes the eleventh connection after an answer
    cherrypy.engine.start()
    print("ready", flush=True)
    cherrypy.engine.block()


@contextmanager
def server(kind: str) -> Iterator[int]:
    """Yield the port of a server in a separate process."""
    port = free_port()
    command = [str(HERE / "memory_server.py"), "application", str(port), str(THREADS)]
    if kind == "cheroot":
        command = [__file__, "cheroot", str(port)]
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(ANSWER)
    process.stdin.close()
    assert process.stdout.readline() == "ready\n"
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def longest_wait(port: int, hostile: Hostile) -> float:
    """Return the longest wait, in seconds, of a client that opens a connection for each request."""
    over = Event()
    connections = [connect(port, hostile.first) for _ in range(hostile.count)]
    Thread(target=trickle, args=(connections, hostile.each_second, over), daemon=True).start()
    longest, end = 0.0, time.monotonic() + HOSTILE_SECONDS
    while time.monotonic() < end:
        longest = max(longest, asked(port))
        time.sleep(0.02)
    over.set()
    for connection in connections:
        connection.close()
    return longest


def connect(port: int, first: bytes) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(5)
    with suppress(OSError):
        connection.connect(("127.0.0.1", port))
        connection.sendall(first)
    return connection


def trickle(connections: list[socket.socket], part: bytes, over: Event) -> None:
    while part and not over.wait(1.0):
        for connection in connections:
            with suppress(OSError):
                connection.send(part)


def asked(port: int) -> float:
    """Return the seconds until a list arrives, or a lower bound if none does."""
    began = time.monotonic()
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(LIST)
        connection.recv(65536)
    return time.monotonic() - began


def measured(port: int, connections: int) -> tuple[float, float]:
    """Return reads a second and the 99th percentile in ms; NaN for a server that closes a keep-alive connection."""
    try:
        seen = run_load(Load(port, [LIST], connections, LOAD_SECONDS))
    except OSError:
        return float("nan"), float("nan")
    return seen.per_second(), seen.ms(99)


def main() -> None:
    print("|  | " + " | ".join(KINDS) + " |\n|---|" + "---:|" * len(KINDS))
    for connections in CONNECTIONS:
        turns: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
        for _ in range(REPEATS):
            for kind in KINDS:
                with server(kind) as port:
                    turns[kind].append(measured(port, connections))
        found = {kind: [median(values) for values in zip(*turns[kind], strict=True)] for kind in KINDS}
        cells = [f"{rate:,.0f} ({rate / found[KINDS[0]][0]:.2f}), {p99:.1f} ms" for rate, p99 in found.values()]
        print(f"| reads a second and p99, {connections} connections | " + " | ".join(cells) + " |", flush=True)
    for name, hostile in HOSTILES.items():
        waits = []
        for kind in KINDS:
            with server(kind) as port:
                waits.append(f"{longest_wait(port, hostile):.2f} s")
        print(f"| longest wait beside {name} | " + " | ".join(waits) + " |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["cheroot"]:
        cheroot(int(sys.argv[2]))
    else:
        main()
