"""Generate HTTP load in a separate process, with raw sockets in one thread so that it is not the bottleneck."""

import multiprocessing
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import numpy as np

TIMEOUT_SECONDS = 30.0
BLOCK = 1 << 16


@dataclass(frozen=True)
class Load:
    """The parameters of a load.

    Attributes:
        port: the port of a server on 127.0.0.1.
        requests: raw bytes, sent in this order repeatedly, each on any free connection.
        connections: the number of keep-alive connections.
        seconds: the duration.
        rate: requests a second, independent of the answers; None: each connection sends its next request as soon as it
            has its answer.
    """

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float
    rate: float | None = None


@dataclass
class LoadResult:
    """The answers to a load.

    Attributes:
        answered: the time of each answer, in seconds since the start.
        seconds: the duration of each request; at a fixed rate, from the time at which it was due.
        refused: the status lines of all answers other than 2xx.
    """

    answered: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)

    def per_second(self) -> float:
        return len(self.answered) / max(self.answered)

    def ms(self, percentile: float) -> float:
        return float(np.percentile(self.seconds, percentile)) * 1000


def get(path: str) -> bytes:
    """Return a GET request as raw bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def send(method: str, path: str, body: str) -> bytes:
    """Return a request with a JSON body as raw bytes."""
    fields = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n{body}".encode()


def run_load(load: Load) -> LoadResult:
    """Send a load from a separate process and return its answers. Raises `RuntimeError` unless all are 2xx."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return require_success(pool.submit(send_load, load).result())


def require_success(result: LoadResult) -> LoadResult:
    """Return the result unchanged. Raises `RuntimeError` unless every answer was 2xx."""
    if result.refused or not result.answered:
        raise RuntimeError(f"{len(result.refused)} requests were refused, the first with {result.refused[:1]}")
    return result


def send_load(load: Load) -> LoadResult:
    """Send a load in this process until its time is over, and return the answers."""
    return LoadGenerator(load).run()


class LoadGenerator:
    """The connections of one load. A request waits until one of them is free."""

    def __init__(self, load: Load) -> None:
        self._load, self._result = load, LoadResult()
        self._next = 0
        self._selector = selectors.EpollSelector()
        self._free: deque[RawConnection] = deque(RawConnection(load.port) for _ in range(load.connections))
        for connection in self._free:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def run(self) -> LoadResult:
        self._began = time.perf_counter()
        end = self._began + self._load.seconds
        while (now := time.perf_counter()) < end or self._busy():
            if now < end:
                self._send_due(now)
            elif now > end + TIMEOUT_SECONDS:
                raise TimeoutError(f"no answer came for {TIMEOUT_SECONDS} s")
            for key, _ in self._selector.select(self._pause(end)):
                self._receive(key.data)
        for connection in self._free:
            connection.socket.close()
        self._selector.close()
        return self._result

    def _busy(self) -> bool:
        return len(self._free) < self._load.connections

    def _pause(self, end: float) -> float:
        """Return the seconds until the next request is due."""
        due = self._due() if self._load.rate and self._free else end
        return max(0.0, min(due, end) - time.perf_counter()) if time.perf_counter() < end else TIMEOUT_SECONDS

    def _due(self) -> float:
        assert self._load.rate
        return self._began + self._next / self._load.rate

    def _send_due(self, now: float) -> None:
        while self._free and (self._load.rate is None or self._due() <= now):
            due = now if self._load.rate is None else self._due()
            self._free.popleft().send(self._load.requests[self._next % len(self._load.requests)], due)
            self._next += 1

    def _receive(self, connection: "RawConnection") -> None:
        if connection.receive():
            now = time.perf_counter()
            self._result.answered.append(now - self._began)
            self._result.seconds.append(now - connection.due)
            if not connection.status_line.startswith(b"HTTP/1.1 2"):
                self._result.refused.append(connection.status_line)
            self._free.append(connection)


class RawConnection:
    """One connection with at most one outstanding request, which was due at the time `due`."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.status_line = b""
        self._received = b""

    def send(self, request: bytes, due: float) -> None:
        self.due, self._received = due, b""
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read the available bytes. Return whether the answer is complete."""
        block = self.socket.recv(BLOCK)
        if not block:
            raise ConnectionError("the server closed a keep-alive connection")
        self._received += block
        head, blank_line, body = self._received.partition(b"\r\n\r\n")
        if not blank_line or len(body) < _content_length(head):
            return False
        self.status_line = head[: head.find(b"\r\n")]
        return True


def _content_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    return int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class KeepAliveConnection(RawConnection):
    """A connection that sends one request after another."""

    def __enter__(self) -> "KeepAliveConnection":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def request(self, request: bytes) -> float:
        """Send a request and return the seconds until its answer is complete; `answer` then returns it.

        Raises `RuntimeError` unless the answer is 2xx.
        """
        began = time.perf_counter()
        self.send(request, began)
        while not self.receive():
            pass
        seconds = time.perf_counter() - began
        if not self.status_line.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"{request[:80]!r} was answered with {self.status_line!r}")
        return seconds

    @property
    def answer(self) -> tuple[bytes, bytes]:
        """Return the head and the body of the last answer."""
        head, _, body = self._received.partition(b"\r\n\r\n")
        return head, body
