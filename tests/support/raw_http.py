"""HTTP as bytes on a socket, for what no client library would send, and the server that it is sent to."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage, parse_headers
from typing import Any

from serving.http_server import HttpServer

MEMBERS = {"type", "title", "status", "detail", "code", "success", "request_id"}  # of every error
LEAKS = ("<html", "traceback", "select ", "insert ", "psycopg2", "sqlalchemy", "werkzeug", "pydantic")
Address = tuple[str, int]


@contextmanager
def serving(app: Any, threads: int = 20, host: str = "127.0.0.1") -> Iterator[Address]:
    """The address of an application over HTTP, behind the server of the service."""
    with served(app, threads, host) as server:
        yield server.address


@contextmanager
def served(app: Any, threads: int = 20, host: str = "127.0.0.1") -> Iterator[HttpServer]:
    """The same, as the server."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = HttpServer(app, socket.create_server((host, 0), family=family, backlog=128), threads)
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


@dataclass(frozen=True)
class RawResponse:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers["connection"] == "close"

    @property
    def problem(self) -> dict[str, Any]:
        """The one error body, with its members and nothing about the inside."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        told: dict[str, Any] = json.loads(self.body)
        assert set(told) - {"errors"} == MEMBERS
        assert (told["status"], told["success"], told["type"]) == (self.status, False, "about:blank")
        assert told["request_id"] == self.headers["x-request-id"]
        assert told["title"]
        assert told["detail"]
        assert not [leak for leak in LEAKS if leak in self.body.decode().lower()]
        return told


class RawConnection:
    """One connection: `send` what you like, `answer` is the next one that comes."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address, timeout=20)
        self._received = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, data: bytes, method: str = "GET") -> "RawResponse":
        self.send(data)
        return self.answer(method)

    def answer(self, method: str = "GET") -> "RawResponse":
        line = self._received.readline().split(b" ", 2)
        assert line[0] in (b"HTTP/1.0", b"HTTP/1.1"), line
        status, headers = int(line[1]), parse_headers(self._received)
        empty = method == "HEAD" or status < 200 or status in (204, 304)
        return RawResponse(status, headers, b"" if empty else self._body(headers))

    def rest(self) -> bytes:
        """All that still comes until the other side closes."""
        return self._received.read()

    def close(self) -> None:
        self._received.close()
        self.socket.close()

    def _body(self, headers: HTTPMessage) -> bytes:
        if "transfer-encoding" not in headers:
            return self._received.read(int(headers["content-length"]))
        body = b""
        while size := int(self._received.readline(), 16):
            body += self._received.read(size + 2)[:-2]
        self._received.readline()
        return body


def request(target: str | bytes, *fields: str | bytes, method: str | bytes = b"GET", body: bytes = b"") -> bytes:
    """A request with the Host of a loopback server; `Content-Length` is a field like others and not added."""
    lines = [_bytes(method) + b" " + _bytes(target) + b" HTTP/1.1", b"Host: 127.0.0.1", *map(_bytes, fields)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
