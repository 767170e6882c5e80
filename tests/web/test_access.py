"""Who is let in: by key, by the name they call us by, and not by way of another site's page."""

import logging
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Blueprint, Flask
from handmade_model import IDS, fill_catalogue, new_user
from processes import poll, service

from health import Health
from recommender import Recommender
from settings import Settings, SettingsError, load
from storage.database import Database
from web.access import guard, refuse_open_network
from web.errors import handle_errors

KEY, ADMIN_KEY = "a-key-of-callers=1", "a-key-of-the-admin"
RATING = f"/users/1/views/{IDS[0]}"
ROUTES = [
    ("GET", "/users/create"),
    ("POST", "/users/create"),
    ("GET", "/users/1/views"),
    ("HEAD", "/users/1/views"),
    ("OPTIONS", "/users/1/views"),
    ("POST", RATING),
    ("GET", "/users/1/recommendations"),
    ("POST", "/api/v1/users"),
    ("GET", "/api/v1/movies"),
    ("DELETE", "/users/create"),
    ("GET", "/nowhere"),
    ("GET", "/health/nowhere"),
]
EVIL = "https://evil.example"
Open = Callable[..., httpx.Client]


@pytest.fixture
def open_with(serve: Callable[..., httpx.Client], database: Database, ready: Health) -> Open:
    """Opens a service that has these settings, user 1 and a catalogue of movies."""
    fill_catalogue(database)
    new_user(database)
    return lambda **settings: serve(Recommender(database), ready, **settings)


