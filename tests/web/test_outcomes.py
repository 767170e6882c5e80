"""What became of the movies that users were shown, counted by hand."""

import pytest
from flask.testing import FlaskClient
from handmade_model import new_user, view
from sqlalchemy import text

from app import create_app
from evaluation.outcome_report import outcome_report, wilson
from health import Health
from recommender import Recommender
from settings import Settings
from storage import outcomes
from web.v1 import event_routes


@pytest.fixture
def client(live: Recommender, ready: Health) -> FlaskClient:
    return create_app(live, ready, Settings()).test_client()


def test_a_shown_movie_counts_once_with_what_came_within_a_week(live: Recommender, client: FlaskClient) -> None:
    user, late = new_user(live.database), new_user(live.database)
    first = client.get(f"/users/{user}/recommendations")
    movies = [dict(item)["movie_id"] for item in first.json or ()]
    list_id = first.headers["X-List-ID"]
    assert client.get(f"/users/{late}/recommendations").status_code == 200
    client.post("/api/v1/events", json={"list_id": list_id, "movie_id": movies[2], "event": "opened"})
    client.application.extensions["impressions"].store()
    with live.database.statement() as db:
        db.execute(text("UPDATE impressions SET at = at - interval '1 s' WHERE user_id = :user"), {"user": user})
    view(live.database, user, movies[0], 5.0)
    view(live.database, user, movies[1], 2.0)
    view(live.database, late, movies[0], 5.0)
    client.put(f"/api/v1/users/{user}/marks/{movies[3]}", json={"mark": "hidden"})
    client.put(f"/api/v1/users/{user}/marks/{movies[4]}", json={"mark": "later"})
    client.get(f"/users/{user}/recommendations?again")  # mostly the same movies, which do not count again
    client.application.extensions["impressions"].store()
    with live.database.statement() as db:
        db.execute(
            text("UPDATE views SET rated_at = rated_at + interval '8 days' WHERE user_id = :user"), {"user": late}
        )
    shown = client.get("/api/v1/outcomes").json
    assert shown is not None
    places = shown["places"]
    assert [place["place"] for place in places] == list(range(1, 11))
    assert [place["liked"]["count"] for place in places] == [1, *[0] * 9]
    assert [place["rated"]["count"] for place in places] == [1, 1, *[0] * 8]
    assert [place["hidden"]["count"] for place in places] == [0, 0, 0, 1, *[0] * 6]
    assert [place["opened"]["count"] for place in places] == [0, 0, 1, *[0] * 7]
    popular = next(each for each in shown["generations"] if each["strategy"] == "popular")
    assert (popular["generation_id"], popular["shown"], popular["rated"]["count"]) == (1, 20, 2)
    assert popular["rating"] == 3.5
    expected = [dict(item)["expected_rating"] for item in first.json or ()][:2]
    assert popular["expected"] == pytest.approx(sum(expected) / 2)
    with live.database.statement() as db:
        report = str(outcome_report(30, outcomes.recent(db, 30)))
    assert "1 popular" in report
    assert "place 10" in report


def test_after_very_many_lists_some_users_are_counted(
    live: Recommender, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [new_user(live.database) for _ in range(10)]
    for user in users:
        movies = [dict(item)["movie_id"] for item in client.get(f"/users/{user}/recommendations").json or ()]
    client.application.extensions["impressions"].store()
    for user in users:
        view(live.database, user, movies[0], 5.0)
    monkeypatch.setattr(event_routes, "MOST_LISTS", 4)
    found = client.get("/api/v1/outcomes").json
    assert found is not None
    every = found["one_user_in"]
    counted = [user for user in users if user % every == 0]
    assert (every, found["places"][0]["shown"], found["places"][0]["liked"]["count"]) == (3, *[len(counted)] * 2)


def test_the_interval_is_wilsons() -> None:
    assert (wilson(0, 7).low, wilson(7, 7).high) == (0, 1)
    found = wilson(10, 100)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.05523, 0.17437), abs=1e-5)
