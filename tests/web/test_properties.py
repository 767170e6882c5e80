"""Whatever is sent to whichever route: a documented answer, the one error body, nothing changed by what was refused.

The routes are those that the application has, so a new one is covered as soon as it is there.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from conftest import EMPTY_ALL
from handmade_model import IDS, fill_catalogue, new_user, publish, two_tastes
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_http import Address, RawConnection, RawResponse, request, serving
from sqlalchemy import text

from app import create_app
from health import COMPONENTS, Health
from recommender import Recommender
from settings import Settings
from storage.database import Database

EXAMPLES = settings(max_examples=50, derandomize=True, database=None, deadline=None, print_blob=True)
NOWHERE = Database("postgresql://nobody@127.0.0.1/nothing", threads=1)  # never connected to: only its routes are wanted
RULES: dict[str, list[str]] = {}  # each path with the methods that are meant for it
for rule in create_app(Recommender(NOWHERE), Health(), Settings()).url_map.iter_rules():
    RULES.setdefault(rule.rule, []).extend(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))

ANYWHERE = {200, 204, 400, 403, 404, 405, 413, 414, 415, 431}
DOCUMENTED = {  # the longest prefix counts
    "/": ANYWHERE | {206, 304, 308, 416},
    "/users/": ANYWHERE | {201},
    "/api/v1/": ANYWHERE | {201, 202, 304, 409, 412, 428},
}
PAGES = ("/docs", "/static/", "/metrics")  # and "/" itself: what is not JSON
ONLY_READ = ("GET", "HEAD", "OPTIONS")
USERS = range(1, 31)


class Service:
    """A service with users who have rated movies, and a generation; reached over one connection while it lasts."""

    def __init__(self, database: Database, address: Address) -> None:
        self._database = database
        self._address = address
        self._wire: RawConnection | None = None
        self._sums: list[Any] = []
        self.has_changed()

    def ask(self, data: bytes, method: str) -> RawResponse:
        """The answer, after which the connection must be of use still, or be closed as the answer says."""
        wire = self._wire = self._wire or RawConnection(self._address)
        answer = wire.ask(data, method)
        if answer.closes:
            wire.close()
            self._wire = None
        else:
            good = wire.ask(request("/users/0/views"))
            assert good.problem["status"] == 404
        return answer

    def has_changed(self) -> bool:
        """Whether any user or view has, since this was asked last."""
        sums = [f"SELECT sum(hashtextextended({name}::text, 0)) FROM {name}" for name in ("users", "views")]  # noqa: S608
        with self._database.statement() as db:
            before, self._sums = self._sums, [db.scalar(text(query)) for query in sums]
        return before != self._sums

    def close(self) -> None:
        if self._wire:
            self._wire.close()


@pytest.fixture(scope="module")
def service(migrated: Database) -> Iterator[Service]:
    with migrated.transaction() as db:
        db.execute(text(EMPTY_ALL))
    fill_catalogue(migrated)
    for user in USERS:
        new_user(migrated, {IDS[user]: 4.5, IDS[0]: 0.5})
    recommender, health = Recommender(migrated), Health()
    publish(recommender, two_tastes())
    for part in COMPONENTS:
        health.report(part, "ready")
    with serving(create_app(recommender, health, Settings())) as address:
        service = Service(migrated, address)
        yield service
        service.close()


# What is sent


@st.composite
def mostly(draw: st.DrawFn, good: st.SearchStrategy[Any], wild: st.SearchStrategy[Any]) -> Any:
    """What gets past the first check three times in four, so that the next ones see something too."""
    return draw(wild if draw(st.integers(0, 3)) == 3 else good)


AT_THE_EDGES = [0, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63, 10**100]
ODD = ["%", "%zz", "%00", "%2F", "%2e%2e", "%C3%28", "%ff", "%ED%A0%80", "1%00", "%D9%A1", "+1", "%201", "1e3", "1.0",
       "0x1", "01", "1_0", "null", "NaN", "true", "create", "", "'", "1;--", "%25", "a" * 300, "9" * 5000]  # fmt: skip
WILD = st.one_of(
    st.sampled_from([*map(str, AT_THE_EDGES), *ODD]),
    st.integers(-(2**33), 2**33).map(str),
    st.text(max_size=9).map(lambda text: quote(text, safe="", errors="surrogatepass")),
    st.binary(max_size=9).map(lambda data: quote_from_bytes(data, safe="")),
)
GOOD = {"user_id": st.sampled_from(USERS).map(str), "movie_id": st.sampled_from(IDS).map(str)}
NAMES = ["limit", "offset", "cursor", "genre", "year_from", "year_to", "min_ratings", "movie_id", "q", "sort", "rating"]

ODD_VALUES = [0, 5.5, -1, 4.25, "4.5", True, None, float("nan"), float("inf"), [], {}, [4.5], "\ud800", "\0"]
VALUES = st.sampled_from(ODD_VALUES) | st.floats() | st.integers() | st.text(max_size=3)
JSONISH = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
RATINGS = mostly(st.sampled_from([0.5, 4.5, 5]), JSONISH)
MOVIE_IDS = mostly(st.sampled_from(IDS), st.sampled_from(AT_THE_EDGES) | JSONISH)
ROWS = st.lists(st.fixed_dictionaries({"movie_id": MOVIE_IDS, "rating": RATINGS}), max_size=3)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries({"rating": RATINGS}),
    st.fixed_dictionaries({"ratings": mostly(ROWS, JSONISH)}),
    st.fixed_dictionaries({}, optional={"rating": RATINGS, "ratings": ROWS, "limit": MOVIE_IDS, "genre": JSONISH}),
    JSONISH,
).map(lambda document: json.dumps(document).encode())  # with NaN and Infinity, which JSON does not have
JSON, MULTIPART = "application/json", "multipart/form-data; boundary=x"
BROKEN = [
    b"", b"{", b'{"rating": 4.5', b"{'rating': 4.5}", b'{"rating": 1e309}', b'{"rating": 4.5}\xff', b"\xef\xbb\xbf{}",
    b'{"rating": ' + b"9" * 5000 + b"}", b"[" * 100_000, b'{"a":' * 50_000, b'{"ratings": ' + b"[" * 90_000,
    b'{"rating": "\\ud800"}', b'{"\\u0000": 1}', b'{"rating": 4.5, "rating": 1}', b"rating=4.5", b"rating=nan",
    b"rating=%ff&rating=1", b'--x\r\nContent-Disposition: form-data; name="rating"\r\n\r\n4.25\r\n--x--\r\n',
    b'{"ratings": [' + b'{"movie_id": 25900, "rating": 1},' * 1001 + b"]}", b" " * 900_000,
]  # fmt: skip
# by their places, or Hypothesis would print a megabyte with each failure
BODIES = DOCUMENTS | st.integers(0, len(BROKEN) - 1).map(lambda place: BROKEN[place]) | st.binary(max_size=20)
TYPES = [
    "", "text/plain", "application/x-www-form-urlencoded", MULTIPART, "multipart/form-data", "nonsense",
    "APPLICATION/JSON", "application/json; charset=utf-16", "application/problem+json", "text/html; charset=\xff",
]  # fmt: skip
FIELDS = [
    "If-None-Match: *", 'If-None-Match: W/"x', "If-Modified-Since: never", "Range: bytes=0-1", "Range: bytes=9-1",
    "Accept: nothing/at-all", "Accept-Encoding: br", "Content-Encoding: gzip", "X-HTTP-Method-Override: DELETE",
    "Cookie: a=b; =", "Authorization: Basic !", "Authorization: Bearer \xff", "X-Request-ID: \xe9<script>",
    "Origin: https://elsewhere.example", "Sec-Fetch-Site: cross-site", "Expect: nothing",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "GET,POST"]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    data: bytes

    def __repr__(self) -> str:
        return f"{self.data[:500]!r}{f' and {len(self.data) - 500} bytes more' if len(self.data) > 500 else ''}"


@st.composite
def targets(draw: st.DrawFn, rule: str) -> str:
    """The path of a rule, with its variables filled in rightly or wildly, and perhaps a query."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda variable: draw(mostly(GOOD.get(variable[1], WILD), WILD)), rule)
    value = mostly(st.integers(0, 50).map(str), WILD)
    query = draw(st.lists(st.tuples(mostly(st.sampled_from(NAMES), WILD), value), max_size=2))
    return path + ("?" if query else "") + "&".join(f"{name}={value}" for name, value in query)


