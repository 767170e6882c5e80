"""What happens before the application is asked: malformed requests, bodies in chunks, connections that say nothing.

The HTTP server answers some requests by itself, in plain text, and trusts bodies in chunks further than is good for it.
"""

import io
import re
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Gateway_10
from cheroot.wsgi import Server as HTTPServer
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from web.errors import problem

LARGEST_BODY = 1024 * 1024
LONGEST_LINE = 1000  # of a chunk's length or of a trailer
MOST_TRAILERS = 20
CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


def harden(server: HTTPServer) -> None:
    """Give a started server our manners; connections that come from now on are treated so."""
    server.ConnectionClass = Connection
    server.gateway = Gateway
    begin = server.process_conn

    def when_it_speaks(connection: Any) -> None:
        # a worker that is given a silent connection waits for its first byte; the selector waits for all of them
        if getattr(connection, "has_come", False):
            begin(connection)
        else:
            connection.has_come = True
            server.put_conn(connection)

    server.process_conn = when_it_speaks  # type: ignore[method-assign, assignment]


class Request(HTTPRequest):
    """A request whose refusal by the server itself has the body that every error has."""

    def simple_response(self, status: str, msg: str = "") -> None:
        response = problem(int(str(status)[:3]), msg or str(status)[4:])
        response.headers["Connection"] = "close"  # what follows on it may be the rest of what was not understood
        self.close_connection = True
        head = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
        self.conn.wfile.write(f"HTTP/1.1 {response.status}\r\n{head}\r\n".encode("latin-1") + response.get_data())


class Connection(HTTPConnection):
    RequestHandlerClass = Request


class Gateway(Gateway_10):
    """Hands a request to the application, a body in chunks as one that is known to end."""

    def __init__(self, request: HTTPRequest) -> None:
        if request.chunked_read:
            request.rfile = ChunkedBody(request.conn.rfile)
        super().__init__(request)

    def respond(self) -> None:
        super().respond()
        body = self.req.rfile
        if isinstance(body, ChunkedBody) and not body.whole:
            self.req.close_connection = True  # what is left of it would be taken for the next request


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1), read at once and refused as soon as it is malformed or over 1 MiB."""

    def __init__(self, rfile: Any) -> None:
        self._rfile = rfile
        self._body: io.BytesIO | None = None
        self.whole = False

    def read(self, size: int = -1) -> bytes:
        return self._taken().read(size)

    def readline(self, size: int = -1) -> bytes:
        return self._taken().readline(size)

    def _taken(self) -> io.BytesIO:
        if self._body is None:
            self._body = io.BytesIO()
            while size := self._next_size():
                if self._body.tell() + size > LARGEST_BODY:
                    raise RequestEntityTooLarge
                self._body.write(self._rfile.read(size))
                if self._rfile.read(2) != b"\r\n":
                    raise BadRequest("A chunk of the body does not have the length it is said to have.")
            self._skip_trailers()
            self._body.seek(0)
        return self._body

    def _next_size(self) -> int:
        found = CHUNK.fullmatch(self._rfile.readline(LONGEST_LINE))
        if not found:
            raise BadRequest("The length of a chunk of the body is not a hexadecimal number.")
        return int(found[1], 16)

    def _skip_trailers(self) -> None:
        for _ in range(MOST_TRAILERS):
            if self._rfile.readline(LONGEST_LINE) == b"\r\n":
                self.whole = True
                return
        raise BadRequest("The body in chunks has no end.")
