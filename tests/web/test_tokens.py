"""Keys of one's own: what a user's token opens, and what it does not."""

import json
import re
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient
from handmade_model import EVEN, IDS, ODD, new_user
from sqlalchemy import text

from app import create_app
from health import Health
from recommender import Recommender
from settings import Settings
from storage import users
from storage.database import Database

PEOPLE = "/api/v1/users"
API_KEY, ADMIN_KEY = "a-key-of-callers", "a-key-of-the-admin"


@pytest.fixture
def guarded(live: Recommender, ready: Health) -> FlaskClient:
    """A service that wants users' tokens, with no key."""
    return create_app(live, ready, Settings(user_tokens=1)).test_client()


@pytest.fixture
def open_client(live: Recommender, ready: Health) -> FlaskClient:
    return create_app(live, ready, Settings()).test_client()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def joined(client: FlaskClient) -> tuple[int, str]:
    """A new user and their token."""
    body = client.post(PEOPLE).get_json()
    return body["user_id"], body["token"]


def token(client: FlaskClient, user: int, scope: str, **headers: str) -> str:
    answer = client.post(f"{PEOPLE}/{user}/tokens", json={"scope": scope, "name": "Radarr"}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["token"])


def routes_of_users(client: FlaskClient, user: object) -> Iterator[tuple[str, str]]:
    """Every method and path of the service that has a user in its path."""
    for rule in client.application.url_map.iter_rules():
        if "user_id" in rule.arguments:
            path = re.sub("<[^>]*user_id>", str(user), rule.rule)
            path = re.sub("<[^>]*movie_id>", str(IDS[0]), path)
            yield from ((method, re.sub("<[^>]*>", "1", path)) for method in sorted(rule.methods or ()))


def test_no_route_of_a_user_opens_to_anybody_else(guarded: FlaskClient) -> None:
    mine, secret = joined(guarded)
    other, _ = joined(guarded)
    hook = token(guarded, mine, "hook", **bearer(secret))
    routes = [*routes_of_users(guarded, other)]
    assert len(routes) > 30
    for (method, path), user in product(routes, [other, f"0{other}", 999_999_999, "x", f"{mine} ", f"-{mine}"]):
        if method == "OPTIONS":
            continue
        asked = path.replace(f"users/{other}", f"users/{user}")
        assert guarded.open(asked, method=method, headers=bearer(secret)).status_code == 403, (method, asked)
        assert guarded.open(asked, method=method).status_code == 401, (method, asked)
        assert guarded.open(asked, method=method, headers=bearer("A" * 43)).status_code == 401, (method, asked)
    for method, path in routes_of_users(guarded, mine):
        if method != "OPTIONS":
            assert guarded.open(path, method=method, headers=bearer(hook)).status_code == 403, (method, path)
    with guarded.application.extensions["recommender"].database.statement() as db:
        assert users.count(db) == 2  # none was deleted


def test_a_users_token_opens_their_routes(guarded: FlaskClient) -> None:
    user, secret = joined(guarded)
    key = bearer(secret)
    assert guarded.post(f"/users/{user}/views/{EVEN[0]}", json={"rating": 5}, headers=key).status_code == 201
    assert guarded.get(f"/users/0{user}/recommendations", headers={"X-API-Key": secret}).status_code == 200
    listed = guarded.get(f"{PEOPLE}/{user}/recommendations", headers=key).get_json()
    assert listed["ratings_seen"] == 1
    assert guarded.get("/api/v1/movies").status_code == 200
    created = guarded.post("/users/create").get_json()
    assert guarded.get(f"{PEOPLE}/{created['user_id']}", headers=bearer(created["token"])).status_code == 200


def test_the_keys_open_every_user_and_a_token_nothing_else(live: Recommender, ready: Health) -> None:
    settings = Settings(user_tokens=1, api_key=API_KEY, admin_key=ADMIN_KEY)
    client = create_app(live, ready, settings).test_client()
    user = new_user(live.database)
    for key in (API_KEY, ADMIN_KEY):
        assert client.get(f"{PEOPLE}/{user}", headers=bearer(key)).status_code == 200
    secret = token(client, user, "self", **bearer(API_KEY))
    assert client.get(f"{PEOPLE}/{user}", headers=bearer(secret)).status_code == 200
    assert client.get("/api/v1/movies", headers=bearer(secret)).status_code == 401
    assert client.post(PEOPLE, headers=bearer(secret)).status_code == 401
    assert client.post("/api/v1/retrain", headers=bearer(secret)).status_code == 401
    assert client.post("/api/v1/retrain", headers=bearer(API_KEY)).status_code == 403