@st.composite
def calls(draw: st.DrawFn, rule: str) -> Call:
    method = draw(mostly(st.sampled_from(sorted(RULES[rule])), st.sampled_from(METHODS)))
    target = draw(targets(rule))
    body = draw(mostly(st.just(b""), BODIES) if method in ONLY_READ else BODIES)
    fields = draw(st.lists(st.sampled_from(FIELDS), max_size=1))
    fields += draw(mostly(st.just(JSON), st.sampled_from(TYPES)).map(lambda kind: [f"Content-Type: {kind}"]))
    data = request(target, *fields, f"Content-Length: {len(body)}", method=method, body=body)
    return Call(method, target.partition("?")[0], data)


# What must hold of every answer


def assert_documented(answer: RawResponse, method: str, path: str) -> None:
    prefix = max((prefix for prefix in DOCUMENTED if path.startswith(prefix)), key=len)
    assert answer.status in DOCUMENTED[prefix], answer.body
    if method == "HEAD" or answer.status in (204, 304):
        assert answer.body == b""
    elif answer.status >= 400:
        assert_told(answer)
    elif path != "/" and not path.startswith(PAGES):
        assert answer.headers["content-type"] == "application/json"
        json.loads(answer.body)
    if answer.status in (204, 405):
        assert method in ("DELETE", "OPTIONS") or answer.headers["allow"]
        assert answer.headers["content-type"] in (None, "application/problem+json")


