"""Where a request ends: the framing of RFC 9112 on bytes as they arrive. It does no I/O.

What two servers could read in two ways is refused rather than guessed at: a proxy before us may have guessed
differently, and the rest of one client's request would become the next client's (request smuggling).
"""

import re
from collections.abc import Generator
from dataclasses import dataclass
from http import HTTPStatus

LARGEST_BODY = 1024 * 1024
LARGEST_HEAD = 64 * 1024
LONGEST_LINE = 8 * 1024  # of the request
MOST_FIELDS = 100
LONGEST_CHUNK_LINE = 1000  # a chunk's length, or a trailer
MOST_TRAILERS = 20
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

START = re.compile(rb"[\r\n!#$%&'*+.^_`|~0-9A-Za-z-]")
HEAD_END = re.compile(rb"\r?\n\r?\n")
CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")


class RefusedError(Exception):
    """What arrives is not a request that is answered; the connection is of no use after it."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class Arrived:
    """One request, whole; `body` is as it was before it was cut in chunks."""

    head: bytes
    body: bytes


Arrival = Generator[bytes, None, Arrived]  # yields when it wants more bytes, and what to tell the client before
Wait = Generator[bytes, None, bytes]


def arrival(received: bytearray) -> Arrival:
    """Take one request off the front of `received`, to which the caller adds what comes between two steps.

    Raises `RefusedError` as soon as there is a reason to.
    """
    head = yield from _head(received)
    fields = _fields(head)
    length = _length(head, fields)
    if (b"expect", b"100-continue") in fields and length != 0 and not received:
        yield CONTINUE
    body = yield from (_chunks(received) if length is None else _exactly(received, length))
    return Arrived(head, body)


def _head(received: bytearray) -> Wait:
    searched = 0
    while not (end := HEAD_END.search(received, searched)):
        _check_head(received)
        searched = max(0, len(received) - 3)
        yield b""
    head = bytes(received[: end.end()])
    _check_head(head)
    del received[: end.end()]
    return head


def _check_head(head: bytes | bytearray) -> None:
    if head and not START.match(head):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "This is not HTTP. The service speaks it without TLS.")
    if len(head) > LONGEST_LINE and head.find(b"\n", 2, LONGEST_LINE) < 0:  # from 2: an empty line may come first
        raise RefusedError(HTTPStatus.REQUEST_URI_TOO_LONG, f"The request line is longer than {LONGEST_LINE} bytes.")
    if len(head) > LARGEST_HEAD:
        raise RefusedError(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The headers are longer than {LARGEST_HEAD} bytes."
        )


def _fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """The header fields as (name in lower case, value)."""
    if head == b"\r\n\r\n" or not head.endswith(b"\r\n\r\n"):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The lines of a request end with CR LF, and the first is not empty.")
    first, *lines = head.removeprefix(b"\r\n").split(b"\r\n")[:-2]
    if len(lines) > MOST_FIELDS:
        raise RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"There are more than {MOST_FIELDS} headers.")
    if CONTROL.search(first):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "A control character is in the request line; lines end with CR LF.")
    found = [FIELD.fullmatch(line) for line in lines]
    if None in found:
        raise RefusedError(HTTPStatus.BAD_REQUEST, 'A header is not of the form "Name: value", ended by CR LF.')
    return [(field[1].lower(), field[2].rstrip(b" \t")) for field in found if field]


def _length(head: bytes, fields: list[tuple[bytes, bytes]]) -> int | None:
    """How many bytes of body follow; None if it comes in chunks."""
    modern = head.removeprefix(b"\r\n").partition(b"\r\n")[0].endswith(b" HTTP/1.1")
    hosts, lengths, codings = (
        [value for name, value in fields if name == wanted]
        for wanted in (b"host", b"content-length", b"transfer-encoding")
    )
    if len(hosts) > 1 or (modern and not hosts):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "A request has one Host header.")
    if codings:
        _check_coding(codings, modern and not lengths)
        return None
    if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,19}", lengths[0])):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "Content-Length is one whole number.")
    length = int(lengths[0]) if lengths else 0
    if length > LARGEST_BODY:
        raise _too_large()
    return length


def _check_coding(codings: list[bytes], allowed: bool) -> None:
    if not allowed or len(codings) > 1:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "Transfer-Encoding comes once, in HTTP/1.1, and without a Content-Length."
        )
    if codings[0].lower() != b"chunked":
        raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, "The only Transfer-Encoding understood here is chunked.")


def _exactly(received: bytearray, size: int) -> Wait:
    while len(received) < size:
        yield b""
    taken = bytes(received[:size])
    del received[:size]
    return taken


def _chunks(received: bytearray) -> Wait:
    body = bytearray()
    while size := (yield from _chunk_size(received)):
        if len(body) + size > LARGEST_BODY:
            raise _too_large()
        chunk = yield from _exactly(received, size + 2)
        if not chunk.endswith(b"\r\n"):
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, "A chunk of the body does not have the length it is said to have."
            )
        body += chunk[:-2]
    yield from _skip_trailers(received)
    return bytes(body)


def _chunk_size(received: bytearray) -> Generator[bytes, None, int]:
    found = CHUNK.fullmatch((yield from _line(received)))
    if not found:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The length of a chunk of the body is not a hexadecimal number.")
    return int(found[1], 16)


def _skip_trailers(received: bytearray) -> Generator[bytes, None, None]:
    for _ in range(MOST_TRAILERS):
        if (yield from _line(received)) == b"\r\n":
            return
    raise RefusedError(HTTPStatus.BAD_REQUEST, "The body in chunks has no end.")


def _line(received: bytearray) -> Wait:
    while not (end := received.find(b"\n", 0, LONGEST_CHUNK_LINE) + 1):
        if len(received) >= LONGEST_CHUNK_LINE:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "A line of the body in chunks has no end.")
        yield b""
    return (yield from _exactly(received, end))


def _too_large() -> RefusedError:
    return RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body is at most {LARGEST_BODY} bytes long.")