def test_a_repeated_request_for_a_user_shows_no_token(guarded: FlaskClient) -> None:
    first, second = (guarded.post(PEOPLE, headers={"Idempotency-Key": "mine"}).get_json() for _ in range(2))
    assert first["user_id"] == second["user_id"]
    assert first["token"]
    assert second["token"] is None


def test_a_group_has_no_stored_member_but_the_caller(guarded: FlaskClient) -> None:
    (mine, secret), (other, _) = joined(guarded), joined(guarded)
    guest = {"ratings": [{"movie_id": ODD[0], "rating": 5}]}
    group = "/api/v1/groups/recommendations"
    assert guarded.post(group, json={"members": [mine, guest]}, headers=bearer(secret)).status_code == 200
    assert guarded.post(group, json={"members": [mine, other]}, headers=bearer(secret)).status_code == 403
    assert guarded.post(group, json={"members": [mine, guest]}).status_code == 401
    assert guarded.post(group, json={"members": [guest, guest]}).status_code == 200


def test_only_the_hash_of_a_token_is_stored_and_it_ends_when_it_is_revoked(
    open_client: FlaskClient, database: Database
) -> None:
    user = new_user(database)
    secret = token(open_client, user, "list")
    tokens = open_client.get(f"{PEOPLE}/{user}/tokens").get_json()["items"]
    assert [(one["scope"], one["name"]) for one in tokens] == [("list", "Radarr")]
    assert "token" not in tokens[0]
    assert open_client.get(f"{PEOPLE}/{user}/export").get_json()["tokens"] == tokens
    with database.statement() as db:
        stored = json.dumps([[str(value) for value in row] for row in db.execute(text("SELECT * FROM tokens"))])
    assert secret not in stored
    assert open_client.get(f"/api/v1/lists/{secret}.json").status_code == 200
    gone = f"{PEOPLE}/{user}/tokens/{tokens[0]['token_id']}"
    assert open_client.delete(gone.replace(f"/{user}/", f"/{new_user(database)}/")).status_code == 404
    assert [open_client.delete(gone).status_code for _ in range(2)] == [204, 404]
    assert open_client.get(f"/api/v1/lists/{secret}.json").status_code == 404


def test_tokens_go_with_their_user(open_client: FlaskClient, database: Database) -> None:
    user = new_user(database)
    secret = token(open_client, user, "hook")
    open_client.delete(f"{PEOPLE}/{user}")
    assert open_client.post(f"/api/v1/hooks/{secret}", json={"event": "media.play"}).status_code == 404
    with database.statement() as db:
        assert db.execute(text("SELECT count(*) FROM tokens")).scalar_one() == 0


