"""Pages of other origins, as MATINEE_CORS_ORIGINS lists them; and compressed answers."""

import gzip

import pytest
from flask.testing import FlaskClient
from handmade_model import new_user

from app import create_app
from health import Health
from recommender import Recommender
from settings import Settings, SettingsError, load

FRIEND, STRANGER = "https://movies.example", "https://evil.example"
API_KEY, ADMIN_KEY = "a-key-of-callers", "a-key-of-the-admin"
MOVIES = "/api/v1/movies"


@pytest.fixture
def client(live: Recommender, ready: Health) -> FlaskClient:
    settings = Settings(cors_origins=FRIEND, api_key=API_KEY, admin_key=ADMIN_KEY)
    return create_app(live, ready, settings).test_client()


def from_page(origin: str = FRIEND, key: str = API_KEY) -> dict[str, str]:
    return {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {key}"}


def test_a_page_of_a_listed_origin_reads_and_writes(client: FlaskClient) -> None:
    asks = {"Origin": FRIEND, "Access-Control-Request-Method": "POST", "Sec-Fetch-Site": "cross-site"}
    preflight = client.options("/api/v1/users", headers=asks)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == FRIEND
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    created = client.post("/api/v1/users", headers=from_page())
    assert created.status_code == 201
    assert created.headers["Access-Control-Allow-Origin"] == FRIEND
    assert "Origin" in created.headers["Vary"]
    assert "ETag" in created.headers["Access-Control-Expose-Headers"]
    missing = client.get(f"{MOVIES}/1", headers=from_page())
    assert (missing.status_code, missing.headers["Access-Control-Allow-Origin"]) == (404, FRIEND)


def test_other_origins_routes_and_the_admin_key_stay_closed(client: FlaskClient) -> None:
    asks = {"Origin": STRANGER, "Access-Control-Request-Method": "POST"}
    assert client.options("/api/v1/users", headers=asks).status_code == 401
    for path, headers in (
        (MOVIES, from_page(STRANGER)),
        (MOVIES, from_page(FRIEND.upper())),
        (MOVIES, from_page(f"{FRIEND}.evil.example")),
        ("/users/1/views", from_page()),
    ):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers=headers).headers
    assert client.post("/api/v1/users", headers=from_page(STRANGER)).status_code == 403
    assert client.post("/users/create", headers=from_page()).status_code == 403
    assert client.get(MOVIES, headers=from_page(key=ADMIN_KEY)).status_code == 403
    assert client.post("/api/v1/retrain", headers=from_page(key=ADMIN_KEY)).status_code == 403


def test_an_admin_route_that_is_open_on_loopback_is_closed_to_pages_elsewhere(live: Recommender, ready: Health) -> None:
    client = create_app(live, ready, Settings(cors_origins=FRIEND)).test_client()
    assert client.get("/api/v1/experiments").status_code == 200
    assert client.get("/api/v1/experiments", headers=from_page()).status_code == 403


@pytest.mark.parametrize("text", ["*", "movies.example", "https://movies.example/", "null", "ftp://movies.example"])
def test_only_exact_origins_are_settings(text: str) -> None:
    with pytest.raises(SettingsError, match="MATINEE_CORS_ORIGINS"):
        load({"MATINEE_CORS_ORIGINS": text})


def test_large_answers_are_compressed_where_that_is_asked_for(live: Recommender, ready: Health) -> None:
    client = create_app(live, ready, Settings()).test_client()
    user, small = new_user(live.database), {"Accept-Encoding": "gzip"}
    for path in (f"/api/v1/users/{user}/recommendations", f"/users/{user}/recommendations", "/openapi/openapi.json"):
        plain, packed = client.get(path), client.get(path, headers=small)
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert client.head(path, headers=small).headers["Content-Encoding"] == "gzip"
    path = f"/api/v1/users/{user}/recommendations"
    same = client.get(path, headers=small | {"If-None-Match": client.get(path, headers=small).headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    assert "Content-Encoding" not in client.get(f"/api/v1/users/{user}", headers=small).headers