def refused(answer: httpx.Response, status: int) -> bool:
    """Whether this is a refusal with that status, and the body that every error has."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    if answer.request.method != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["status"], answer.json()["success"]) == (status, False)
    return True


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# keys


PUBLIC = ["/health/live", "/health/ready", "/", "/static/matinee.css", "/docs", "/openapi/openapi.json"]


def test_with_a_key_set_every_route_but_health_and_the_pages_wants_it(open_with: Open) -> None:
    client = open_with(api_key=KEY)
    for method, path in ROUTES:
        answer = client.request(method, path)
        assert refused(answer, 401), (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert client.request(method, path, headers=bearer(KEY)).status_code != 401, (method, path)
    for path in PUBLIC:  # a browser opens a page before anyone can give it a key
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "headers",
    [bearer(KEY), {"authorization": f"bearer  {KEY}"}, {"X-API-Key": KEY}, bearer(ADMIN_KEY), {"X-API-Key": ADMIN_KEY},
     {"Authorization": "Basic eDp5", "X-API-Key": KEY}],
    ids=range(6),
)  # fmt: skip
def test_a_key_is_taken_from_either_header_and_the_admins_opens_all(open_with: Open, headers: dict[str, str]) -> None:
    client = open_with(api_key=KEY, admin_key=ADMIN_KEY)
    assert client.post(RATING, json={"rating": 4}, headers=headers).status_code == 201


def test_any_other_key_is_refused_and_changes_nothing(open_with: Open) -> None:
    client = open_with(api_key=KEY, admin_key=ADMIN_KEY)
    wrong: list[bytes] = [KEY[:-1].encode(), KEY.encode() + b"1", KEY.upper().encode(), b"x", b"\xc3\xa9\xff" * 9]
    for key in wrong:
        for headers in ({b"Authorization": b"Bearer " + key}, {b"X-API-Key": key}):
            assert refused(client.post(RATING, json={"rating": 4}, headers=headers), 401)  # type: ignore[arg-type]
    for header in (f"Basic {KEY}", f"Token {KEY}", f"Bearer{KEY}", KEY, "Bearer", ""):
        assert refused(client.get("/users/1/views", headers={"Authorization": header}), 401)
    assert client.get("/users/1/views", headers=bearer(KEY)).json() == []


def test_a_key_in_the_url_or_the_body_is_none(open_with: Open) -> None:
    client = open_with(api_key=KEY)
    for name in ("key", "api_key", "token", "access_token", "X-API-Key", "Authorization"):
        assert refused(client.get("/users/1/views", params={name: KEY}), 401)
        assert refused(client.post(RATING, data={"rating": "4", name: KEY}), 401)
        assert refused(client.get("/users/1/views", headers={"Cookie": f"{name}={KEY}"}), 401)


def test_without_a_key_set_nobody_is_asked_for_one(open_with: Open) -> None:
    client = open_with(admin_key=ADMIN_KEY)
    for headers in ({}, bearer(KEY), bearer(ADMIN_KEY)):
        assert client.get("/users/1/views", headers=headers).status_code == 200


def test_what_follows_the_body_of_a_refused_request_is_understood(open_with: Open) -> None:
    client = open_with(api_key=KEY)
    length = 200_000
    head = f"POST {RATING} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    second = "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as connection:
        connection.sendall(head.encode() + b"x" * length + second.encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"401", b"200"]


def test_keys_are_not_shown_by_settings_or_their_errors() -> None:
    settings = Settings(api_key=KEY, admin_key=ADMIN_KEY)
    assert KEY not in repr(settings)
    assert ADMIN_KEY not in repr(settings)
    for name in ("MATINEE_API_KEY", "MATINEE_ADMIN_KEY"):
        for bad in ("fifteen-letters", "with a space inside it", "clé-avec-un-accent-"):
            with pytest.raises(SettingsError, match=f"^{name}: give 16 ") as told:
                load({name: bad}, Path("/nonexistent"))
            assert bad not in str(told.value)
        assert load({name: KEY}, Path("/nonexistent")) != Settings()


# admin routes; any blueprint of that name is one


def small_app(**settings: Any) -> Flask:
    app = Flask(__name__, static_folder=None)
    for name in ("admin", "pages", "other"):
        blueprint = Blueprint(name, __name__)
        blueprint.add_url_rule(f"/{name}", name, lambda: "<!doctype html>", methods=["GET", "POST"])
        app.register_blueprint(blueprint)
    guard(app, Settings(**settings))
    handle_errors(app)
    return app


NETWORK = {"host": "0.0.0.0"}  # noqa: S104 - nothing listens there
API, ADMIN = {"api_key": KEY}, {"admin_key": ADMIN_KEY}


@pytest.mark.parametrize(
    ("settings", "no_key", "api_key", "admin_key"),
    [
        ({}, 200, 200, 200),
        (API, 401, 200, 401),
        (ADMIN, 401, 401, 200),
        (API | ADMIN, 401, 403, 200),
        (NETWORK, 403, 403, 403),
        (NETWORK | API, 401, 403, 401),
        (NETWORK | ADMIN, 401, 401, 200),
        (NETWORK | API | ADMIN, 401, 403, 200),
    ],
)
def test_an_admin_route_opens_for(settings: dict[str, str], no_key: int, api_key: int, admin_key: int) -> None:
    client = small_app(**settings).test_client()
    answers = [client.post("/admin", headers=headers) for headers in ({}, bearer(KEY), bearer(ADMIN_KEY))]
    assert [answer.status_code for answer in answers] == [no_key, api_key, admin_key]
    for answer in answers:
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
        if answer.status_code == 403:
            assert "MATINEE_ADMIN_KEY" in answer.get_json()["detail"]


def test_pages_need_no_key_and_other_routes_do() -> None:
    client = small_app(**API).test_client()
    assert client.get("/pages").status_code == 200
    assert client.get("/other").status_code == 401


# Host


OURS = ["localhost", "localhost:5430", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "127.8.9.10:80", "[::1]",
        "[::1]:5430"]  # fmt: skip
NOT_OURS = ["evil.example", "localhost.evil.example", "evil.example:5430", "127.0.0.1.evil.example", "128.0.0.1",
            "localhost:x", "a@localhost", "[::2]", "::1", "192.168.1.5", "localhost, x.example", "x", ""]  # fmt: skip


def test_on_loopback_only_our_own_names_are_answered(open_with: Open) -> None:
    client = open_with()
    for host in OURS:
        assert client.get("/users/1/views", headers={"Host": host}).status_code == 200, host
    for host in NOT_OURS:
        assert refused(client.get("/users/1/views", headers={"Host": host}), 400), host
        assert refused(client.post("/users/create", headers={"Host": host}), 400), host
    assert "MATINEE_ALLOWED_HOSTS" in client.get("/", headers={"Host": "movies.example"}).json()["detail"]
    assert client.post("/users/create").json()["user_id"] == 2  # nobody was made


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_names_can_be_added_to_ours(open_with: Open, host: str) -> None:
    client = open_with(host=host, allowed_hosts="movies.example,[fd00::5]", rate_limit="off")
    for name in [*OURS, "movies.example", "Movies.Example:443", "[fd00::5]:5430"]:
        assert client.get("/users/1/views", headers={"Host": name}).status_code == 200, name
    for name in [*NOT_OURS, "moviesxexample", "x.movies.example", "movies.example.evil.example"]:
        assert refused(client.get("/users/1/views", headers={"Host": name}), 400), name


def test_on_a_network_any_name_will_do_unless_some_are_set(open_with: Open) -> None:
    client = open_with(**NETWORK)
    assert client.get("/users/1/views", headers={"Host": "movies.example"}).status_code == 200


def test_names_are_read_from_the_settings() -> None:
    read = load({"MATINEE_ALLOWED_HOSTS": "Movies.Example, 192.168.1.5 ,[fd00::5]"}, Path("/nonexistent"))
    assert read.allowed_hosts == "movies.example,192.168.1.5,[fd00::5]"
    for bad in ("movies.example:80", "https://movies.example", "*", "a,,b", "fd00::5"):
        with pytest.raises(SettingsError, match="MATINEE_ALLOWED_HOSTS"):
            load({"MATINEE_ALLOWED_HOSTS": bad}, Path("/nonexistent"))


# other sites


WRITES = [("GET", "/users/create"), ("POST", "/users/create"), ("POST", RATING), ("PUT", "/x"), ("PATCH", "/x"),
          ("DELETE", "/x")]  # fmt: skip
FOREIGN: list[dict[str, str]] = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://["},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "anything"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]
OWN: list[dict[str, str]] = [
    {},
    {"Origin": "http://localhost"},
    {"Origin": "https://localhost"},  # behind a proxy that speaks TLS
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},  # typed by a person
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://movies.example"},  # behind one that changes Host
]


def test_another_sites_page_changes_nothing(open_with: Open) -> None:
    client = open_with()
    client.headers["Host"] = "localhost"
    for method, path in WRITES:
        for headers in FOREIGN:
            assert refused(client.request(method, path, headers=headers), 403), (method, path, headers)
    assert client.get("/users/1/views").json() == []
    assert client.post("/users/create").json()["user_id"] == 2


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Accept-Language": "en"}
PICTURE = BROWSER | {"Accept": "image/avif,image/webp,*/*;q=0.8"}
PAGE = BROWSER | {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [  # what browsers send to plain HTTP on a network: neither Sec-Fetch-Site nor, with a GET, Origin
        (PICTURE | {"Referer": "http://evil.example/"}, 403),
        (PICTURE | {"Referer": "http://localhost.evil.example/localhost/"}, 403),
        (PICTURE | {"Referer": "http://localhost:1/"}, 403),
        (PICTURE, 403),  # <img referrerpolicy="no-referrer">
        (BROWSER | {"Accept": "*/*"}, 403),  # a script of a page that sends no Referer
        (PAGE | {"Referer": "http://evil.example/"}, 403),
        (PAGE | {"Referer": "http://localhost/docs"}, 200),
        (PAGE, 200),  # typed into the address bar
        ({"User-Agent": "Mozilla/5.0 (Windows NT 10.0) WindowsPowerShell/5.1"}, 200),
    ],
)
def test_another_sites_picture_makes_no_user(open_with: Open, headers: dict[str, str], status: int) -> None:
    client = open_with()
    client.headers = httpx.Headers({"Host": "localhost"})
    assert client.get("/users/create", headers=headers).status_code == status
    assert client.post("/users/create").json()["user_id"] == (2 if status == 403 else 3)


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
)
def test_a_form_that_another_site_sends_is_refused(open_with: Open, content_type: str) -> None:
    client = open_with()
    for headers in ({"Origin": EVIL}, {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}):
        sent = client.post(RATING, content=b"rating=4", headers=headers | {"Content-Type": content_type})
        assert refused(sent, 403)
    assert client.get("/users/1/views").json() == []


def test_our_own_page_and_whoever_is_no_browser_can_write(open_with: Open) -> None:
    client = open_with()
    for headers in OWN:
        sent = client.post(RATING, json={"rating": 4}, headers=headers | {"Host": "localhost"})
        assert sent.status_code in (200, 201), headers
        assert client.get("/users/create", headers=headers | {"Host": "localhost"}).status_code == 200


def test_another_site_can_read_nothing_either(open_with: Open) -> None:
    client = open_with()
    asked = {"Origin": EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for method, path in [("GET", "/users/1/views"), ("OPTIONS", RATING), ("POST", RATING), ("GET", "/nowhere")]:
        answer = client.request(method, path, headers=asked)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


# headers


def test_every_answer_says_that_its_type_is_not_to_be_guessed(open_with: Open) -> None:
    client = open_with(api_key=KEY, rate_limit="100/day")
    for method, path in ROUTES:
        for headers in ({}, bearer(KEY), {"Host": "x"}):
            answer = client.request(method, path, headers=headers)
            assert answer.headers["x-content-type-options"] == "nosniff", (method, path, headers)


def test_a_page_runs_only_scripts_of_ours_and_is_framed_by_nobody() -> None:
    headers = small_app().test_client().get("/pages").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert {name for name, value in policy.items() if value == "'none'"} == {
        "default-src", "base-uri", "form-action", "frame-ancestors"
    }  # fmt: skip
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["font-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"


# the start


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "movies.example", "0", "127.1", "128.0.0.1"])  # noqa: S104
def test_a_network_address_wants_a_key_or_a_word(host: str) -> None:
    for settings in (Settings(host=host), Settings(host=host, admin_key=ADMIN_KEY)):
        with pytest.raises(SettingsError, match=r"MATINEE_HOST.*MATINEE_API_KEY.*MATINEE_ALLOW_OPEN=1"):
            refuse_open_network(settings)
    refuse_open_network(Settings(host=host, api_key=KEY))
    refuse_open_network(Settings(host=host, allow_open=1))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "Localhost"])
def test_loopback_wants_neither(host: str) -> None:
    refuse_open_network(Settings(host=host))


NO_DATABASE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_service_refuses_to_be_open_before_it_starts_anything(tmp_path: Path) -> None:
    with service(tmp_path / "state", MATINEE_HOST="0.0.0.0") as refusing:  # noqa: S104
        assert refusing.process.wait(timeout=60) == 2
        assert "MATINEE_API_KEY" in refusing.log_text()
        assert "MATINEE_ALLOW_OPEN=1" in refusing.log_text()
        assert not (tmp_path / "state").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_service_on_a_network_asks_for_its_key_and_does_not_log_it(tmp_path: Path) -> None:
    with service(
        tmp_path / "state", MATINEE_HOST="0.0.0.0", MATINEE_API_KEY=KEY, MATINEE_LOG_LEVEL="DEBUG", **NO_DATABASE  # noqa: S104
    ) as running:  # fmt: skip
        poll(running.lives, what="an answer")
        assert refused(running.http.get("/users/1/views"), 401)
        assert refused(running.http.get("/users/1/views", headers=bearer(KEY + "-mistyped")), 401)
        assert refused(running.http.get("/users/1/views", headers=bearer(KEY)), 503)  # there is no database
        assert "/users/<user_id>/views" in running.log_text()
        assert KEY not in running.log_text()


def test_a_refusal_does_not_log_the_key(open_with: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = open_with(api_key=KEY)
    for headers in (bearer(KEY), {"X-API-Key": KEY}, bearer(ADMIN_KEY)):
        client.get("/users/1/views", headers=headers)
    assert KEY not in caplog.text
    assert ADMIN_KEY not in caplog.text
