"""What the process says of itself, over HTTP and for each state of its parts."""

from collections.abc import Callable
from datetime import datetime

import httpx
import pytest
from handmade_model import fill_catalogue, flip, new_user, publish, store_generation, two_tastes

from health import COMPONENTS, Health
from jobs.refresh import refresh
from recommender import Recommender
from storage import generations
from storage.database import Database

Serve = Callable[[Recommender, Health], httpx.Client]
KEY, ADMIN_KEY = "a-key-of-callers-1", "a-key-of-the-admin"
AWAY = "postgresql://nobody:secret@127.0.0.1:1/nothing"


def test_both_routes_have_the_documented_shape(database: Database, serve: Serve, ready: Health) -> None:
    client = serve(Recommender(database), ready)
    for path in ("/health/live", "/health/ready"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert set(body) == {"status", "parts"}
        assert body["status"] == "ready"
        assert tuple(body["parts"]) == COMPONENTS
        for name, part in body["parts"].items():
            assert set(part) == {"state", "since", "reason"} | ({"id"} if name == "generation" else set())
            assert datetime.fromisoformat(part["since"]).tzinfo is not None


def test_a_process_that_has_just_started_lives_and_is_not_ready(database: Database, serve: Serve) -> None:
    client = serve(Recommender(database), Health())
    assert client.get("/health/live").status_code == 200
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert {part["state"] for part in answer.json()["parts"].values()} == {"starting"}
    assert all(part["reason"] for part in answer.json()["parts"].values())


@pytest.mark.parametrize(
    ("part", "state", "status"),
    [
        ("generation", "missing", 200),  # popular movies are recommended
        ("generation", "failed", 200),  # the one before is served, or popular movies
        ("generation", "starting", 503),
        ("catalogue", "starting", 503),
        ("catalogue", "failed", 503),
        ("trainer", "starting", 200),
        ("trainer", "running", 200),
        ("trainer", "failed", 200),
        ("trainer", "off", 200),
    ],
)
def test_ready_means_that_recommendations_can_be_answered(
    part: str, state: str, status: int, database: Database, serve: Serve, ready: Health
) -> None:
    ready.report(part, state, "a reason")  # type: ignore[arg-type]
    answer = serve(Recommender(database), ready).get("/health/ready")
    assert answer.status_code == status
    assert answer.json()["parts"][part]["state"] == state
    assert answer.json()["parts"][part]["reason"] == "a reason"


def test_a_database_that_goes_away_is_seen_within_a_second(serve: Serve, ready: Health) -> None:
    recommender = Recommender(Database(AWAY, threads=2))
    client = serve(recommender, ready)
    assert client.get("/health/live").status_code == 200
    refresh(recommender, ready)  # as each second
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    part = answer.json()["parts"]["database"]
    assert part["state"] == "failed"
    assert "refused" in part["reason"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("settings", "headers", "shown"),
    [
        ({}, {}, True),
        ({"api_key": KEY}, {}, False),
        ({"api_key": KEY}, {"X-API-Key": KEY}, True),
        ({"admin_key": ADMIN_KEY}, {}, False),
        ({"api_key": KEY, "admin_key": ADMIN_KEY}, {"X-API-Key": KEY}, False),
        ({"admin_key": ADMIN_KEY}, {"X-API-Key": ADMIN_KEY}, True),
        ({"host": "0.0.0.0"}, {}, False),  # noqa: S104 - nothing listens there
    ],
)
def test_where_the_database_is_only_operators_are_told(
    serve: Callable[..., httpx.Client], ready: Health, settings: dict[str, str], headers: dict[str, str], shown: bool
) -> None:
    recommender = Recommender(Database(AWAY, threads=2))
    client = serve(recommender, ready, **settings)
    refresh(recommender, ready)
    for path in ("/health/ready", "/health/live"):
        answer = client.get(path, headers=headers)
        assert answer.json()["parts"]["database"]["state"] == "failed"
        assert ("127.0.0.1" in answer.text) == shown
    ready.report("catalogue", "failed", "no answer from 127.0.0.1")
    refused = client.get("/api/v1/users/1", headers=headers)
    assert refused.status_code in (401, 503)
    assert ("127.0.0.1" in refused.text) == (shown and refused.status_code == 503)


def test_a_database_that_is_back_is_seen_within_a_second(database: Database, serve: Serve, ready: Health) -> None:
    fill_catalogue(database)
    ready.report("database", "failed", "it was away")
    recommender = Recommender(database)
    refresh(recommender, ready)
    answer = serve(recommender, ready).get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["parts"]["database"] == {
        "state": "ready",
        "since": ready["database"].since.isoformat(),
        "reason": None,
    }


def test_since_moves_with_the_state_and_not_with_the_reason(ready: Health) -> None:
    ready.report("trainer", "failed", "one reason")
    first = ready["trainer"]
    ready.report("trainer", "failed", "another reason")
    assert (ready["trainer"].since, ready["trainer"].reason) == (first.since, "another reason")
    ready.report("trainer", "ready")
    assert ready["trainer"].since > first.since


def test_the_generation_is_named_once_it_is_loaded(database: Database, serve: Serve, ready: Health) -> None:
    fill_catalogue(database)
    recommender = Recommender(database)
    client = serve(recommender, ready)
    refresh(recommender, ready)
    part = client.get("/health/ready").json()["parts"]["generation"]
    assert (part["state"], part["id"]) == ("missing", None)
    assert "popular" in part["reason"]
    generation = publish(recommender, two_tastes())
    refresh(recommender, ready)
    part = client.get("/health/live").json()["parts"]["generation"]
    assert (part["state"], part["id"], part["reason"]) == ("ready", generation, None)


def test_a_damaged_generation_is_reported_while_the_one_before_serves(
    database: Database, serve: Serve, ready: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_catalogue(database)
    user, recommender = new_user(database), Recommender(database)
    old = publish(recommender, two_tastes())
    client = serve(recommender, ready)
    monkeypatch.setattr(generations, "checksum", lambda data: "of other bytes")
    damaged = store_generation(database, two_tastes(seed=1))
    monkeypatch.undo()
    flip(database, damaged)
    ready.report("database", "failed", "it was away")
    refresh(recommender, ready)
    answer = client.get("/health/ready")
    part = answer.json()["parts"]["generation"]
    assert (answer.status_code, part["state"], part["id"]) == (200, "failed", old)
    assert f"generation {damaged}" in part["reason"]
    assert len(client.get(f"/users/{user}/recommendations").json()) == 10
