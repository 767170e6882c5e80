"""What users are shown is known: each list once, without ever holding up a read, and gone with the user."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from handmade_model import EVEN, IDS, new_user, view
from sqlalchemy import text

from app import create_app
from health import Health
from recommender import Recommender
from settings import Settings
from storage import impression_buffer, impressions, users
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.impression_buffer import ImpressionBuffer


@pytest.fixture
def client(live: Recommender, ready: Health) -> FlaskClient:
    return create_app(live, ready, Settings()).test_client()


def buffer_of(client: FlaskClient) -> ImpressionBuffer:
    found: ImpressionBuffer = client.application.extensions["impressions"]
    return found


def rows(client: FlaskClient, table: str = "impressions") -> list[Any]:
    """Store what has been collected, and return all rows."""
    buffer_of(client).store()
    database: Database = client.application.extensions["recommender"].database
    with database.statement() as db:
        return list(db.execute(text(f"SELECT * FROM {table} ORDER BY at")))  # noqa: S608 - our own name


def test_the_ledger_has_what_each_route_has_shown(live: Recommender, client: FlaskClient) -> None:
    user = new_user(live.database, {EVEN[0]: 5.0})
    original = client.get(f"/users/{user}/recommendations")
    page = client.get(f"/api/v1/users/{user}/recommendations?limit=3&offset=10&genre=comedy")
    client.post("/api/v1/recommendations", json={"ratings": []})  # a guest
    client.head(f"/users/{user}/recommendations")
    first, second = rows(client)
    assert [str(first.list_id), str(second.list_id)] == [original.headers["X-List-ID"], page.headers["X-List-ID"]]
    assert first.movie_ids == [dict(item)["movie_id"] for item in original.json or ()]
    assert first.expected_ratings == pytest.approx([dict(item)["expected_rating"] for item in original.json or ()])
    assert (first.user_id, first.generation_id, first.route, first.first_place) == (user, 1, "original", 1)
    assert page.json is not None
    assert page.json["list_id"] == str(second.list_id)
    assert second.movie_ids == [item["movie"]["movie_id"] for item in page.json["items"]]
    assert (second.user_id, second.generation_id, second.route, second.first_place) == (user, 1, "v1", 11)


def test_the_same_list_within_ten_minutes_is_one_impression(
    live: Recommender, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = new_user(live.database)

    def read() -> str:
        return client.get(f"/users/{user}/recommendations").headers["X-List-ID"]

    first = read()
    rows(client)
    assert {read(), read()} == {first}
    view(live.database, user, EVEN[0], 5.0)
    other = read()
    monkeypatch.setattr(impression_buffer, "SAME_WITHIN", timedelta(0))
    later = read()
    assert [(str(row.list_id), row.times) for row in rows(client)] == [(first, 3), (other, 1), (later, 1)]
    assert len({first, other, later}) == 3


def test_a_read_does_not_notice_that_impressions_cannot_be_stored(
    live: Recommender, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnavailableError("away")

    monkeypatch.setattr(impression_buffer, "MOST_WAITING", 2)
    both = [new_user(live.database) for _ in range(5)]
    with monkeypatch.context() as outage:
        outage.setattr(impressions, "add", away)
        for user in both[:1]:
            client.get(f"/users/{user}/recommendations")
        buffer_of(client).store()
        for user in both[1:]:
            assert client.get(f"/users/{user}/recommendations").status_code == 200
        buffer_of(client).store()
    rows(client)
    assert [row.user_id for row in rows(client)] == both[:3]  # one was being stored, two waited
    assert 'matinee_impressions_total{recorded="dropped"} 2.0' in client.get("/metrics").text


def test_a_batch_whose_answer_was_lost_is_stored_once(live: Recommender, client: FlaskClient) -> None:
    client.get(f"/users/{new_user(live.database)}/recommendations")
    waiting = buffer_of(client)._next.shown
    assert len(rows(client)) == 1
    with live.database.transaction() as db:
        impressions.add(db, waiting)
    assert len(rows(client)) == 1


def test_an_event_is_stored_once_for_a_movie_of_a_list_that_was_shown(live: Recommender, client: FlaskClient) -> None:
    shown = client.get(f"/users/{new_user(live.database)}/recommendations")
    movie, other = dict(shown.json[0])["movie_id"], dict(shown.json[1])["movie_id"]  # type: ignore[index]
    opened = {"list_id": shown.headers["X-List-ID"], "movie_id": movie, "event": "opened"}
    absent = next(each for each in IDS if each not in {dict(item)["movie_id"] for item in shown.json or ()})
    for sent in (opened, opened, opened | {"movie_id": absent}, opened | {"list_id": "0" * 32, "movie_id": other}):
        assert client.post("/api/v1/events", json=sent).status_code == 202
    assert [(str(row.list_id), row.movie_id) for row in rows(client, "events")] == [(opened["list_id"], movie)]
    for bad in ({"list_id": "7"}, {"event": "closed"}, {"movie_id": "x"}):
        refused = client.post("/api/v1/events", json=opened | bad)
        assert refused.status_code == 400
        (fault,) = refused.json["errors"]  # type: ignore[index]
        assert [fault["where"]] == [*bad]
        assert not fault["message"].startswith("Input should")  # as Pydantic says it


def test_erasure_reaches_impressions_that_wait_and_those_that_are_stored(
    live: Recommender, client: FlaskClient
) -> None:
    user, other = new_user(live.database), new_user(live.database)
    for each in (user, other):
        client.get(f"/users/{each}/recommendations")
    stored = rows(client)
    view(live.database, user, EVEN[0], 5.0)
    list_id = client.get(f"/users/{user}/recommendations").headers["X-List-ID"]
    client.post("/api/v1/events", json={"list_id": list_id, "movie_id": EVEN[1], "event": "opened"})
    exported = client.get(f"/api/v1/users/{user}/export").json
    assert [shown["list_id"] for shown in exported["impressions"]] == [str(stored[0].list_id)]  # type: ignore[index]
    with live.database.transaction() as db:
        assert users.delete(db, user).impressions == 1
    assert [row.user_id for row in rows(client)] == [other]
    assert rows(client, "events") == []


def test_old_partitions_are_dropped(live: Recommender, client: FlaskClient) -> None:
    client.get(f"/users/{new_user(live.database)}/recommendations")
    rows(client)
    today = datetime.now(UTC).date()
    with live.database.transaction() as db:
        impressions.make_partitions(db, [today - timedelta(days=2), today - timedelta(days=1)])
    with live.database.transaction() as db:
        impressions.drop_before(db, today - timedelta(days=1))
        found = db.execute(text("SELECT relid::text FROM pg_partition_tree('impressions') WHERE isleaf ORDER BY 1"))
        assert found.scalars().all()[-2:] == [impressions.partition(today - timedelta(days=n)) for n in (1, 0)]
        assert impressions.partition(today - timedelta(days=2)) not in found
        impressions.drop_before(db, today)
    assert len(rows(client)) == 1


def test_a_process_that_starts_before_there_are_tables_does_not_mind(empty: Database) -> None:
    ImpressionBuffer(empty, 90, lambda recorded, n: None).store()


def test_nothing_is_recorded_where_it_is_turned_off(live: Recommender, ready: Health) -> None:
    client = create_app(live, ready, Settings(impressions=0)).test_client()
    user = new_user(live.database)
    assert "X-List-ID" not in client.get(f"/users/{user}/recommendations").headers
    answer = client.get(f"/api/v1/users/{user}/recommendations")
    assert answer.json is not None
    assert answer.json["list_id"] is None