def assert_told(answer: RawResponse) -> None:
    told = answer.problem
    for fault in told.get("errors", []):
        assert set(fault) == {"where", "message"}
        assert fault["message"]
    assert len(answer.body) < 300_000


@pytest.mark.parametrize("rule", RULES)
def test_a_route_takes_whatever_it_is_sent(rule: str, service: Service) -> None:
    @EXAMPLES
    @given(calls(rule))
    def holds(call: Call) -> None:
        answer = service.ask(call.data, call.method)
        changed = service.has_changed()
        assert_documented(answer, call.method, call.path)
        if answer.status >= 400 or (call.method in ONLY_READ and call.path != "/users/create"):
            assert not changed

    holds()


WRITES = [(method, rule) for rule, methods in RULES.items() for method in methods if method in ("POST", "PUT", "PATCH")]


@pytest.mark.parametrize(("method", "rule"), WRITES)
def test_a_route_takes_every_broken_body(method: str, rule: str, service: Service) -> None:
    path = re.sub(r"<(\w+)>", lambda variable: {"user_id": "7", "movie_id": str(IDS[7])}.get(variable[1], "1"), rule)
    for body in BROKEN:
        for kind in (JSON, TYPES[2], MULTIPART):
            fields = f"Content-Type: {kind}", f"Content-Length: {len(body)}"
            assert_documented(service.ask(request(path, *fields, method=method, body=body), method), method, path)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
def test_a_path_of_nobody_is_not_found(method: str, service: Service) -> None:
    @EXAMPLES
    @given(st.lists(WILD, max_size=5))
    def holds(segments: list[str]) -> None:
        path = "/nothing/" + "/".join(segments)
        answer = service.ask(request(path, method=method), method)
        assert answer.status == (400 if "#" in path else 404)
        assert_told(answer)

    holds()
