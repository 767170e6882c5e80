"""The two ends of a connection: what a client sends, collected without waiting; what it is sent, by a deadline."""

import io
import socket
import time
from contextlib import suppress
from http import HTTPStatus

from web.framing import RefusedError, arrival

BLOCK = 64 * 1024
ANSWER_SECONDS = (
    10.0  # for a client to take its answer; what the kernel buffers for it, some megabytes, is taken at once
)


class Inbox:
    """Collects requests until they are whole, so that a thread which reads one never waits."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._received = bytearray()
        self._held = 0
        self._arrival = arrival(self._received)
        self._whole = False
        self._head = io.BytesIO()
        self.body = io.BytesIO()
        self.refusal: RefusedError | None = None
        self.began: float | None = None  # when the first byte came of a request that is not answered yet
        self.ended = False  # the client sends no more
        self.left = False  # what the client sends is not looked at any more
        self.closed = False

    def __len__(self) -> int:
        """How many bytes are kept of a request that nobody has begun to answer."""
        return self._held

    def has_data(self) -> bool:
        """Whether something can be done: a request is here, whole, or is to be refused."""
        if self._received and self.began is None:  # it came along with the one before
            self._advance()
        return self._whole or self.refusal is not None

    def fill(self) -> None:
        """Take in what has come, without waiting."""
        if self.has_data():
            return
        try:
            self._socket.setblocking(False)
            data = self._socket.recv(BLOCK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.ended = not data
        if not self.left:
            self._received += data
            self._held += len(data)
            self._advance()

    def open_next(self) -> None:
        """Have the request that is here read, and expect another."""
        self._whole = False
        self._held = len(self._received)
        self.began = None
        self._arrival = arrival(self._received)

    def readline(self, size: int) -> bytes:
        return self._head.readline(size)

    def leave(self) -> None:
        """Forget what has come, and from now on drop what comes."""
        self.left = True
        self._whole = False
        self._held = 0
        self._received.clear()
        self.refusal = None
        self.began = time.time()

    def close(self) -> None:
        self._received.clear()
        self.closed = True

    def _advance(self) -> None:
        if self.began is None and self._received:
            self.began = time.time()
        try:
            say(self._socket, next(self._arrival))
            if self.ended and self.began is not None:
                self.refusal = RefusedError(HTTPStatus.BAD_REQUEST, "The request ends before it is whole.")
        except StopIteration as whole:
            self._whole = True
            self._head, self.body = io.BytesIO(whole.value.head), io.BytesIO(whole.value.body)
        except RefusedError as error:
            self.refusal = error


class Outbox:
    """Sends answers; a client that does not take one within `ANSWER_SECONDS` is given up, however it trickles."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._until: float | None = None

    def begin(self) -> None:
        """The next write is the first of an answer."""
        self._until = None

    def write(self, data: bytes) -> int:
        """Raises `TimeoutError` at the deadline."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + ANSWER_SECONDS
        self._socket.settimeout(max(self._until - now, 0.001))  # for the whole of sendall, not for each part
        self._socket.sendall(data)
        return len(data)


def say(sock: socket.socket, data: bytes) -> None:
    """Send a few bytes if there is room for them; whoever has not read the last ones is not waited for."""
    if data:
        with suppress(OSError):
            sock.setblocking(False)
            sock.send(data)
