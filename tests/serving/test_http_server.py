"""What reaches the server malformed, ambiguous, too large or in pieces: answered rightly or refused in the one form."""

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from wsgiref.types import WSGIEnvironment

import pytest
from raw_http import Address, RawConnection, request, serving

from serving.http_server import LARGEST_HEAD, LARGEST_UPLOAD

CHUNKED = "Transfer-Encoding: chunked"
BODY = b'{"rating": 4.5}'
SMUGGLED = request("/smuggled")  # what must not be taken for a request when it follows one that is refused
LARGE = 3_000_000  # bytes

asked: list[tuple[str, str, bytes]] = []  # the (method, path, body) of whatever the application has been given


def application(environ: WSGIEnvironment, start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Remembers what it is asked, and answers with the length of the body."""
    method, path, body = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["wsgi.input"].read()
    asked.append((method, path, body))
    if path == "/nothing":
        start("204 No Content", [])
        return []
    answer = b"x" * LARGE if path == "/large" else str(len(body)).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [] if method == "HEAD" else [answer]


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with serving(application) as address:
        yield address


@pytest.fixture
def wire(address: Address) -> Iterator[RawConnection]:
    asked.clear()
    wire = RawConnection(address)
    yield wire
    wire.close()


def rate(*fields: str | bytes, body: bytes = b"") -> bytes:
    return request("/rate", *fields, method="POST", body=body)


def assert_refused(wire: RawConnection, status: int) -> None:
    """One refusal, and the end of the connection."""
    answer = wire.answer()
    assert answer.problem["status"] == status
    assert answer.closes
    with suppress(ConnectionResetError):  # of what was sent and not read
        assert wire.rest() == b""
    assert not asked


MALFORMED = [
    b"get / HTTP/1.1", b"GET", b"GET  HTTP/1.1", b"GET / HTTP/x.y", b"GET / HTP/1.1", b"GET /\r HTTP/1.1",
    b"GET /\n HTTP/1.1", b"GET http://[ HTTP/1.1",
]  # fmt: skip


@pytest.mark.parametrize("line", MALFORMED)
def test_a_malformed_request_line_is_refused(wire: RawConnection, line: bytes) -> None:
    wire.send(line + b"\r\nHost: 127.0.0.1\r\n\r\n" + SMUGGLED)
    assert_refused(wire, 400)


AMBIGUOUS = [
    ["Content-Length: -1"], ["Content-Length: +15"], ["Content-Length: 1_5"], ["Content-Length: 0x0f"],
    ["Content-Length:"], ["Content-Length: 1 5"], ["Content-Length: 15, 15"], [b"Content-Length: \xb2"],
    ["Content-Length: " + "9" * 5000], ["Content-Length: 15", "Content-Length: 3"],
    ["Content-Length: 15", "Content-Length: 15"], ["Content-Length: 15", CHUNKED], [CHUNKED, "Content-Length: 15"],
    ["Content-Length : 15"], ["Transfer-Encoding : chunked"], ["Content-Length"],
    ["X: y\nContent-Length: 15"], ["X: y\rContent-Length: 15"], ["X: \x00"], [": 1"],
]  # fmt: skip


@pytest.mark.parametrize("expect", [[], ["Expect: 100-continue"]], ids=["", "expecting"])
@pytest.mark.parametrize("fields", AMBIGUOUS)
def test_a_request_that_can_be_read_in_two_ways_is_refused(
    wire: RawConnection, fields: list[str | bytes], expect: list[str]
) -> None:
    wire.send(rate(*expect, *fields, body=BODY + SMUGGLED))
    assert_refused(wire, 400)


@pytest.mark.parametrize("coding", ["gzip, chunked", "identity", "xchunked", "\x0bchunked"])
def test_another_transfer_coding_is_refused(wire: RawConnection, coding: str) -> None:
    wire.send(rate(f"Transfer-Encoding: {coding}", body=b"0\r\n\r\n" + SMUGGLED))
    assert re.match("400|501", str(wire.answer().problem["status"]))
    assert wire.rest() == b""
    assert not asked


def test_chunks_in_http_1_0_are_refused(wire: RawConnection) -> None:
    chunks = rate(CHUNKED, "Connection: keep-alive", body=b"0\r\n\r\n" + SMUGGLED)
    wire.send(chunks.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert_refused(wire, 400)


def test_a_name_with_an_underscore_is_not_taken_for_one_with_a_dash(wire: RawConnection) -> None:
    assert wire.ask(rate("Content-Length: 15", "Content_Length: 3", body=BODY)).body == b"15"


def test_an_absolute_target_is_answered_by_its_path(wire: RawConnection) -> None:
    assert wire.ask(request("http://127.0.0.1/rate?q=1")).status == 200
    assert asked == [("GET", "/rate", b"")]


def test_http_1_0_is_answered_and_its_connection_closed(wire: RawConnection) -> None:
    assert wire.ask(b"GET / HTTP/1.0\r\n\r\n").status == 200
    assert wire.rest() == b""


def test_a_connection_is_kept_after_each_kind_of_answer(wire: RawConnection) -> None:
    for method, path in [("GET", "/"), ("HEAD", "/"), ("GET", "/nothing"), ("DELETE", "/nothing"), ("GET", "/large")]:
        answer = wire.ask(request(path, method=method), method)
        assert not answer.closes
        assert method != "HEAD" or answer.headers["content-length"] == "1"
    assert wire.ask(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").status == 200
    assert wire.ask(request("/", "Connection: close")).closes
    assert wire.rest() == b""


def test_requests_that_are_sent_ahead_are_answered_in_their_order(wire: RawConnection) -> None:
    lengths = (0, 15, 7, 70_000, 1)
    wire.send(b"\r\n".join(rate(f"Content-Length: {length}", body=b"x" * length) for length in lengths))
    assert [int(wire.answer().body) for _ in lengths] == [*lengths]


def test_large_answers_that_are_asked_for_ahead_come_whole(wire: RawConnection) -> None:
    wire.send(5 * request("/large") + request("/"))
    time.sleep(0.2)  # until the first fills what the system buffers
    assert [len(wire.answer().body) for _ in range(6)] == [LARGE] * 5 + [1]


# What is too large


@pytest.mark.parametrize("length", [LARGEST_UPLOAD, 10**18])
def test_a_body_that_is_far_too_large_is_refused_before_it_is_sent(wire: RawConnection, length: int) -> None:
    wire.send(rate(f"Content-Length: {length}", "Expect: 100-continue"))
    assert_refused(wire, 413)


def test_chunks_that_are_too_much_together_are_refused(wire: RawConnection) -> None:
    wire.send(rate(CHUNKED, body=b"%x\r\n" % LARGEST_UPLOAD + bytes(LARGEST_UPLOAD)))
    assert_refused(wire, 413)


@pytest.mark.parametrize("fields", [20_000 * ["X: y"], ["X: " + "y" * LARGEST_HEAD]], ids=["many", "long"])
def test_headers_that_are_too_long_are_refused(wire: RawConnection, fields: list[str]) -> None:
    wire.send(request("/", *fields))
    assert_refused(wire, 431)


# What comes in pieces


@pytest.mark.parametrize("word", ["100-continue", "100-Continue", "100-CONTINUE"])
def test_a_client_that_waits_for_a_go_ahead_gets_one(wire: RawConnection, word: str) -> None:
    expecting = rate("Content-Length: 15", f"Expect: {word}")
    assert wire.ask(expecting).status == 100
    assert wire.ask(BODY).body == b"15"
    assert wire.ask(expecting + BODY).status in (100, 200)  # it did not wait


def test_a_client_with_nothing_to_send_needs_no_go_ahead(wire: RawConnection) -> None:
    assert wire.ask(request("/", "Expect: 100-continue")).body == b"0"
    assert wire.ask(rate("Expect: 100-continue", "Content-Length: 0")).body == b"0"


def test_a_request_that_comes_byte_by_byte_is_answered(wire: RawConnection) -> None:
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in rate("Content-Length: 15", body=BODY):
        wire.send(bytes([at]))
    assert wire.answer().body == b"15"


def test_a_body_in_chunks_is_put_together(wire: RawConnection) -> None:
    wire.send(
        rate(CHUNKED, body=b'5;name=value\r\n{"rat\r\nA\r\ning": 4.5}\r\n0\r\nX-Trailer: 1\r\n\r\n') + request("/")
    )
    assert [wire.answer().body for _ in range(2)] == [b"15", b"0"]
    assert asked == [("POST", "/rate", BODY), ("GET", "/", b"")]


@pytest.mark.parametrize("body", [b"zz\r\n", b"-1\r\n", b"0x5\r\n", b'5\n{"ra', b"2\r\n{}XX0\r\n\r\n"])
def test_what_follows_a_malformed_chunk_is_not_taken_for_a_request(wire: RawConnection, body: bytes) -> None:
    wire.send(rate(CHUNKED, body=body + b"\r\n" + SMUGGLED))
    assert_refused(wire, 400)


def test_ipv6_loopback_is_served() -> None:
    with serving(application, host="::1") as address:
        wire = RawConnection(address)
        assert wire.ask(request("/")).status == 200
        wire.close()
