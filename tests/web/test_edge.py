"""What reaches the server malformed, ambiguous, too large or in pieces: answered rightly or refused in the one form."""

import itertools
import socket
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_http import Address, RawConnection, RawResponse, request, serving

from web.framing import CONTINUE, LARGEST_BODY, LARGEST_HEAD, LONGEST_LINE, MOST_FIELDS, Arrived, RefusedError, arrival

CHUNKED = "Transfer-Encoding: chunked"
BODY = b'{"rating": 4.5}'
SMUGGLED = request("/smuggled")  # what must not be taken for a request when it follows one that is refused

asked: list[tuple[str, bytes]] = []  # the (path, body) of whatever the application has been given


def application(environ: dict[str, object], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Remembers what it is asked, and answers with the length of the body."""
    known, whole = environ.get("CONTENT_LENGTH"), environ["wsgi.input_terminated"]
    body = environ["wsgi.input"].read(-1 if whole else int(str(known or 0)))  # type: ignore[attr-defined]
    asked.append((str(environ["PATH_INFO"]), body))
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(str(len(body)))))])
    return [str(len(body)).encode()]


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


def assert_refused(wire: RawConnection, status: int) -> RawResponse:
    """One refusal, and the end of the connection."""
    answer = wire.answer()
    assert answer.problem["status"] == status
    assert answer.closes
    assert wire.rest() == b""
    assert "/smuggled" not in [path for path, _ in asked]
    return answer


MALFORMED = [
    b"get / HTTP/1.1", b"GET", b"GET  HTTP/1.1", b"GET /#part HTTP/1.1", b"GET //[ HTTP/1.1", b"GET / HTTP/x.y",
    b"GET / HTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\r HTTP/1.1", b"GET /\n HTTP/1.1", b"", b"GET nowhere HTTP/1.1",
    b"GET http://127.0.0.1/smuggled HTTP/1.1",
]  # fmt: skip


@pytest.mark.parametrize("line", MALFORMED)
def test_a_malformed_request_line_is_refused(wire: RawConnection, line: bytes) -> None:
    wire.send(line + b"\r\nHost: 127.0.0.1\r\n\r\n" + SMUGGLED)
    assert_refused(wire, 400)


@pytest.mark.parametrize("line", [b"GET / HTTP/9.9", b"PRI * HTTP/2.0"])
def test_another_version_of_http_is_refused(wire: RawConnection, line: bytes) -> None:
    wire.send(line + b"\r\nHost: 127.0.0.1\r\n\r\nSM\r\n\r\n")
    assert_refused(wire, 505)


def test_tls_is_refused_at_its_first_byte(wire: RawConnection) -> None:
    wire.send(bytes.fromhex("16030100c8010000c40303"))
    assert "TLS" in assert_refused(wire, 400).problem["detail"]


AMBIGUOUS = [
    ["Content-Length: -1"], ["Content-Length: +15"], ["Content-Length: 1_5"], ["Content-Length: 0x0f"],
    ["Content-Length:"], ["Content-Length: 1 5"], ["Content-Length: 15, 15"], [b"Content-Length: \xb2"],
    ["Content-Length: 15", "Content-Length: 3"], ["Content-Length: 15", "Content-Length: 15"],
    ["Content-Length: 15", CHUNKED], [CHUNKED, "Content-Length: 15"], [CHUNKED, CHUNKED],
    ["Content-Length : 15"], ["Transfer-Encoding : chunked"], [" Content-Length: 15"], ["Content-Length"],
    ["X: y\r\n Content-Length: 15"], ["X: y\nContent-Length: 15"], ["X: y\rContent-Length: 15"], ["X: \x00"], [": 1"],
    ["Host: 127.0.0.1"],
]  # fmt: skip


@pytest.mark.parametrize("fields", AMBIGUOUS)
def test_a_request_that_can_be_read_in_two_ways_is_refused(wire: RawConnection, fields: list[str | bytes]) -> None:
    wire.send(rate(*fields, body=BODY + SMUGGLED))
    assert_refused(wire, 400)
    assert asked == []


@pytest.mark.parametrize("coding", ["gzip, chunked", "chunked, chunked", "identity", "xchunked"])
def test_another_transfer_coding_is_refused(wire: RawConnection, coding: str) -> None:
    wire.send(rate(f"Transfer-Encoding: {coding}", body=b"0\r\n\r\n" + SMUGGLED))
    assert_refused(wire, 501)


def test_a_request_in_http_1_1_without_a_host_is_refused(wire: RawConnection) -> None:
    wire.send(b"GET / HTTP/1.1\r\n\r\n")
    assert_refused(wire, 400)


def test_chunks_in_http_1_0_are_refused(wire: RawConnection) -> None:
    wire.send(rate(CHUNKED, body=b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert_refused(wire, 400)


def test_a_name_with_an_underscore_is_not_taken_for_one_with_a_dash(wire: RawConnection) -> None:
    assert wire.ask(rate("Content-Length: 15", "Content_Length: 3", body=BODY)).body == b"15"


def test_http_1_0_is_answered_and_its_connection_closed(wire: RawConnection) -> None:
    assert wire.ask(b"GET / HTTP/1.0\r\n\r\n").status == 200
    assert wire.rest() == b""


def test_http_1_0_can_keep_its_connection(wire: RawConnection) -> None:
    for _ in range(2):
        assert wire.ask(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").status == 200


def test_requests_that_are_sent_ahead_are_answered_in_their_order(wire: RawConnection) -> None:
    lengths = (0, 15, 7, 70_000, 1)
    wire.send(b"\r\n".join(rate(f"Content-Length: {length}", body=b"x" * length) for length in lengths))
    assert [int(wire.answer().body) for _ in lengths] == [*lengths]


def test_a_malformed_request_that_is_sent_ahead_is_refused_after_the_answers_before_it(wire: RawConnection) -> None:
    wire.send(request("/") + b"\x16\r\n\r\n")
    assert wire.answer().status == 200
    assert_refused(wire, 400)


def test_a_request_that_is_cut_short_is_refused(wire: RawConnection) -> None:
    wire.send(rate("Content-Length: 15", body=BODY[:-1]))
    wire.socket.shutdown(socket.SHUT_WR)
    assert_refused(wire, 400)


# What is too large


def test_a_body_of_one_mebibyte_is_read(wire: RawConnection) -> None:
    answer = wire.ask(rate(f"Content-Length: {LARGEST_BODY}", body=bytes(LARGEST_BODY)))
    assert int(answer.body) == LARGEST_BODY


def test_one_mebibyte_in_chunks_is_read(wire: RawConnection) -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    assert int(wire.ask(rate(CHUNKED, body=16 * chunk + b"0\r\n\r\n")).body) == LARGEST_BODY


@pytest.mark.parametrize("length", [LARGEST_BODY + 1, 10**18])
def test_a_body_over_one_mebibyte_is_refused_before_it_is_sent(wire: RawConnection, length: int) -> None:
    wire.send(rate(f"Content-Length: {length}", "Expect: 100-continue"))
    assert_refused(wire, 413)


@pytest.mark.parametrize("head", [rate("Content-Length: 20000000"), rate(CHUNKED, body=b"1312d00\r\n")])
def test_whoever_sends_all_of_it_can_still_read_the_refusal(wire: RawConnection, head: bytes) -> None:
    wire.send(head + bytes(20_000_000))
    assert_refused(wire, 413)


def test_chunks_that_are_too_much_together_are_refused(wire: RawConnection) -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    wire.send(rate(CHUNKED, body=16 * chunk + b"1\r\n"))
    assert_refused(wire, 413)


@pytest.mark.parametrize(
    "fields",
    [[f"X-{n}: y" for n in range(MOST_FIELDS)], [f"X-{n}: y" for n in range(10_000)], ["X: " + "y" * LARGEST_HEAD]],
    ids=["one too many", "ten thousand", "one that is too long"],
)
def test_too_many_or_too_long_headers_are_refused(wire: RawConnection, fields: list[str]) -> None:
    wire.send(request("/", *fields))
    assert_refused(wire, 431)


def test_as_many_headers_as_are_allowed_are_read(wire: RawConnection) -> None:
    fields = [f"X-{n}: {'y' * 600}" for n in range(MOST_FIELDS - 1)]  # and Host
    assert wire.ask(request("/", *fields)).status == 200


@pytest.mark.parametrize("end", [b"", b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"], ids=["without an end", "whole"])
def test_a_request_line_that_is_too_long_is_refused(wire: RawConnection, end: bytes) -> None:
    wire.send(b"GET /" + b"x" * LONGEST_LINE + end)
    assert_refused(wire, 414)


# What comes in pieces


def test_a_client_that_waits_for_a_go_ahead_gets_one(wire: RawConnection) -> None:
    assert wire.ask(rate("Content-Length: 15", "Expect: 100-continue")).status == 100
    assert wire.ask(BODY).body == b"15"
    assert wire.ask(rate("Content-Length: 15", "Expect: 100-continue", body=BODY)).status == 200  # it did not wait


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
    assert asked == [("/rate", BODY), ("/", b"")]


MALFORMED_CHUNKS = [
    b"zz\r\n", b"-1\r\n", b"0x5\r\n", b"5\n{\"ra", b"ffffffffffff\r\n", b"2\r\n{}XX0\r\n\r\n", b"5" * 2000,
    b"5;" + b"x" * 2000, b"0\r\n" + b"X: y\r\n" * 30,
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED_CHUNKS)
def test_what_follows_a_malformed_chunk_is_not_taken_for_a_request(wire: RawConnection, body: bytes) -> None:
    wire.send(rate(CHUNKED, body=body + b"\r\n" + SMUGGLED))
    assert_refused(wire, 400)
    assert asked == []


def arrived(pieces: list[bytes]) -> list[Arrived | str]:
    """What a connection makes of bytes that come in these pieces."""
    received, found = bytearray(), list[Arrived | str]()
    coming = arrival(received)
    for piece in pieces:
        received += piece
        try:
            while next(coming) == CONTINUE:
                pass
        except StopIteration as whole:
            found.append(whole.value)
            coming = arrival(received)
        except RefusedError as error:
            return [*found, str(error)]
    return found


@given(st.lists(st.integers(0, 200), max_size=20))
@settings(derandomize=True, database=None)
def test_it_makes_no_difference_where_a_request_is_cut(cuts: list[int]) -> None:
    whole = rate(CHUNKED, "Expect: 100-continue", body=b'8\r\n{"rating\r\n7\r\n": 4.5}\r\n0\r\nX: y\r\n\r\n')
    places = [0, *sorted(cuts), len(whole)]
    [found] = arrived([whole[begin:end] for begin, end in itertools.pairwise(places)])
    assert isinstance(found, Arrived)
    assert found.body == BODY


PARTS = [
    b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\n", b"\r", b"Content-Length: 3\r\n", b"5\r\nabcde\r\n",
    b"0\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b" ", b":",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS) | st.binary(max_size=9), max_size=12))
@settings(derandomize=True, database=None, max_examples=500)
def test_whatever_comes_is_a_request_or_refused_or_waited_for(pieces: list[bytes]) -> None:
    for found in arrived(pieces):
        assert isinstance(found, str) or found.head.endswith(b"\n")
