"""Exploration in /api/v1: how many places are explored, when the draw changes, and what no draw may bring."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from math import sqrt
from typing import Any

import httpx
import numpy as np
import pytest
from handmade_model import fill_movies, new_user, publish, two_tastes, view, with_genres

from app import create_app
from catalogue.recommendations import ListRequest
from catalogue.user_context import UserContext
from health import Health
from recommender import Recommender
from settings import Settings
from storage.database import Database

Serve = Callable[..., httpx.Client]
LIST, GUEST = "/api/v1/users/1/recommendations", "/api/v1/recommendations"
IDS = list(range(1, 101))
KNOWN, FEW = IDS[:60], IDS[60:]
SOME = {1: 5.0, 3: 4.5, 62: 0.5, 63: 5.0}
TODAY = date(2026, 2, 3)


@pytest.fixture
def recommender(database: Database) -> Recommender:
    """A recommender with a hundred movies, of which the last forty have few ratings."""
    with database.transaction() as db:
        genres = ("Comedy|Drama", "Action")
        fill_movies(db, [(n, f"Movie {n}", genres[n % 2], 1900 + n, 2 if n in FEW else 50, 7.0, 2, 3.5) for n in IDS])
    recommender = Recommender(database)
    count = np.where(np.isin(IDS, FEW), 2, 50).astype(np.int32)
    publish(recommender, with_genres(replace(two_tastes(movies=IDS), rating_count=count)))
    return recommender


@pytest.fixture
def client(recommender: Recommender, serve: Serve, ready: Health) -> httpx.Client:
    return serve(recommender, ready)


def asked(client: httpx.Client, url: str = LIST, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(url, params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def ids(items: list[dict[str, Any]]) -> list[int]:
    return [item["movie"]["movie_id"] for item in items]


def explored(items: list[dict[str, Any]]) -> list[int]:
    return ids([item for item in items if item.get("explored")])


def places(context: UserContext, **wanted: Any) -> list[tuple[int, bool]]:
    found = context.places(ListRequest(explore=0.2, **{"day": TODAY} | wanted))
    return [(place.movie.movie_id, place.explored) for place in found]


def test_each_place_is_explored_with_the_probability_that_is_asked_for(recommender: Recommender) -> None:
    guest = recommender.anonymous(SOME)
    lists = [places(replace(guest, user_id=user)) for user in range(1, 1001)]
    share = np.mean([[drawn for _, drawn in one] for one in lists], axis=0)
    assert (abs(share - 0.2) < 4 * sqrt(0.2 * 0.8 / 1000)).all()
    for one in lists:
        assert all((movie in FEW) == drawn for movie, drawn in one)
        assert len({movie for movie, _ in one} - SOME.keys()) == 10


def test_a_draw_stays_for_the_day_and_the_list_and_changes_with_each(recommender: Recommender) -> None:
    new_user(recommender.database, SOME)
    whole = places(recommender.viewer(1), limit=96)
    other = Recommender(recommender.database)  # as another process
    other.model.refresh()
    assert places(other.viewer(1), limit=96) == whole
    assert [place for n in range(0, 96, 8) for place in places(other.viewer(1), limit=8, offset=n)] == whole
    assert sorted(movie for movie, _ in whole) == sorted(set(IDS) - SOME.keys())
    assert places(other.viewer(1), limit=96, day=date(2026, 2, 4)) != whole
    assert places(replace(other.viewer(1), user_id=2), limit=96) != whole
    assert places(other.anonymous(SOME)) != places(other.anonymous(SOME | {5: 4.0}))
    view(recommender.database, 1, 5, 4.0)
    rated = places(other.viewer(1), limit=95)
    view(recommender.database, 1, 5, 4.5)  # the same targets, in another version
    assert [drawn for _, drawn in rated] != [drawn for _, drawn in places(other.viewer(1), limit=95)]


def test_the_ledger_and_the_report_tell_explored_movies_apart(recommender: Recommender, ready: Health) -> None:
    flask = create_app(recommender, ready, Settings()).test_client()
    new_user(recommender.database, SOME)
    items = flask.get(f"{LIST}?explore=0.5").json["items"]  # type: ignore[index]
    flask.application.extensions["impressions"].store()
    (shown,) = flask.get("/api/v1/users/1/export").json["impressions"]  # type: ignore[index]
    assert shown["explored"] == [item.get("explored", False) for item in items]
    report = flask.get("/api/v1/outcomes").json["generations"]  # type: ignore[index]
    assert {row["strategy"]: row["shown"] for row in report} == {
        "blended": shown["explored"].count(False),
        "explored": shown["explored"].count(True),
    }


def test_explored_movies_say_so_and_pass_the_filters(recommender: Recommender, client: httpx.Client) -> None:
    new_user(recommender.database, SOME)
    plain = client.get(LIST)
    assert client.get(LIST, params={"explore": 0}).content == plain.content
    assert b"explored" not in plain.content
    whole = asked(client, explore=1, limit=100)
    assert explored(whole) == ids(whole)[: len(FEW) - 2]
    assert set(explored(whole)) == set(FEW) - SOME.keys()
    assert client.delete("/api/v1/movies/64").status_code == 204
    assert client.put("/api/v1/users/1/marks/65", json={"mark": "hidden"}).status_code == 201
    left = set(FEW) - SOME.keys() - {64, 65}
    assert set(explored(asked(client, explore=1, limit=100))) == left
    action = explored(asked(client, explore=1, limit=100, genre="Action", exclude=[67, 69]))
    assert set(action) == {movie for movie in left if movie % 2} - {67, 69}
    assert explored(asked(client, explore=1, min_ratings=3)) == []
    guest = client.post(GUEST, json={"ratings": [{"movie_id": 1, "rating": 5}], "explore": 1, "among": [2, 66, 68]})
    assert ids(guest.json()["items"])[2:] == [2]
    assert set(explored(guest.json()["items"])) == {66, 68}


def test_the_other_places_of_a_diverse_list_are_as_diverse_as_without(
    recommender: Recommender, client: httpx.Client
) -> None:
    new_user(recommender.database, SOME)
    diverse = ids(asked(client, diversity=1, limit=100))
    both = asked(client, diversity=1, explore=0.3, limit=100)
    drawn = explored(both)
    assert drawn
    assert [movie for movie in ids(both) if movie not in drawn] == [movie for movie in diverse if movie not in drawn]


def test_the_setting_is_the_default_of_v1_alone(
    recommender: Recommender, client: httpx.Client, serve: Serve, ready: Health
) -> None:
    new_user(recommender.database, SOME)
    always = serve(recommender, ready, explore=1.0)
    assert asked(always) == asked(client, explore=1) != asked(client)
    assert asked(always, explore=0) == asked(client)
    assert always.get("/users/1/recommendations").content == client.get("/users/1/recommendations").content
    tag = always.get(LIST).headers["etag"]
    assert always.get(LIST, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(LIST, headers={"If-None-Match": tag}).status_code == 200


def test_before_the_first_training_nothing_is_explored(database: Database, serve: Serve, ready: Health) -> None:
    with database.transaction() as db:
        fill_movies(db, [(n, f"Movie {n}", "Action", 1900, 0, 0.0, 0, 3.5) for n in IDS])
    client = serve(Recommender(database), ready)
    new_user(database)
    assert asked(client, explore=1) == asked(client)


@pytest.mark.parametrize("explore", ["1.1", "-0.1", "nan", "often"])
def test_what_is_no_probability_is_refused(client: httpx.Client, explore: str) -> None:
    answer = client.get(LIST, params={"explore": explore})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (400, "explore")
