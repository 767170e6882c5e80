"""How often one client may ask, and what it is told when that was too often."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest
from werkzeug.exceptions import TooManyRequests

from health import Health
from recommender import Recommender
from settings import Settings, SettingsError, load
from storage.database import Database
from web.rate_limits import RateLimit, client_network, rate_limit

KEY, ADMIN_KEY = "a-key-of-callers-1", "a-key-of-the-admin"
Serve = Callable[..., httpx.Client]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that limits are counted by; tests set its only item."""
    now = [1_800_000_000.25]
    monkeypatch.setattr("time.time", lambda: now[0])
    return now


def statuses(client: httpx.Client, count: int, key: str = "") -> list[int]:
    headers = {"X-API-Key": key} if key else {}
    return [client.get("/users/x/views", headers=headers).status_code for _ in range(count)]


def test_one_request_too_many_is_told_when_to_come_back(serve: Serve, database: Database, ready: Health) -> None:
    client = serve(Recommender(database), ready, rate_limit="3/day")
    assert statuses(client, 3) == [400, 400, 400]  # x is no user; what matters is that it was answered
    for method, path in [("GET", "/users/1/views"), ("POST", "/users/create"), ("GET", "/nowhere")]:
        answer = client.request(method, path, content=b"x" * 9999)
        assert answer.status_code == 429
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["success"] is False
        assert 1 <= int(answer.headers["retry-after"]) <= 86400
    assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200


def test_each_key_has_its_count_and_guessing_one_is_counted_too(
    serve: Serve, database: Database, ready: Health
) -> None:
    client = serve(Recommender(database), ready, rate_limit="3/day", api_key=KEY, admin_key=ADMIN_KEY)
    guesses = [status for n in range(4) for status in statuses(client, 1, f"{KEY}{n}")]
    assert guesses == [401, 401, 401, 429]
    assert statuses(client, 4, KEY) == [400, 400, 400, 429]
    assert statuses(client, 4, ADMIN_KEY) == [400, 400, 400, 429]


def test_a_request_by_a_wrong_name_is_refused_before_it_is_counted(
    serve: Serve, database: Database, ready: Health
) -> None:
    client = serve(Recommender(database), ready, rate_limit="1/day", api_key=KEY)
    for _ in range(3):
        assert client.get("/users/x/views", headers={"Host": "evil.example"}).status_code == 400
    assert statuses(client, 2) == [401, 429]


def count_until_refused(limit: RateLimit) -> int:
    """Use up what a client has, and give the seconds it is then told to wait."""
    with pytest.raises(TooManyRequests) as told:  # noqa: PT012 - which of them is refused is not known
        while True:
            limit.count("somebody")
    assert isinstance(told.value.retry_after, int)
    return told.value.retry_after


@pytest.mark.parametrize("rate", ["1/second", "7/second", "10/minute", "600/minute", "3/hour", "1/day"])
def test_whoever_waits_as_long_as_told_is_let_in(rate: str, clock: list[float]) -> None:
    limit = RateLimit(rate)
    for _ in range(5):
        wait = count_until_refused(limit)
        assert wait >= 1
        clock[0] += wait + 0.001
        limit.count("somebody")


@pytest.mark.parametrize("begin", [0.0, 0.5, 0.99])
def test_no_more_than_allowed_pass_wherever_a_window_begins(begin: float, clock: list[float]) -> None:
    clock[0] = 1_800_000_000 + 60 * begin
    limit, passed = RateLimit("20/minute"), 0
    for _ in range(100):
        try:
            limit.count("somebody")
            passed += 1
        except TooManyRequests:
            continue
    assert passed == 20


def test_one_client_does_not_use_up_what_another_has(clock: list[float]) -> None:
    limit = RateLimit("1/minute")
    limit.count("192.0.2.1")
    limit.count("192.0.2.2")
    with pytest.raises(TooManyRequests):
        limit.count("192.0.2.1")


def test_requests_of_one_moment_are_all_counted() -> None:
    limit, together, before = RateLimit("400/day"), Barrier(8), sys.getswitchinterval()

    def count() -> None:
        for _ in range(50):
            together.wait(10)
            time.sleep(0.012)  # by then the library's timer has ended, and the next request starts another
            limit.count("somebody")

    sys.setswitchinterval(1e-6)  # so that threads meet inside the library
    try:
        with ThreadPoolExecutor(8) as clients:
            for client in [clients.submit(count) for _ in range(8)]:
                client.result()
    finally:
        sys.setswitchinterval(before)
    with pytest.raises(TooManyRequests):
        limit.count("somebody")


def test_there_is_no_limit_on_loopback_and_one_elsewhere_unless_set() -> None:
    network = "0.0.0.0"  # noqa: S104 - nothing listens there
    assert rate_limit(Settings()) is None
    assert rate_limit(Settings(host=network, rate_limit="off")) is None
    assert isinstance(rate_limit(Settings(host=network)), RateLimit)
    assert isinstance(rate_limit(Settings(rate_limit="600/minute")), RateLimit)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("", ""),
    ],
)
def test_a_client_is_its_address_or_the_network_it_can_choose_one_from(address: str, network: str) -> None:
    assert client_network(address) == network


@pytest.mark.parametrize("bad", ["0/minute", "600", "600/fortnight", "-1/second", "600 per minute", "1e3/minute", "on"])
def test_a_rate_that_makes_no_sense_is_refused(bad: str) -> None:
    with pytest.raises(SettingsError, match=f"^MATINEE_RATE_LIMIT='{bad}': give a number of requests"):
        load({"MATINEE_RATE_LIMIT": bad}, Path("/nonexistent"))


@pytest.mark.parametrize("good", ["off", "600/minute", "1/second", "999999999/day"])
def test_a_rate_is_taken_as_written(good: str) -> None:
    assert load({"MATINEE_RATE_LIMIT": good}, Path("/nonexistent")).rate_limit == good
    rate_limit(Settings(rate_limit=good))
