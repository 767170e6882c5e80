"""waitress with the start and stop that CherryPy's engine calls.

waitress reads whole requests and writes answers in one thread, so a slow client keeps no worker. The subclasses here
close what waitress leaves open to slow, malformed or ambiguous clients.
"""

import logging
import resource
import socket
import threading
import time
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask, WSGITask

from web.errors import CODES, problem
from web.request_log import HEADER, named_request
from web.response_headers import add_security_headers

log = logging.getLogger(__name__)

CLIENT_SECONDS = 10.0  # for a request to arrive, for an answer to be taken, for an idle connection to be kept
STOP_SECONDS = 3.0
LOOK_SECONDS = 1.0  # at most, between two checks for slow clients
LARGEST_UPLOAD = 16 * 1024 * 1024  # up to this size a body is read, so that the client can read Flask's 413
LARGEST_HEAD = 64 * 1024
MOST_CONNECTIONS = 2000
MOST_FILES = 4096
OTHER_FILES = 200  # of the process: libraries, the log, connections to the database
NEVER = 10**9  # seconds
UNLIMITED = 10**12  # bytes
KERNEL_BYTES = 256 * 1024  # that the system takes at once; more would only be work for clients that do not read
SEND_BYTES = 64 * 1024  # smaller answers are sent by the loop, which takes a third less time than sending in a worker


class RequestParser(HTTPRequestParser):
    """Refuses what a proxy in front may read in another way (request smuggling, RFC 9112, section 11.2)."""

    def received(self, data: bytes) -> int:
        """Take in bytes; return how many were used."""
        used: int = super().received(data)
        if self.completed:  # else waitress asks for a body that is not coming, and never answers
            self.expect_continue = False
        return used

    def parse_header(self, header_plus: bytes) -> None:
        """Raises `ParsingError`, which is answered with 400."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # such as "http://[" for a target
            raise ParsingError("The request cannot be understood.") from error
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("Transfer-Encoding comes in HTTP/1.1 and without a Content-Length.")


class Answer(WSGITask):
    """An answer of the application."""

    def set_close_on_finish(self) -> None:
        """Keep the connection after an answer without a body (204, 304), which waitress would end."""
        if self.has_body or self.version == "1.0" or self.request.connection_close:
            super().set_close_on_finish()


class Refusal(ErrorTask):
    """The answer to a malformed request, in the form of every error."""

    def execute(self) -> None:
        self.set_close_on_finish()
        error = self.request.error
        with named_request() as own:
            log.info("refused a malformed request with %d", error.code)  # without the reason, which may quote a key
            response = add_security_headers(problem(error.code, error.body, CODES.get(error.code, "http_error")))
        response.headers[HEADER] = own
        self.status = response.status
        self.response_headers.extend(response.headers)
        self.content_length = response.content_length
        self.write(response.get_data())


class Channel(HTTPChannel):
    """A connection that costs a worker nothing while its client is slow."""

    parser_class = RequestParser
    task_class = Answer
    error_task_class = Refusal
    _held = False  # whether its next request waits for the client to take the last answer
    _active = 0.0

    @property
    def last_activity(self) -> float:
        """Return when a request began or the client took a part of an answer, by the monotonic clock."""
        return self._active

    @last_activity.setter
    def last_activity(self, wall_clock: float) -> None:
        if self.request is None:  # a byte more of a request does not put off the end
            self._active = time.monotonic()

    def readable(self) -> bool:
        idle = self._held or not self.requests
        if idle and time.monotonic() - self._active > CLIENT_SECONDS:
            self.handle_close()
        return bool(self.connected and super().readable())

    def service(self) -> None:
        """Answer one request in a worker; but a client that sends ahead without reading gets its next answer later."""
        if self.total_outbufs_len >= SEND_BYTES:
            self._held = True
            self.server.pull_trigger()
        else:
            super().service()
            self._active = time.monotonic()

    def writable(self) -> bool:
        return self._held or bool(super().writable())

    def handle_write(self) -> None:
        super().handle_write()
        if self._held and self.total_outbufs_len < SEND_BYTES:
            self._held = False
            self.server.add_task(self)


class HttpServer:
    """An application that is answered on a socket that listens, in `threads` workers."""

    _woken = False
    ready = True  # for CherryPy: connections are queued before the loop runs

    def __init__(self, application: WSGIApplication, listening: socket.socket, threads: int) -> None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)  # connections inherit it
        self._sockets: dict[int, wasyncore.dispatcher] = {}
        self._over, self._loop_ended = threading.Event(), threading.Event()
        self.server = create_server(
            application,
            map=self._sockets,
            sockets=[listening],
            threads=threads,
            connection_limit=connection_limit(),
            clear_untrusted_proxy_headers=False,  # web/behind_proxy.py knows whom to trust
            cleanup_interval=NEVER,  # channels end by themselves
            max_request_header_size=LARGEST_HEAD,
            max_request_body_size=LARGEST_UPLOAD,
            outbuf_high_watermark=UNLIMITED,  # above it a worker would wait for the client
            ident=None,
            log_socket_errors=False,
        )
        self.server.channel_class = Channel
        self.server.adj.send_bytes = SEND_BYTES  # as an argument it warns that waitress may drop it
        self.server.pull_trigger = self._wake
        self._accept, self.server.handle_accept = self.server.handle_accept, self._accept_all
        self.workers = self.server.task_dispatcher

    @property
    def address(self) -> tuple[str, int]:
        """Return the host and port that the server listens on."""
        return self.server.effective_host, int(self.server.effective_port)

    def start(self) -> None:
        """Answer until `stop`."""
        while not self._over.is_set():
            self._woken = False
            wasyncore.loop(timeout=LOOK_SECONDS, use_poll=True, map=self._sockets, count=1)  # select() ends at 1,024
        self._loop_ended.set()

    def stop(self) -> None:
        """Accept no more, and finish for a while what is under way."""
        until = time.monotonic() + STOP_SECONDS
        self.server.trigger.pull_trigger(self._refuse_more)
        while self._under_way() and time.monotonic() < until:
            time.sleep(0.01)
        self.workers.shutdown(timeout=max(0.1, until - time.monotonic()))
        self._over.set()
        self.server.trigger.pull_trigger()
        self._loop_ended.wait(STOP_SECONDS)
        for channel in list(self.server.active_channels.values()):
            channel.handle_close()
        self.server.close()

    def _wake(self) -> None:
        """Wake the loop to check all connections; concurrent calls wake it once."""
        if not self._woken:
            self._woken = True
            self.server.trigger.pull_trigger()

    def _accept_all(self) -> None:
        """Accept every connection that waits; waitress looks at all open ones again after each."""
        channels, before = self.server.active_channels, -1
        while before < len(channels) < self.server.adj.connection_limit:
            before = len(channels)
            self._accept()

    def _refuse_more(self) -> None:
        wasyncore.dispatcher.close(self.server)

    def _under_way(self) -> bool:
        return any(one.requests or one.total_outbufs_len for one in list(self.server.active_channels.values()))


def connection_limit() -> int:
    """Return how many connections to accept at most, after raising the limit of open files if the system allows it.

    A connection is a file, and each second one may have another: a large body, or an answer that is a file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(MOST_CONNECTIONS, 2 * max(allowed - OTHER_FILES, OTHER_FILES) // 3)
