"""What happens before the application is asked: requests are waited for, framed and refused without taking a thread.

The HTTP server gives a connection to one of its threads as soon as a byte comes and lets that thread wait for the rest,
so a few clients that send a byte now and then would have all of them. Here the thread that watches the connections
collects what they send, and a request is given to a worker once the whole of it is here. It answers some malformed
requests by itself, in plain text; here they get the body that every error has.
"""

import logging
import socket
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus

from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest
from cheroot.wsgi import Gateway_10
from cheroot.wsgi import Server as HTTPServer

from web.errors import RETRY_SECONDS, problem
from web.framing import RefusedError
from web.inbox import BLOCK, Inbox, Outbox, say
from web.request_log import HEADER, request_named
from web.security_headers import add_security_headers

log = logging.getLogger(__name__)

ARRIVAL_SECONDS = 10.0  # for a request to arrive, counted from its first byte, and for an idle connection to be kept
MOST_CONNECTIONS = 500
MOST_HELD = 64 * 1024 * 1024  # bytes of requests that are not whole yet


def harden(server: HTTPServer) -> None:
    """Give a server our manners; connections that come from now on are treated so."""
    server.ConnectionClass = partial(Connection, set())
    server.gateway = Gateway
    server.timeout = ARRIVAL_SECONDS
    server.keep_alive_conn_limit = MOST_CONNECTIONS  # else ten that are silent have all others closed after an answer
    give_to_worker = server.process_conn

    def admit(connection: Connection) -> None:
        """Take one that is new, that can be read, or that has sent its next request along with the last."""
        if connection.receive():
            connection.waits = False
            give_to_worker(connection)
        elif connection.rfile.ended:
            connection.close()
        else:
            server.put_conn(connection)

    server.process_conn = admit  # type: ignore[method-assign, assignment]


class Fields(HeaderReader):
    """Leaves out names with an underscore, which WSGI takes for a dash, and Expect, which has been answered."""

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name and key_name != b"Expect"


class Request(HTTPRequest):
    """A request whose refusal by the server itself has the body that every error has."""

    header_reader = Fields()

    def read_request_line(self) -> bool:
        try:
            understood: bool = super().read_request_line()  # type: ignore[no-untyped-call]
        except ValueError:  # such as "//[" for a target
            self.simple_response("400 Bad Request", "Malformed Request-URI")
            return False
        return understood

    def simple_response(self, status: str, msg: str = "") -> None:
        self.close_connection = True  # what follows on it may be the rest of what was not understood
        self.conn.wfile.write(refusal(int(str(status)[:3]), msg or str(status)[4:]))


class Connection(HTTPConnection):
    """A connection that is read by the thread that watches it, and answered by a worker."""

    RequestHandlerClass = Request
    rfile: Inbox
    wfile: Outbox

    def __init__(self, all_open: "set[Connection]", server: HTTPServer, sock: socket.socket, makefile: object) -> None:
        super().__init__(server, sock, lambda sock, mode, size: Inbox(sock) if mode == "rb" else Outbox(sock))
        self.waits = True
        self._idle_since = time.time()
        self._all_open = all_open
        all_open.add(self)
        self._make_room()

    @property
    def last_used(self) -> float:
        """What the server looks at to close it after its timeout; a byte now and then does not put that off."""
        return self.rfile.began or self._idle_since

    @last_used.setter
    def last_used(self, now: float) -> None:
        self._idle_since = now
        self.waits = True

    def receive(self) -> bool:
        """Take in what has come, without waiting; whether there is a request to answer."""
        self.rfile.fill()
        if len(self.rfile) > BLOCK and sum(len(other.rfile) for other in tuple(self._all_open)) > MOST_HELD:
            self.rfile.refusal = RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "Too much is being sent at this moment.")
        if self.rfile.refusal:
            self._refuse(self.rfile.refusal.status, str(self.rfile.refusal))
        return self.rfile.has_data()

    def communicate(self) -> bool:
        self.rfile.open_next()
        self.wfile.begin()
        keep: bool = super().communicate()  # type: ignore[no-untyped-call]
        return keep

    def close(self) -> None:
        if self.rfile.began and not self.rfile.left and time.time() - self.rfile.began > self.server.timeout:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"A request arrives within {self.server.timeout:g} s.")
        self._all_open.discard(self)
        super().close()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Tell why, and leave; what still comes is dropped, because closing at once could destroy what was told."""
        say(self.socket, refusal(status, detail))
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        self.rfile.leave()

    def _make_room(self) -> None:
        """With too many connections, end the one that has kept us waiting longest: whoever speaks at once is served."""
        waiting = [other for other in tuple(self._all_open) if other.waits and other is not self]
        if len(self._all_open) > MOST_CONNECTIONS and waiting:
            min(waiting, key=lambda other: other.last_used).give_way()

    def give_way(self) -> None:
        """End while nobody is answering; it looks as if the client had ended it."""
        if self.rfile.began and not self.rfile.left:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections at this moment.")
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)


class Gateway(Gateway_10):
    """Hands a request to the application with a body that is here and known to end."""

    def __init__(self, request: HTTPRequest) -> None:
        request.rfile = request.conn.rfile.body
        super().__init__(request)


def refusal(status: int, detail: str) -> bytes:
    """The answer, as it is sent, to what the application is not asked about."""
    with request_named() as own:
        log.info("refused at the edge: %d %s", status, detail)
        response = add_security_headers(problem(status, detail))
    response.headers[HEADER] = own
    response.headers["Connection"] = "close"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    head = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
    return f"HTTP/1.1 {response.status}\r\n{head}\r\n".encode("latin-1") + response.get_data()
