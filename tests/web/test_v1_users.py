"""Users in /api/v1 over real HTTP: made once however often it is asked, handed out whole, and erased."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from handmade_model import EVEN, IDS, movie_json, new_user, show_and_open, store_list
from sqlalchemy import text

from health import Health
from recommender import Recommender
from storage.database import Database

Serve = Callable[[Recommender, Health], httpx.Client]
USERS = "/api/v1/users"
KEY = "Idempotency-Key"


@pytest.fixture
def client(live: Recommender, serve: Serve, ready: Health) -> httpx.Client:
    """A client of a service with forty movies, a generation, and no users."""
    return serve(live, ready)


def test_a_user_is_made_and_found_where_it_is_said(client: httpx.Client) -> None:
    made = client.post(USERS)
    assert made.status_code == 201
    assert set(made.json()) == {"user_id", "created_at", "token"}
    assert made.headers["location"] == f"{USERS}/{made.json()['user_id']}"
    age = datetime.now(UTC) - datetime.fromisoformat(made.json()["created_at"])
    assert timedelta(seconds=-5) < age < timedelta(minutes=1)
    found = client.get(made.headers["location"])
    assert (found.status_code, found.json()) == (
        200,
        {n: v for n, v in made.json().items() if n != "token"} | {"train": True, "rating_count": 0},
    )
    assert found.headers["cache-control"] == made.headers["cache-control"] == "no-store"


def test_what_the_older_routes_record_is_the_same(client: httpx.Client) -> None:
    user = client.post("/users/create").json()["user_id"]
    client.post(f"/users/{user}/views/{IDS[0]}", json={"rating": 4.5})
    assert client.get(f"{USERS}/{user}").json()["rating_count"] == 1
    client.put(f"{USERS}/{user}/ratings/{IDS[1]}", json={"rating": 2})
    assert [dict(pairs)["movie_id"] for pairs in client.get(f"/users/{user}/views").json()] == [IDS[1], IDS[0]]


def test_a_key_gives_one_user_and_one_answer(client: httpx.Client) -> None:
    first, again = (client.post(USERS, headers={KEY: "a key"[2:]}) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert (first.content, first.headers["location"]) == (again.content, again.headers["location"])
    others = [client.post(USERS, headers={KEY: key}) for key in ("KEY", "~" * 255, "!")] + [client.post(USERS)]
    assert len({answer.json()["user_id"] for answer in [first, *others]}) == 5


def test_requests_with_one_key_that_come_at_once_make_one_user(client: httpx.Client, database: Database) -> None:
    def make(n: int) -> str:
        answer = client.post(USERS, headers={KEY: f"key-{n % 3}"})
        assert answer.status_code == 201, answer.text
        return answer.text

    with ThreadPoolExecutor(12) as pool:
        assert len(set(pool.map(make, range(60)))) == 3
    with database.statement() as db:
        assert db.execute(text("SELECT count(*) FROM users")).scalar_one() == 3


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\xe9", "tab\tbed"])
def test_a_key_that_is_none_is_refused(key: str, client: httpx.Client) -> None:
    answer = client.post(USERS, headers={KEY.encode(): key.encode("latin-1")})
    assert answer.status_code == 400, answer.text
    assert [fault["where"] for fault in answer.json()["errors"]] == [KEY]
    assert answer.json()["code"] == "idempotency_key_invalid"


def test_an_export_holds_everything(client: httpx.Client, live: Recommender, database: Database) -> None:
    user = client.post(USERS, headers={KEY: "mine"}).json()["user_id"]
    assert client.get(f"{USERS}/{user}/export").json()["ratings"] == []
    for movie, rating in zip(EVEN[:3], (5, 4.5, 1), strict=True):
        client.put(f"{USERS}/{user}/ratings/{movie}", json={"rating": rating})
    store_list(live, user)
    show_and_open(database, user)
    listed = [dict(pairs) for pairs in client.get(f"/users/{user}/recommendations").json()]
    with database.statement() as db:
        db.execute(
            text("INSERT INTO foretold VALUES (:user, 2, :movie, 1, 4.5, 3.25, 7)"), {"user": user, "movie": EVEN[1]}
        )
    answer = client.get(f"{USERS}/{user}/export")
    held = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    lists = {"ratings", "marks", "recommendations", "foretold", "impressions", "events", "tokens"}
    assert set(held) == {"user_id", "created_at", "idempotency_key", "train", *lists}
    assert (held["user_id"], held["idempotency_key"]) == (user, "mine")
    assert held["ratings"] == client.get(f"{USERS}/{user}/ratings").json()["items"]
    assert [(item["movie"]["movie_id"], item["rating"]) for item in held["ratings"]] == [
        (EVEN[2], 1.0), (EVEN[1], 4.5), (EVEN[0], 5.0),
    ]  # fmt: skip
    assert [item["movie"]["movie_id"] for item in held["recommendations"]] == [movie["movie_id"] for movie in listed]
    assert [item["rank"] for item in held["recommendations"]] == list(range(1, 11))
    movie = movie_json(EVEN[1], "Movie 2", ["Action"], 1952)
    assert held["foretold"] == [{"generation_id": 1, "movie": movie, "rating": 4.5, "expected_rating": 3.25, "rank": 7}]
    assert [(shown["movie_ids"], shown["times"]) for shown in held["impressions"]] == [(IDS[:2], 1)]
    assert [(event["movie_id"], event["event"]) for event in held["events"]] == [(IDS[0], "opened")]


def test_an_export_leaves_no_table_out(database: Database) -> None:
    """Whoever adds a table that speaks of users adds it to the export, and here."""
    with database.statement() as db:
        speaking = db.execute(
            text("SELECT DISTINCT table_name FROM information_schema.columns WHERE column_name = 'user_id'")
        ).scalars()
        tables = {table for table in speaking if not table.startswith("impressions_")}
        assert tables == {"views", "marks", "recommendations", "foretold", "impressions", "events", "tokens"}


def test_an_erased_user_leaves_nothing(client: httpx.Client, live: Recommender, database: Database) -> None:
    user = client.post(USERS, headers={KEY: "mine"}).json()["user_id"]
    client.put(f"{USERS}/{user}/ratings/{IDS[0]}", json={"rating": 5})
    store_list(live, user)
    client.get(f"/users/{user}/recommendations")
    assert live.model.live is not None
    assert user in live.model.live.list_cache
    gone = client.delete(f"{USERS}/{user}")
    assert (gone.status_code, gone.content) == (204, b"")
    for path in ("", "/export", "/ratings"):
        assert client.get(f"{USERS}/{user}{path}").status_code == 404
    assert client.get(f"/users/{user}/recommendations").status_code == 404
    assert client.delete(f"{USERS}/{user}").status_code == 404
    with database.statement() as db:
        for table in ("users", "views", "recommendations"):
            assert db.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0  # noqa: S608
    assert user not in live.model.live.list_cache
    assert client.post(USERS, headers={KEY: "mine"}).json()["user_id"] > user


@pytest.mark.parametrize("user", ["x", str(2**31), "1.0", "1%00", "+1", "٣"])
def test_what_is_no_id_is_400(user: str, client: httpx.Client, database: Database) -> None:
    new_user(database)
    for answer in (
        client.get(f"{USERS}/{user}"),
        client.get(f"{USERS}/{user}/export"),
        client.delete(f"{USERS}/{user}"),
    ):
        assert answer.status_code == 400
        assert [fault["where"] for fault in answer.json()["errors"]] == ["user_id"]


def test_head_answers_like_get_without_a_body(client: httpx.Client, database: Database) -> None:
    for path in ("", "/export", "/ratings"):
        url = f"{USERS}/{new_user(database)}{path}"
        got, head = client.get(url), client.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        assert client.head(f"{USERS}/999{path}").status_code == 404
