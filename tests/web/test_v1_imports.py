"""Imports of files over HTTP: stored whole, once, and never over a later rating; and what was not found is named."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from handmade_model import IDS, new_user
from sqlalchemy import text

from health import Health
from histories.files import LARGEST_FILE
from recommender import Recommender

USER = "/api/v1/users/1"
HEADER = "Title,Year,Rating,Date\n"
TEN = HEADER + "".join(f"Movie {n},{1950 + n},{1 + n % 5},2020-01-{n + 1:02}\n" for n in range(10))


@pytest.fixture
def client(recommender: Recommender, serve: Callable[..., httpx.Client], ready: Health) -> httpx.Client:
    new_user(recommender.database)
    return serve(recommender, ready)


def brought(client: httpx.Client, body: str | bytes, **query: Any) -> dict[str, Any]:
    answer = client.post(f"{USER}/imports", content=body, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def counts(created: int, replaced: int, unchanged: int) -> dict[str, int]:
    return {"created": created, "replaced": replaced, "unchanged": unchanged}


def rated(client: httpx.Client) -> dict[int, float]:
    items = client.get(f"{USER}/ratings", params={"limit": 100}).json()["items"]
    return {one["movie"]["movie_id"]: one["rating"] for one in items}


def test_a_file_is_stored_once_in_the_order_of_its_times(client: httpx.Client) -> None:
    assert brought(client, TEN, dry_run=1)["ratings"] == counts(10, 0, 0)
    assert rated(client) == {}
    assert brought(client, TEN)["ratings"] == counts(10, 0, 0)
    assert list(rated(client)) == IDS[9::-1]
    assert brought(client, TEN)["ratings"] == counts(0, 0, 10)
    form = client.post(f"{USER}/imports", files={"file": ("any.csv", TEN)})
    assert form.json()["ratings"] == counts(0, 0, 10)


@pytest.mark.parametrize("form", ["csv", "letterboxd"])
def test_exported_ratings_come_back_equal(client: httpx.Client, form: str) -> None:
    brought(client, TEN)
    with_ids = {"title": "Movie, The (Le film)", "year": 1951, "imdb_id": "tt0000007", "tmdb_id": 7}
    assert client.put(f"/api/v1/movies/{IDS[0]}", json=with_ids).status_code == 200
    before = client.get(f"{USER}/ratings", params={"limit": 100}).json()["items"]
    exported = client.get(f"{USER}/export", params={"format": form})
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    assert f"matinee-user-1-{form}.csv" in exported.headers["content-disposition"]
    assert brought(client, exported.content, format=form)["ratings"] == counts(0, 0, 10)
    for movie in IDS[:10]:
        assert client.delete(f"{USER}/ratings/{movie}").status_code == 204
    assert brought(client, exported.content)["format"] == ("movielens" if form == "csv" else form)
    after = client.get(f"{USER}/ratings", params={"limit": 100}).json()["items"]
    assert after == before


def test_ratings_of_withdrawn_movies_come_back_and_marks_do_not(client: httpx.Client) -> None:
    brought(client, TEN)
    named = {"title": "Movie 1", "year": 1951, "imdb_id": "tt0000007"}
    assert client.put(f"/api/v1/movies/{IDS[1]}", json=named).status_code == 200
    for movie in IDS[:2]:
        assert client.delete(f"/api/v1/movies/{movie}").status_code == 204
    exported = client.get(f"{USER}/export", params={"format": "csv"}).content
    for movie in IDS[:10]:
        assert client.delete(f"{USER}/ratings/{movie}").status_code == 204
    assert brought(client, exported)["ratings"] == counts(10, 0, 0)
    assert brought(client, "imdb_id,rating\ntt0000007,5\n", overwrite=1)["ratings"] == counts(0, 1, 0)
    client.delete(f"{USER}/ratings/{IDS[1]}")
    seen = brought(client, "imdb_id,rating\ntt0000007,\n", unrated="seen", scale=5)
    assert (seen["marks"], seen["unmatched_count"]) == (counts(0, 0, 0), 1)


def test_an_older_rating_replaces_a_newer_one_only_if_it_is_asked_to(client: httpx.Client) -> None:
    client.put(f"{USER}/ratings/{IDS[0]}", json={"rating": 5})
    assert brought(client, TEN)["ratings"] == counts(9, 0, 1)
    assert rated(client)[IDS[0]] == 5
    later = HEADER + "Movie 1,1951,0.5,2021-01-01\nMovie 2,1952,0.5,2019-01-01\n"
    assert brought(client, later)["ratings"] == counts(0, 1, 1)
    assert brought(client, TEN, overwrite=1)["ratings"]["replaced"] == 2
    assert (rated(client)[IDS[0]], rated(client)[IDS[1]]) == (1, 2)


def test_watched_movies_and_watchlists_become_marks_unless_they_are_rated(client: httpx.Client) -> None:
    client.put(f"{USER}/ratings/{IDS[0]}", json={"rating": 5})
    client.put(f"{USER}/marks/{IDS[1]}", json={"mark": "later"})
    rows = "".join(f"2020-01-01,Movie {n},{1950 + n},u\n" for n in range(3))
    watched = "Date,Name,Year,Letterboxd URI\n" + rows
    assert client.post(f"{USER}/imports", content=watched).status_code == 400
    assert brought(client, watched, unrated="seen")["marks"] == counts(1, 1, 1)
    assert brought(client, watched, unrated="later")["marks"] == counts(0, 0, 3)
    marks = client.get(f"{USER}/marks").json()["items"]
    assert {one["movie"]["movie_id"]: one["mark"] for one in marks} == {IDS[1]: "seen", IDS[2]: "seen"}


def test_rows_without_a_movie_are_named_with_candidates(client: httpx.Client) -> None:
    found = brought(client, HEADER + "Movie 3,1980,4,\nMoviee 3,1953,4,\nNothing like it,1953,4,\nMovie 4,1954,9x,\n")
    shown = [(one["line"], one["reason"], [m["movie_id"] for m in one["candidates"]]) for one in found["unmatched"]]
    assert shown[0] == (2, "the movie with this title is of another year", [IDS[3]])
    assert shown[1][:2] == (3, "only similar titles were found")
    assert IDS[3] in shown[1][2]
    assert shown[2] == (4, "no movie has this title", [])
    assert shown[3] == (5, "the rating '9x' is not a number", [])
    assert found["unmatched_count"] == 4


@pytest.mark.parametrize(
    ("body", "query", "said"),
    [
        (b"<html>", {}, "web page"),
        (b"", {}, "empty"),
        (TEN.encode(), {"format": "imdb"}, "of the format csv"),
        (TEN.encode(), {"scale": "7"}, "scale"),
        (TEN.encode(), {"dry_run": "maybe"}, "it must be true or false"),
    ],
)
def test_what_cannot_be_read_is_refused(client: httpx.Client, body: bytes, query: dict[str, str], said: str) -> None:
    answer = client.post(f"{USER}/imports", content=body, params=query)
    assert (answer.status_code, said in answer.json()["detail"]) == (400, True), answer.text


def test_other_sites_unknown_users_and_larger_files_are_refused(client: httpx.Client) -> None:
    assert client.post("/api/v1/users/9/imports", content=TEN).status_code == 404
    assert client.post(f"{USER}/imports", content=TEN, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(f"{USER}/imports", content=bytes(LARGEST_FILE + 100_000)).status_code == 413
    assert brought(client, TEN + "\n" * 100_000)["ratings"]["created"] == 10


def test_an_import_that_fails_in_the_middle_leaves_nothing(client: httpx.Client, recommender: Recommender) -> None:
    with recommender.database.statement() as db:  # the marks, which come second, cannot be stored
        db.execute(text("ALTER TABLE marks ADD CONSTRAINT refused CHECK (movie_id < 0) NOT VALID"))
    try:
        body = HEADER + "Movie 3,1953,4,\nMovie 4,1954,,\n"
        assert client.post(f"{USER}/imports", content=body).status_code == 500
        assert rated(client) == {}
    finally:
        with recommender.database.statement() as db:
            db.execute(text("ALTER TABLE marks DROP CONSTRAINT refused"))
