"""The `code` of an error: what a program may tell it apart by."""

from collections.abc import Callable

import httpx
import pytest
from handmade_model import IDS

from health import Health
from recommender import Recommender

RATINGS = "/api/v1/users/1/ratings"


@pytest.fixture
def client(live: Recommender, serve: Callable[..., httpx.Client], ready: Health) -> httpx.Client:
    return serve(live, ready)


def test_each_kind_of_error_has_its_code(client: httpx.Client) -> None:
    client.post("/api/v1/users")
    for code, status, method, path, body in [
        ("user_not_found", 404, "PUT", f"/api/v1/users/99/ratings/{IDS[0]}", {"rating": 4}),
        ("movie_not_found", 404, "PUT", f"{RATINGS}/999", {"rating": 4}),
        ("rating_not_found", 404, "DELETE", f"{RATINGS}/{IDS[0]}", None),
        ("generation_not_found", 404, "GET", "/api/v1/generations/99", None),
        ("route_not_found", 404, "GET", "/api/v1/nothing", None),
        ("method_not_allowed", 405, "PUT", "/api/v1/genres", None),
        ("rating_invalid", 400, "PUT", f"{RATINGS}/{IDS[0]}", {"rating": 4.7}),
        ("rating_invalid", 400, "POST", RATINGS, {"ratings": [{"movie_id": IDS[0], "rating": 6}]}),
        ("input_invalid", 400, "POST", RATINGS, {"ratings": [{"movie_id": IDS[0], "rating": 6}, {"rating": 4}]}),
        ("rating_invalid", 400, "POST", f"/users/1/views/{IDS[0]}", {"rating": "good"}),
        ("ratings_invalid", 400, "POST", RATINGS, {"ratings": [4]}),
        ("exclude_invalid", 400, "GET", "/api/v1/users/1/recommendations?exclude=1,2", None),
        ("body_invalid", 400, "PUT", f"{RATINGS}/{IDS[0]}", [4]),
        ("cursor_invalid", 400, "GET", "/api/v1/movies?cursor=nonsense", None),
        ("genre_unknown", 400, "GET", "/api/v1/movies?genre=Opera", None),
        ("genre_unknown", 400, "POST", "/api/v1/recommendations", {"ratings": [], "not_genre": "Opera"}),
        ("member_invalid", 400, "POST", "/api/v1/users", {"train": False}),
        ("member_invalid", 400, "POST", "/api/v1/retrain", {"now": True}),
        ("member_invalid", 400, "POST", "/api/v1/generations/1/activate", {"hold": False}),
        ("member_invalid", 400, "GET", "/api/v1/movies?colour=red", None),
        ("member_invalid", 400, "POST", "/api/v1/recommendations", {"ratings": [], "a": 1}),
        ("year_range_empty", 400, "GET", "/api/v1/movies?year_from=2000&year_to=1990", None),
        (
            "year_range_empty",
            400,
            "POST",
            "/api/v1/recommendations",
            {"ratings": [], "year_from": 2000, "year_to": 1990},
        ),
    ]:
        answer = client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        if code == "member_invalid":
            assert ("no such parameter" if method == "GET" else "no such member") in answer.json()["detail"]


def test_malformed_json_is_told_by_line_and_column(client: httpx.Client) -> None:
    client.post("/api/v1/users")
    answer = client.put(f"{RATINGS}/{IDS[0]}", content=b'{\n"rating" 4}', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "body_invalid")
    assert "line 2, column 10" in answer.json()["detail"]


def test_a_refused_method_is_answered_with_those_that_are_allowed(client: httpx.Client) -> None:
    assert client.put("/api/v1/users").json()["detail"] == "PUT is not allowed here; these are: OPTIONS, POST."


@pytest.mark.parametrize("name", ["genre", "any_genre", "not_genre"])
def test_an_unknown_genre_is_told_at_its_filter(client: httpx.Client, name: str) -> None:
    answer = client.post("/api/v1/recommendations", json={"ratings": [], name: "Opera"})
    assert [fault["where"] for fault in answer.json()["errors"]] == [name]


def test_one_genre_alone_is_a_list_of_one(client: httpx.Client) -> None:
    alone, listed = (
        client.post("/api/v1/recommendations", json={"ratings": [], "genre": genre}) for genre in ("Action", ["Action"])
    )
    assert alone.status_code == 200
    assert alone.json()["items"] == listed.json()["items"] != []
