"""Behind a reverse proxy: under a path prefix, with the client that the proxy reports; in front is a real nginx."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from browser import BrowserSession, chromium, give, movies_to_rate, next_movies, strategy
from handmade_model import IDS, new_user
from playwright.sync_api import expect
from processes import poll

from health import Health
from recommender import Recommender
from settings import Settings, SettingsError, load

Serve = Callable[..., httpx.Client]
PREFIX = "/matinee"
BEHIND = {"url_prefix": PREFIX, "trusted_proxies": "127.0.0.1", "allowed_hosts": "movies.example"}
CONFIGURATION = """
daemon off; pid {folder}/nginx.pid; error_log stderr; events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /matinee/ {{
      proxy_pass {upstream};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""
needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="there is no nginx: install it (Debian: apt-get install nginx-light)"
)


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[httpx.Client]:
    """A client of an nginx that passes /matinee/ on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port, upstream=upstream))
    process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.PIPE)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}{PREFIX}/", timeout=20) as client:
            poll(lambda: answers(port), what="nginx")
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=["", "/"], ids=["prefix passed on", "prefix stripped"])
def proxied(
    request: pytest.FixtureRequest, live: Recommender, serve: Serve, ready: Health, tmp_path: Path
) -> Iterator[httpx.Client]:
    upstream = serve(live, ready, **BEHIND)
    with nginx(tmp_path, f"{str(upstream.base_url).rstrip('/')}{request.param}") as client:
        yield client


@needs_nginx
def test_everything_stays_under_the_prefix(proxied: httpx.Client) -> None:
    created = proxied.post("api/v1/users")
    assert (created.status_code, created.headers["location"]) == (201, f"{PREFIX}/api/v1/users/1")
    assert httpx.get(f"{proxied.base_url.copy_with(path='/')}{created.headers['location'][1:]}").status_code == 200
    assert proxied.post("api/v1/users/1/ratings", json={"ratings": []}).status_code == 400
    assert proxied.get("users/create").json() == {"success": True, "user_id": 2}
    assert proxied.post(f"users/1/views/{IDS[0]}", json={"rating": 4.5}).status_code == 201
    assert len(proxied.get("users/1/recommendations").json()) == 10
    assert proxied.get("openapi/openapi.json").json()["servers"] == [{"url": PREFIX}]
    assert proxied.get("docs/").headers["location"] == f"{PREFIX}/docs"
    for path in ("", "static/matinee.css", "docs", "docs/start.js", "health/ready", "metrics"):
        assert proxied.get(path).status_code == 200, path
    unknown = proxied.get("users/99/views")
    assert unknown.json()["detail"] == f"There is no user 99. POST {PREFIX}/users/create creates one."
    mistyped = proxied.get("movies/one", headers={"Accept": "text/html"})
    assert mistyped.status_code == 404
    assert f'href="{PREFIX}/"' in mistyped.text


@needs_nginx
@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
def test_the_page_and_the_documentation_work_under_the_prefix(proxied: httpx.Client, visits: BrowserSession) -> None:
    page = visits.open(str(proxied.base_url))
    expect(next_movies(page)).to_have_count(10)
    give(movies_to_rate(page).first, 5)
    expect(strategy(page)).to_contain_text("From your 1 rating")
    page.goto(f"{proxied.base_url}#/engine")
    expect(page.get_by_role("region", name="Parts")).to_contain_text("ready")
    page.get_by_role("link", name="The API").click()
    expect(page.locator("#operations-users-create_user")).to_be_visible()
    expect(page.locator(".servers option").first).to_have_text(PREFIX)
    assert all(address.split("/", 3)[3].startswith("matinee/") for address in visits.asked if "data:" not in address)


def test_without_a_slash_the_prefix_leads_to_the_page(live: Recommender, serve: Serve, ready: Health) -> None:
    client = serve(live, ready, url_prefix=PREFIX)
    answer = client.get(PREFIX)
    assert answer.status_code == 308
    assert answer.headers["location"].endswith(f"{PREFIX}/")
    assert client.get("/health/live").status_code == 200  # a health check that goes past the proxy


def test_limits_count_the_client_that_a_trusted_proxy_reports(live: Recommender, serve: Serve, ready: Health) -> None:
    new_user(live.database)
    for trusted, expected in (("127.0.0.1", [200, 429, 200]), ("10.0.0.0/8", [200, 429, 429])):
        client = serve(live, ready, rate_limit="1/day", trusted_proxies=trusted)
        clients = ("1.1.1.1, 192.0.2.1", "2.2.2.2, 192.0.2.1", "192.0.2.2")  # the last is the proxy's own word
        sent = [client.get("/users/1/views", headers={"X-Forwarded-For": address}) for address in clients]
        assert [answer.status_code for answer in sent] == expected


def test_clients_of_a_proxy_on_this_machine_are_not_local(live: Recommender, serve: Serve, ready: Health) -> None:
    ready.report("trainer", "failed", "connection to 10.0.0.5 refused")
    client = serve(live, ready, trusted_proxies="127.0.0.1,::1")
    far, near = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "127.0.0.1"}
    assert client.post("/api/v1/retrain", headers=far).status_code == 403
    assert client.post("/api/v1/retrain", headers=near).status_code == 202
    assert "10.0.0.5" not in client.get("/health/ready", headers=far).text
    assert "10.0.0.5" in client.get("/health/ready", headers=near).text
    assert client.get("/", headers={"X-Forwarded-Host": "evil.example"}).status_code == 200


@pytest.mark.parametrize("bad", ["matinee", "/matinee//x", "/a b", "/é", "/a?b", "http://x/y"])
def test_a_prefix_is_a_path(bad: str) -> None:
    with pytest.raises(SettingsError, match=r"MATINEE_URL_PREFIX.*like /matinee"):
        load({"MATINEE_URL_PREFIX": bad}, Path("/nonexistent"))


def test_prefix_and_proxies_are_read_as_they_are_used() -> None:
    read = load(
        {"MATINEE_URL_PREFIX": "/a/matinee/", "MATINEE_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8,::1"}, Path("/none")
    )
    assert (read.url_prefix, read.trusted_proxies) == ("/a/matinee", "127.0.0.1/32,10.0.0.0/8,::1/128")
    assert load({"MATINEE_URL_PREFIX": "/"}, Path("/none")) == Settings()
    with pytest.raises(SettingsError, match="MATINEE_TRUSTED_PROXIES"):
        load({"MATINEE_TRUSTED_PROXIES": "proxy.example"}, Path("/none"))
