"""Clients that are slow, silent or many: each gets its time, and none takes it from others."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from raw_http import Address, RawConnection, request, serving

from serving import http_server

THREADS = 3
MANY = 20 * THREADS
LARGE = bytes(30_000_000)  # more than the kernel buffers for a client that does not read
Connect = Callable[..., RawConnection]


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
    """A server that waits for a second."""
    monkeypatch.setattr(http_server, "CLIENT_SECONDS", 1.0)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server for ten connections; ask for it before the address."""
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 10)


@pytest.fixture
def connect(address: Address) -> Iterator[Connect]:
    with ExitStack() as stack:

        def connection(sent: bytes = b"") -> RawConnection:
            wire = RawConnection(address)
            stack.callback(wire.close)
            wire.send(sent)
            return wire

        yield connection


def assert_quick(connect: Connect) -> None:
    """The best of three, so that a busy machine does not count."""

    def seconds() -> float:
        began = time.monotonic()
        assert connect(request("/")).answer().body == b"here"
        return time.monotonic() - began

    assert min(seconds() for _ in range(3)) < 1.0


UNFINISHED = {
    "silent": b"",
    "in the request line": b"GET / HT",
    "in the headers": request("/")[:-4],
    "in the body": request("/", "Content-Length: 15", method="POST", body=b"{"),
    "in a chunk": request("/", "Transfer-Encoding: chunked", method="POST", body=b"5\r\n{"),
    "waiting for a go-ahead": request("/", "Content-Length: 15", "Expect: 100-continue", method="POST"),
}


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
def test_clients_that_stop_on_the_way_keep_nobody_waiting(connect: Connect, sent: bytes) -> None:
    slow = [connect(sent) for _ in range(MANY)]
    assert_quick(connect)
    assert len(slow) == MANY


def test_clients_that_do_not_read_their_answers_keep_nobody_waiting(connect: Connect) -> None:
    slow = [connect(4 * request("/large")) for _ in range(2 * THREADS)]
    assert_quick(connect)
    assert len(slow) == 2 * THREADS


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
def test_a_byte_now_and_then_does_not_put_off_the_end(impatient: None, connect: Connect, sent: bytes) -> None:
    wire = connect(sent)
    over = threading.Event()

    def trickle() -> None:
        with suppress(OSError):
            while sent and not over.wait(0.1):
                wire.send(b"5")

    sender = threading.Thread(target=trickle)
    sender.start()
    began = time.monotonic()
    with suppress(ConnectionResetError):
        wire.rest()
    assert 0.5 < time.monotonic() - began < 10
    over.set()
    sender.join()


def test_clients_that_do_not_take_their_answers_are_given_up(impatient: None, connect: Connect) -> None:
    slow = [connect(2 * request("/large")) for _ in range(2 * THREADS)]
    time.sleep(3.5)
    for wire in slow:
        assert len(wire.rest()) < len(LARGE)


def test_a_client_that_takes_a_large_answer_slowly_gets_all_of_it(impatient: None, connect: Connect) -> None:
    wire = connect(request("/large"))
    received = 0
    while received < len(LARGE):
        received += len(wire.socket.recv(1_000_000))
        time.sleep(0.02)


def test_each_request_on_a_connection_has_its_own_time(impatient: None, connect: Connect) -> None:
    wire = connect()
    for _ in range(8):  # together longer than one may take, and each far shorter
        wire.send(request("/")[:-4])
        time.sleep(0.2)
        assert wire.ask(b"\r\n\r\n").body == b"here"


def test_a_clock_that_is_set_ends_no_request(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    wires = [connect(sent) for sent in UNFINISHED.values() if sent.startswith(b"GET")]
    wires.append(connect(request("/")))
    assert wires[-1].answer().body == b"here"
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 86400)
    time.sleep(1.5)  # the server looks once a second
    assert wires[0].ask(b"TP/1.1\r\nHost: 127.0.0.1\r\n\r\n").body == b"here"
    assert wires[1].ask(b"\r\n\r\n").body == b"here"
    assert wires[2].ask(request("/")).body == b"here"


def test_with_too_many_connections_new_ones_are_served_once_silent_ones_have_ended(
    few: None, impatient: None, connect: Connect
) -> None:
    silent = [connect() for _ in range(30)]
    assert connect(request("/")).answer().body == b"here"
    assert silent[0].rest() == b""


def test_what_is_under_way_is_answered_at_a_stop() -> None:
    begun = threading.Event()

    def slow(environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
        begun.set()
        time.sleep(0.5)
        return application(environ, start)

    with serving(slow, THREADS) as address:
        wire = RawConnection(address)
        wire.send(request("/"))
        assert begun.wait(10)
    assert wire.answer().body == b"here"
    wire.close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(address):
        pass
