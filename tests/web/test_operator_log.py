"""The log says what operators change, what was before, and with which key; it has no secret and no title."""

import logging
from typing import Any

import pytest
from handmade_model import IDS, new_user, store_generation, two_tastes

from app import create_app
from health import Health
from recommender import Recommender
from settings import Settings

ADMIN_KEY, API_KEY = "a-key-of-the-admin", "a-key-of-callers=1"
MOVIE = {"title": "Okapi", "year": 2024}


def changes(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "web.access"]
    caplog.clear()
    return found


def send(live: Recommender, ready: Health, key: str, method: str, path: str, **settings: Any) -> int:
    """Send a request with a key to an application with these settings, and return the status."""
    body = settings.pop("json", None)
    client = create_app(live, ready, Settings(**settings)).test_client()
    headers = {"X-API-Key": key} if key else {}
    return client.open(f"/api/v1{path}", method=method, json=body, headers=headers).status_code


def test_each_change_is_logged_with_what_was_before(
    live: Recommender, ready: Health, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert live.model.live
    before, newer = live.model.live.id, store_generation(live.database, two_tastes(seed=1))
    user = new_user(live.database, {IDS[0]: 5.0})
    experiment = {"name": "fewer", "arms": ["today", "neighbour_weight=0.8"]}
    requests: list[tuple[str, str, Any, int, list[str]]] = [
        ("POST", f"/generations/{newer}/activate", None, 200,
         [f"generation {newer} is live and held, instead of {before}"]),
        ("DELETE", "/generations/live/hold", None, 204, [f"generation {newer} is no longer held"]),
        ("DELETE", "/generations/live/hold", None, 204, []),
        ("PUT", f"/movies/{IDS[1]}", MOVIE, 200, [f"movie {IDS[1]} is replaced"]),
        ("POST", "/movies", MOVIE, 201, ["movie 1000000000 is added"]),
        ("POST", "/movies/batch", {"movies": [MOVIE, MOVIE]}, 200, ["movies added: 2; replaced: 0"]),
        ("DELETE", f"/movies/{IDS[1]}", None, 204, [f"movie {IDS[1]} is withdrawn"]),
        ("DELETE", f"/movies/{IDS[1]}", None, 204, []),
        ("POST", "/experiments", experiment, 202, ["experiment fewer is judged first"]),
        ("DELETE", "/experiments/fewer", None, 204, ["experiment fewer has ended"]),
        ("DELETE", "/experiments/fewer", None, 204, []),
        ("POST", "/experiments", experiment | {"name": "newer", "arms": ["today", f"G{newer}"]}, 201,
         [f"experiment newer runs with 20 % of the users: today, G{newer}"]),
        ("DELETE", f"/users/{user}", None, 204,
         [f"user {user} is erased: 1 view, 0 places in lists, 0 predictions"]),
    ]  # fmt: skip
    for method, path, body, status, told in requests:
        found = send(live, ready, ADMIN_KEY, method, path, json=body, admin_key=ADMIN_KEY, api_key=API_KEY)
        assert found == status, (method, path)
        assert ADMIN_KEY not in caplog.text
        assert "Okapi" not in caplog.text
        assert changes(caplog) == [f"{line}, by the admin key" for line in told]


def test_the_log_names_whose_key_it_was(live: Recommender, ready: Health, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    keys = {"admin_key": ADMIN_KEY, "api_key": API_KEY}
    for key, settings, told in (
        (API_KEY, keys, "the API key"),
        ("", {}, "no key, on loopback"),
        ("", {"host": "0.0.0.0", "allow_open": 1}, "no key"),  # noqa: S104 - nothing listens
    ):
        assert send(live, ready, key, "DELETE", f"/users/{new_user(live.database)}", **settings) == 204
        (line,) = changes(caplog)
        assert line.endswith(f", by {told}")


def test_a_user_who_leaves_with_a_token_is_logged(
    live: Recommender, ready: Health, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = create_app(live, ready, Settings(user_tokens=1)).test_client()
    user = client.post("/api/v1/users").get_json()
    headers = {"Authorization": f"Bearer {user['token']}"}
    assert client.delete(f"/api/v1/users/{user['user_id']}", headers=headers).status_code == 204
    assert user["token"] not in caplog.text
    (line,) = changes(caplog)
    assert line.endswith(", by the user's token")
