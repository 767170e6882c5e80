"""Recommendations for groups over HTTP."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from handmade_model import EVEN, IDS, ODD, new_user, publish, two_tastes

from health import Health
from recommender import Recommender

GROUP = "/api/v1/groups/recommendations"
EVENS, ODDS = {EVEN[0]: 5.0, EVEN[1]: 4.5, ODD[0]: 0.5}, {ODD[1]: 5.0, ODD[2]: 4.5, EVEN[2]: 0.5}


@pytest.fixture
def client(recommender: Recommender, serve: Callable[..., httpx.Client], ready: Health) -> httpx.Client:
    new_user(recommender.database, EVENS)
    new_user(recommender.database, ODDS)
    return serve(recommender, ready)


def guest(ratings: dict[int, float]) -> dict[str, Any]:
    return {"ratings": [{"movie_id": movie, "rating": rating} for movie, rating in ratings.items()]}


def asked(client: httpx.Client, *members: Any, **wanted: Any) -> dict[str, Any]:
    answer = client.post(GROUP, json={"members": members, **wanted})
    assert answer.status_code == 200, answer.text
    return answer.json()


def movies(listed: dict[str, Any]) -> list[int]:
    return [item["movie"]["movie_id"] for item in listed["items"]]


@pytest.mark.parametrize("rule", ["average", "fair"])
def test_a_group_gets_movies_that_nobody_has_seen_with_what_each_member_would_think(
    recommender: Recommender, client: httpx.Client, rule: str
) -> None:
    generation = publish(recommender, two_tastes())
    listed = asked(client, 1, 2, guest({IDS[20]: 4.0}), rule=rule, limit=100)
    assert (listed["rule"], listed["generation"]["id"]) == (rule, generation)
    assert [(one["user_id"], one["ratings_seen"]) for one in listed["members"]] == [(1, 3), (2, 3), (None, 1)]
    assert sorted(movies(listed)) == sorted(set(IDS) - {*EVENS, *ODDS, IDS[20]})
    assert [item["rank"] for item in listed["items"]] == list(range(1, len(listed["items"]) + 1))
    for item in listed["items"][:5]:
        movie = item["movie"]["movie_id"]
        for member, user in zip(item["members"], (1, 2), strict=False):
            alone = client.get(f"/api/v1/users/{user}/predictions", params={"movie_id": movie}).json()["items"][0]
            assert member["expected_rating"] == alone["expected_rating"]
        one, two, _ = item["members"]
        assert one["because"] is None or one["because"]["movie_id"] in EVENS
        assert two["because"] is None or two["because"]["movie_id"] in ODDS
        assert one["because"] or two["because"]


def test_a_fair_list_serves_each_of_two_tastes(recommender: Recommender, client: httpx.Client) -> None:
    publish(recommender, two_tastes())
    listed = movies(asked(client, 1, 2, rule="fair"))
    assert 4 <= sum(movie in EVEN for movie in listed) <= 6


def test_a_group_is_of_guests_alone_and_its_list_can_be_filtered(
    recommender: Recommender, client: httpx.Client
) -> None:
    publish(recommender, two_tastes())
    members = guest(EVENS), guest({})
    assert set(movies(asked(client, *members, genre=["comedy"], year_from=1960))) <= set(ODD[5:])
    assert asked(client, *members, min_ratings=1000)["items"] == []


def test_without_reasons_nobody_sees_a_rating_of_another(recommender: Recommender, client: httpx.Client) -> None:
    publish(recommender, two_tastes())
    listed = asked(client, 1, 2, reasons=False)
    assert listed["items"]
    assert all(member["because"] is None for item in listed["items"] for member in item["members"])
    assert movies(listed) == movies(asked(client, 1, 2))


def test_before_the_first_training_a_group_gets_popular_movies(client: httpx.Client) -> None:
    listed = asked(client, 1, 2)
    assert listed["generation"] is None
    assert movies(listed) == [movie for movie in IDS if movie not in {*EVENS, *ODDS}][:10]
    assert all(member["because"] is None for item in listed["items"] for member in item["members"])


def test_a_group_that_cannot_be_understood_is_refused(client: httpx.Client) -> None:
    for body, status, where in [
        ({"members": [1]}, 400, "members"),
        ({"members": [*range(1, 10)]}, 400, "members"),
        ({"members": [1, 2, 1]}, 400, "members.2"),
        ({"members": [1, "2"]}, 400, "members.1"),
        ({"members": [1, guest({IDS[0]: 4.2, 7: 3.0})]}, 400, "members.1.ratings.0.rating"),
        ({"members": [1, {"ratings": 3}]}, 400, "members.1"),
        ({"members": [1, 2], "rule": "least"}, 400, "rule"),
        ({"members": [1, 2], "genre": ["Nonsense"]}, 400, "genre"),
        ({"members": [1, 2], "offset": 3}, 400, "offset"),
        ({"members": [1, 99]}, 404, "There is no user 99"),
    ]:
        answer = client.post(GROUP, json=body)
        assert answer.status_code == status, answer.text
        told = answer.json()
        assert (told["errors"][0]["where"] if status == 400 else told["detail"]).startswith(where)
    twice = client.post(GROUP, json={"members": [1, 1, 2, 2]}).json()
    assert [fault["where"] for fault in twice["errors"]] == ["members.1", "members.3"]
