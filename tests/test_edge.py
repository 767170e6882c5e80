"""What reaches the server malformed, in chunks, or not at all."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from planted import IDS, fill_catalogue

from health import Health
from recommender import Recommender
from storage import users
from storage.database import Database

Send = Callable[[bytes], list[tuple[int, bytes]]]
USERS = "SELECT count(*) FROM users"


@pytest.fixture
def client(serve: Callable[[Recommender, Health], httpx.Client], database: Database, ready: Health) -> httpx.Client:
    fill_catalogue(database)
    with database.statement() as db:
        users.create(db)
    return serve(Recommender(database), ready)


@pytest.fixture
def connect(client: httpx.Client) -> Iterator[Callable[[], socket.socket]]:
    with ExitStack() as stack:
        address = (client.base_url.host, client.base_url.port or 80)
        yield lambda: stack.enter_context(socket.create_connection(address, timeout=10))


@pytest.fixture
def send(connect: Callable[[], socket.socket]) -> Send:
    """Sends bytes on a connection of their own and gives the (status, body) of every answer on it."""

    def answers(data: bytes) -> list[tuple[int, bytes]]:
        connection = connect()
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
        found = []
        while received:
            head, _, rest = received.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            found.append((int(head.split()[1]), rest[:length]))
            received = rest[length:]
        return found

    return answers


def chunked(body: bytes) -> bytes:
    head = b"POST /users/1/views/%d HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head %= IDS[0]
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + body


@pytest.mark.parametrize(
    "line", [b"get / HTTP/1.1", b"GET", b"GET /%zz\xff HTTP/1.1", b"GET /#part HTTP/1.1", b"GET / HTTP/9.9"]
)
def test_a_malformed_request_line_gets_the_body_that_every_error_has(send: Send, line: bytes) -> None:
    [(status, body)] = send(line + b"\r\nHost: x\r\n\r\n")
    told = json.loads(body)
    assert status in (400, 404, 405, 505)
    assert (told["status"], told["success"]) == (status, False)


def test_a_body_in_chunks_is_read_whole_with_its_trailers(send: Send) -> None:
    body = b'5;name=value\r\n{"rat\r\nB\r\ning": 4.50}\r\n0\r\nX-Trailer: 1\r\n\r\n'
    again = b"GET /users/1/views HTTP/1.1\r\nHost: x\r\n\r\n"
    assert [status for status, _ in send(chunked(body) + again)] == [201, 200]


@pytest.mark.parametrize("body", [b"zz\r\n", b"-1\r\n", b"ffffffffffff\r\n", b"2\r\n{}XX0\r\n\r\n", b"5" * 2000])
def test_what_follows_a_malformed_chunk_is_not_taken_for_a_request(
    send: Send, client: httpx.Client, body: bytes
) -> None:
    smuggled = b"GET /users/create HTTP/1.1\r\nHost: x\r\n\r\n"
    [(status, told)] = send(chunked(body + smuggled))
    assert status == 400
    assert json.loads(told)["success"] is False
    assert client.get("/users/2/views").status_code == 404  # nobody was made


def test_a_chunk_over_the_limit_is_refused_before_it_is_read(send: Send) -> None:
    [(status, _)] = send(chunked(b"11e1a300\r\n" + b"x" * 1000))
    assert status == 413


def test_silent_connections_keep_nobody_waiting(client: httpx.Client, connect: Callable[[], socket.socket]) -> None:
    silent = [connect() for _ in range(60)]  # three times as many as there are threads
    assert client.get("/users/1/views", timeout=5).status_code == 200
    assert len(silent) == 60
