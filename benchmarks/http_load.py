"""HTTP load from a process of its own: raw sockets in one thread, so that the generator is not what is measured."""

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
    """What is to be asked, and how.

    Attributes:
        port: of a server on 127.0.0.1.
        requests: as bytes, sent in this order again and again, whichever connection is free.
        connections: kept alive.
        seconds: for how long.
        rate: requests a second that are sent whether or not the earlier ones are answered; None: each connection asks
            as soon as it has its answer.
    """

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float
    rate: float | None = None


@dataclass
class LoadResult:
    """What came back.

    Attributes:
        answered: when, in seconds since the begin; seconds: how long each answer took, at a fixed rate from the moment
            when it should have been sent.
        refused: answers that were not 2xx, by their first line.
    """

    answered: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)

    def per_second(self) -> float:
        return len(self.answered) / max(self.answered)

    def ms(self, percentile: float) -> float:
        return float(np.percentile(self.seconds, percentile)) * 1000


def get(path: str) -> bytes:
    """A GET as it is sent."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def send(method: str, path: str, body: str) -> bytes:
    """A request with a JSON body as it is sent."""
    fields = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n{body}".encode()


def under_load(load: Load) -> LoadResult:
    """Carry out a load in a process of its own. Raises `RuntimeError` unless every answer was 2xx."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return checked(pool.submit(carry_out, load).result())


def checked(seen: LoadResult) -> LoadResult:
    """Raises `RuntimeError` unless every answer was 2xx."""
    if seen.refused or not seen.answered:
        raise RuntimeError(f"{len(seen.refused)} requests were refused, the first with {seen.refused[:1]}")
    return seen


def carry_out(load: Load) -> LoadResult:
    """Send and collect until the time is over; to be run in a process of its own."""
    return Generator(load).go()


class Generator:
    """The connections of one load, and the requests that wait for one of them."""

    def __init__(self, load: Load) -> None:
        self._load, self._seen = load, LoadResult()
        self._next = 0
        self._selector = selectors.EpollSelector()
        self._free: deque[RawConnection] = deque(RawConnection(load.port) for _ in range(load.connections))
        for wire in self._free:
            self._selector.register(wire.socket, selectors.EVENT_READ, wire)

    def go(self) -> LoadResult:
        self._began = time.perf_counter()
        end = self._began + self._load.seconds
        while (now := time.perf_counter()) < end or self._busy():
            if now < end:
                self._send_due(now)
            elif now > end + TIMEOUT_SECONDS:
                raise TimeoutError(f"no answer came for {TIMEOUT_SECONDS} s")
            for key, _ in self._selector.select(self._pause(end)):
                self._collect(key.data)
        for wire in self._free:
            wire.socket.close()
        self._selector.close()
        return self._seen

    def _busy(self) -> bool:
        return len(self._free) < self._load.connections

    def _pause(self, end: float) -> float:
        """Until the next request is due."""
        due = self._due() if self._load.rate and self._free else end
        return max(0.0, min(due, end) - time.perf_counter()) if time.perf_counter() < end else TIMEOUT_SECONDS

    def _due(self) -> float:
        assert self._load.rate
        return self._began + self._next / self._load.rate

    def _send_due(self, now: float) -> None:
        while self._free and (self._load.rate is None or self._due() <= now):
            meant = now if self._load.rate is None else self._due()
            self._free.popleft().send(self._load.requests[self._next % len(self._load.requests)], meant)
            self._next += 1

    def _collect(self, wire: "RawConnection") -> None:
        if wire.collect():
            now = time.perf_counter()
            self._seen.answered.append(now - self._began)
            self._seen.seconds.append(now - wire.meant)
            if not wire.line.startswith(b"HTTP/1.1 2"):
                self._seen.refused.append(wire.line)
            self._free.append(wire)


class RawConnection:
    """One connection, with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.meant = 0.0
        self.line = b""
        self._received = b""

    def send(self, request: bytes, meant: float) -> None:
        self.meant, self._received = meant, b""
        self.socket.sendall(request)

    def collect(self) -> bool:
        """Take in what has come; whether the answer is whole."""
        data = self.socket.recv(BLOCK)
        if not data:
            raise ConnectionError("the server closed a connection that was to be kept")
        self._received += data
        head, mark, body = self._received.partition(b"\r\n\r\n")
        if not mark or len(body) < _length(head):
            return False
        self.line = head[: head.find(b"\r\n")]
        return True


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    return int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class KeepAliveConnection(RawConnection):
    """A connection on which one request follows another."""

    def __enter__(self) -> "KeepAliveConnection":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def ask(self, request: bytes) -> float:
        """Seconds until the whole answer is here, which `answer` then is. Raises `RuntimeError` unless it is 2xx."""
        began = time.perf_counter()
        self.send(request, began)
        while not self.collect():
            pass
        took = time.perf_counter() - began
        if not self.line.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"{request[:80]!r} was answered with {self.line!r}")
        return took

    @property
    def answer(self) -> tuple[bytes, bytes]:
        """Head and body of the last answer."""
        head, _, body = self._received.partition(b"\r\n\r\n")
        return head, body