def test_no_token_is_logged(open_client: FlaskClient, database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    user = new_user(database)
    secrets = [token(open_client, user, scope) for scope in ("list", "hook")]
    open_client.get(f"/api/v1/lists/{secrets[0]}.json")
    open_client.post(f"/api/v1/hooks/{secrets[1]}", data="no JSON")
    open_client.get(f"/api/v1/lists/{secrets[0]}")  # mistyped
    assert "/lists/" in caplog.text
    assert not any(secret in caplog.text for secret in secrets)


def test_a_list_for_radarr_is_the_users_own(open_client: FlaskClient, database: Database) -> None:
    user = new_user(database, {EVEN[0]: 5.0})
    with database.statement() as db:
        db.execute(text("UPDATE movies SET imdb_id = 'tt000' || id, tmdb_id = id + 1"))
    address = f"/api/v1/lists/{token(open_client, user, 'list')}.json"
    shown = open_client.get(f"{PEOPLE}/{user}/recommendations").get_json()["items"]
    answer = open_client.get(address)
    members = ("year", "imdb_id", "tmdb_id")
    assert answer.get_json() == [
        {"title": item["movie"]["display_title"]} | {name: item["movie"][name] for name in members} for item in shown
    ]
    assert len(open_client.get(f"{address}?limit=3&genre=comedy").get_json()) == 3
    open_client.application.extensions["impressions"].store()
    with database.statement() as db:
        routes = db.execute(text("SELECT DISTINCT route FROM impressions ORDER BY route")).scalars().all()
    assert routes == ["list", "v1"]
    assert open_client.get(f"/api/v1/lists/{token(open_client, user, 'self')}.json").status_code == 404


def jellyfin(**changes: Any) -> dict[str, Any]:
    return {
        "NotificationType": "PlaybackStop",
        "PlayedToCompletion": True,
        "ItemType": "Movie",
        "Name": "Movie 3",
        "Year": 1953,
        "Provider_imdb": "",
        "NotificationUsername": "anna",
    } | changes


def plex(event: str, **movie: Any) -> dict[str, Any]:
    metadata = {"type": "movie", "title": "Movie 3", "year": 1953, "Guid": [{"id": "imdb://tt0000003"}]} | movie
    return {"event": event, "Account": {"title": "anna"}, "Metadata": metadata}


def test_home_servers_rate_and_mark(open_client: FlaskClient, database: Database) -> None:
    user = new_user(database)
    hook = f"/api/v1/hooks/{token(open_client, user, 'hook')}"

    def sent(event: dict[str, Any], query: str = "") -> str:
        if "event" in event:
            form = {"payload": json.dumps(event), "thumb": (BytesIO(b"poster"), "thumb.jpg")}
            answer = open_client.post(hook + query, data=form)
        else:
            answer = open_client.post(hook + query, data=json.dumps(event), content_type="text/plain")
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["result"])

    def held() -> tuple[dict[int, float], dict[int, str]]:
        stored = open_client.get(f"{PEOPLE}/{user}/export").get_json()
        ratings = {one["movie"]["movie_id"]: one["rating"] for one in stored["ratings"]}
        return ratings, {one["movie"]["movie_id"]: one["mark"] for one in stored["marks"]}

    assert [sent(jellyfin()), sent(jellyfin())] == ["seen", "unchanged"]
    assert held() == ({}, {IDS[3]: "seen"})
    assert sent(jellyfin(NotificationType="UserDataSaved", SaveReason="TogglePlayed", Played=True)) == "unchanged"
    for ignored in (
        jellyfin(PlayedToCompletion=False, Name="Movie 4", Year=1954),
        jellyfin(ItemType="Episode"),
        jellyfin(NotificationType="ItemAdded", Name="Movie 4", Year=1954),
        plex("media.play"),
        plex("media.rate", type="show", userRating=9),
    ):
        assert sent(ignored) == "ignored"
    assert sent(jellyfin(Name="Movie 4", Year=1954), "?account=bob") == "ignored"
    assert sent(jellyfin(Name="No such movie")) == "unmatched"
    assert [sent(plex("media.rate", userRating=9.0)) for _ in range(2)] == ["rated", "unchanged"]
    assert held() == ({IDS[3]: 4.5}, {})
    assert sent(plex("media.scrobble"), "?account=anna") == "unchanged"  # rated already
    assert [sent(plex("media.rate", userRating=-1)) for _ in range(2)] == ["unrated", "unchanged"]
    assert held() == ({}, {})
    with database.statement() as db:
        db.execute(text("UPDATE movies SET imdb_id = 'tt0000003' WHERE id = :id"), {"id": IDS[7]})
        db.execute(text("UPDATE movies SET changed = 1 WHERE id = :id"), {"id": IDS[7]})
        db.execute(text("UPDATE live_generation SET catalogue_version = 1"))
    assert sent(plex("media.scrobble")) == "seen"  # the id counts before the title
    assert held() == ({}, {IDS[7]: "seen"})


def test_a_strange_webhook_is_refused(open_client: FlaskClient, database: Database) -> None:
    hook = f"/api/v1/hooks/{token(open_client, new_user(database), 'hook')}"
    for body in [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"event": "media.rate", "Metadata": {"type": "movie", "userRating": "x"}}',
        b'{"event": "media.rate", "Metadata": {"type": "movie", "userRating": 11}}',
        b"[" * 100_000,
        rb'{"event": "\ud800"}',
        rb'{"NotificationType": "UserDataSaved", "SaveReason": "\ud800"}',
    ]:
        answer = open_client.post(hook, data=body)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "body_invalid")
    for event, what in [
        (jellyfin(ItemType=None), "ItemType is missing"),
        (jellyfin(NotificationType=""), "NotificationType is missing"),
        (plex("media.rate", type=None), "type is missing"),
        (plex("media.rate", type="show"), "show is not a movie"),
    ]:
        answer = open_client.post(hook, json=event)
        assert (answer.status_code, answer.get_json()["detail"]) == (200, what)
