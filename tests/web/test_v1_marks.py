"""Marks over HTTP: in the very next list of every kind, gone with a rating or the user, and filters by them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from handmade_model import EVEN, IDS, ODD, new_user, store_list

from health import Health
from recommender import Recommender

USER = "/api/v1/users/1"


@pytest.fixture
def client(live: Recommender, serve: Callable[..., httpx.Client], ready: Health) -> httpx.Client:
    """A client of a service whose only user likes even movies."""
    new_user(live.database, {EVEN[0]: 5.0, EVEN[1]: 4.5, ODD[0]: 0.5})
    return serve(live, ready)


def listed(client: httpx.Client, **query: Any) -> list[int]:
    answer = client.get(f"{USER}/recommendations", params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    posted = client.post(f"{USER}/recommendations", json={"limit": 100, **query})
    assert posted.json()["items"] == answer.json()["items"]
    return [item["movie"]["movie_id"] for item in answer.json()["items"]]


def original(client: httpx.Client) -> list[int]:
    return [dict(pairs)["movie_id"] for pairs in client.get("/users/1/recommendations").json()]


@pytest.mark.parametrize("mark", ["seen", "hidden"])
def test_a_marked_movie_leaves_every_list_at_once_and_comes_back(
    client: httpx.Client, live: Recommender, mark: str
) -> None:
    store_list(live, 1)
    first = original(client)[0]
    assert client.put(f"{USER}/marks/{first}", json={"mark": mark}).status_code == 201
    assert client.put(f"{USER}/marks/{first}", json={"mark": mark}).status_code == 200
    store_list(live, 1)  # as a training would: it is not kept
    group = client.post("/api/v1/groups/recommendations", json={"members": [1, {"ratings": []}], "limit": 100})
    grouped = [item["movie"]["movie_id"] for item in group.json()["items"]]
    assert first not in [*original(client), *listed(client), *grouped]
    assert client.delete(f"{USER}/marks/{first}").status_code == 204
    assert client.delete(f"{USER}/marks/{first}").status_code == 404
    assert original(client)[0] == first
    assert listed(client)[0] == first


def test_a_rating_removes_seen_and_later_but_not_hidden(client: httpx.Client) -> None:
    for movie, mark in zip(IDS[10:13], ("seen", "later", "hidden"), strict=True):
        client.put(f"{USER}/marks/{movie}", json={"mark": mark})
        client.put(f"{USER}/ratings/{movie}", json={"rating": 3})
    held = client.get(f"{USER}/marks").json()["items"]
    assert [(one["movie"]["movie_id"], one["mark"]) for one in held] == [(IDS[12], "hidden")]
    assert [one["mark"] for one in client.get(f"{USER}/export").json()["marks"]] == ["hidden"]


def test_marks_are_paged_newest_first(client: httpx.Client) -> None:
    for movie in IDS[10:15]:
        client.put(f"{USER}/marks/{movie}", json={"mark": "later"})
    client.put(f"{USER}/marks/{IDS[16]}", json={"mark": "seen"})
    found: list[int] = []
    query: dict[str, Any] = {"mark": "later", "limit": 2}
    while True:
        page = client.get(f"{USER}/marks", params=query).json()
        found += [one["movie"]["movie_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == IDS[14:9:-1]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("1/marks/7", "seen", 404), (f"9/marks/{IDS[0]}", "seen", 404), (f"1/marks/{IDS[0]}", "liked", 400)],
)
def test_a_mark_of_nothing_is_refused(client: httpx.Client, path: str, body: str, status: int) -> None:
    assert client.put(f"/api/v1/users/{path}", json={"mark": body}).status_code == status


def test_later_is_with_the_others_without_them_or_alone(client: httpx.Client) -> None:
    every = listed(client)
    wanted = every[3:6]
    for movie in wanted:
        client.put(f"{USER}/marks/{movie}", json={"mark": "later"})
    assert listed(client) == every
    assert listed(client, later="without") == [movie for movie in every if movie not in wanted]
    assert listed(client, later="only") == wanted
    assert listed(client, later="only", among=[every[0], wanted[1]]) == [wanted[1]]


def test_only_recent_ratings_count_and_the_others_stay_out(client: httpx.Client) -> None:
    answer = client.get(f"{USER}/recommendations", params={"rated_since": "2099-01-01T00:00:00Z", "limit": 100})
    assert (answer.json()["ratings_seen"], answer.json()["strategy"]) == (0, "popular")
    assert not {EVEN[0], EVEN[1], ODD[0]} & {item["movie"]["movie_id"] for item in answer.json()["items"]}
    assert listed(client, rated_since="2000-01-01T00:00:00Z") == listed(client)
