"""Clients that are slow, or silent, or many: each gets its time, and none takes it from others."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from select import select
from typing import Any

import pytest
from processes import poll
from raw_http import Address, RawConnection, request, serving

from web import edge, inbox

THREADS = 3
MANY = 20 * THREADS
QUICK = 5.0  # seconds; half of what a slow client may take
LARGE = bytes(30_000_000)  # more than the kernel buffers for a client that does not read
Connect = Callable[[], RawConnection]


def application(environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    body = LARGE if environ["PATH_INFO"] == "/large" else b"here"
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def address() -> Iterator[Address]:
    with serving(application, THREADS) as address:
        yield address


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for half a second; ask for it before the address."""
    monkeypatch.setattr(edge, "ARRIVAL_SECONDS", 0.5)
    monkeypatch.setattr(inbox, "ANSWER_SECONDS", 0.5)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for three seconds, which a machine that is busy with other things does not use up."""
    monkeypatch.setattr(edge, "ARRIVAL_SECONDS", 3.0)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server for ten connections that hold a mebibyte together."""
    monkeypatch.setattr(edge, "MOST_CONNECTIONS", 10)
    monkeypatch.setattr(edge, "MOST_HELD", 1024 * 1024)


@pytest.fixture
def connect(address: Address) -> Iterator[Connect]:
    with ExitStack() as stack:

        def connection() -> RawConnection:
            wire = RawConnection(address)
            stack.callback(wire.close)
            return wire

        yield connection


def assert_quick(connect: Connect) -> None:
    began = time.monotonic()
    assert connect().ask(request("/")).body == b"here"
    assert time.monotonic() - began < QUICK


UNFINISHED = {
    "silent": b"",
    "in the request line": b"GET / HT",
    "in the headers": request("/")[:-4],
    "in the body": request("/", "Content-Length: 15", method="POST", body=b"{"),
    "in a chunk": request("/", "Transfer-Encoding: chunked", method="POST", body=b"5\r\n{"),
    "waiting for a go-ahead": request("/", "Content-Length: 15", "Expect: 100-continue", method="POST"),
}
STARTED = {name: sent for name, sent in UNFINISHED.items() if sent}


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
def test_clients_that_stop_on_the_way_keep_nobody_waiting(connect: Connect, sent: bytes) -> None:
    slow = [connect() for _ in range(MANY)]
    for wire in slow:
        wire.send(sent)
    assert_quick(connect)


@pytest.mark.parametrize("sent", STARTED.values(), ids=STARTED)
def test_a_byte_now_and_then_does_not_put_off_the_end(impatient: None, connect: Connect, sent: bytes) -> None:
    wire = connect()
    wire.send(sent)
    began = time.monotonic()

    def told() -> bool:
        wire.socket.settimeout(0.05)
        try:
            return b" 408 " in wire.socket.recv(65536, socket.MSG_PEEK)
        except TimeoutError:
            wire.send(b"5")
            return False

    poll(told, seconds=QUICK)
    assert time.monotonic() - began >= 0.5
    wire.socket.settimeout(20)
    answer = wire.answer()
    if answer.status == 100:
        answer = wire.answer()
    assert answer.problem["status"] == 408
    assert answer.closes


def test_an_idle_connection_is_closed_without_a_word(impatient: None, connect: Connect) -> None:
    wire = connect()
    assert wire.ask(request("/")).body == b"here"
    assert wire.rest() == b""


def test_each_request_on_a_connection_has_its_own_time(patient: None, connect: Connect) -> None:
    wire = connect()
    began = time.monotonic()
    while (
        time.monotonic() - began < 1.5 * edge.ARRIVAL_SECONDS
    ):  # together longer than one may take, and each far shorter
        assert wire.ask(request("/")).body == b"here"
        wire.send(request("/")[:-4])
        time.sleep(0.2)  # as a slow client would
        wire.send(b"\r\n\r\n")
        assert wire.answer().body == b"here"


def test_clients_that_do_not_take_their_answers_are_given_up(impatient: None, connect: Connect) -> None:
    slow = [connect() for _ in range(2 * THREADS)]
    for wire in slow:
        wire.send(request("/large"))
    assert_quick(connect)
    for wire in slow:
        assert len(wire.rest()) < len(LARGE)


def test_a_client_that_takes_a_large_answer_gets_all_of_it(connect: Connect) -> None:
    assert connect().ask(request("/large")).body == LARGE


def test_with_too_many_connections_the_one_that_waited_longest_ends(few: None, connect: Connect) -> None:
    waiting = []
    for _ in range(10):
        waiting.append(connect())
        waiting[-1].send(b"GET")
        if len(waiting) == 1:
            assert_quick(connect)  # so that it has been seen before the others
    assert_quick(connect)
    assert waiting[0].answer().problem["status"] == 503
    assert waiting[0].rest() == b""
    assert waiting[-1].ask(request("/")[3:]).body == b"here"


def test_keeping_connections_does_not_depend_on_how_many_are_silent(connect: Connect) -> None:
    silent = [connect() for _ in range(MANY)]
    wire = connect()
    assert not wire.ask(request("/")).closes
    assert wire.ask(request("/")).body == b"here"
    assert len(silent) == MANY


def test_when_too_much_is_held_the_next_large_body_is_refused_for_now(few: None, connect: Connect) -> None:
    large = request("/", "Content-Length: 500000", method="POST", body=bytes(400_000))
    wires = [connect() for _ in range(5)]
    for wire in wires:
        wire.send(large)
    [told, *_], _, _ = select([wire.socket for wire in wires], [], [], 20)
    [refused] = [wire.answer() for wire in wires if wire.socket is told]
    assert refused.problem["status"] == 503
    assert refused.headers["retry-after"] == "1"
    assert_quick(connect)
