"""Ratings in /api/v1 over real HTTP: one, many, pages of them, and what is told is in the next list."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from handmade_model import EVEN, IDS, fill_catalogue, movie_json, new_user, publish, two_tastes
from sqlalchemy import text

from health import Health
from recommender import Recommender
from storage.database import Database
from web.v1.cursors import encode

Serve = Callable[[Recommender, Health], httpx.Client]
RATINGS = "/api/v1/users/1/ratings"


@pytest.fixture
def client(database: Database, serve: Serve, ready: Health) -> httpx.Client:
    """A client of a service with forty movies and user 1, who has rated nothing."""
    fill_catalogue(database)
    new_user(database)
    return serve(Recommender(database), ready)


@pytest.fixture
def history(database: Database) -> Callable[[], tuple[int, list[Any]]]:
    """Gives user 1's history_version and all that is stored of their views."""

    def look() -> tuple[int, list[Any]]:
        with database.statement() as db:
            version = db.execute(text("SELECT history_version FROM users WHERE id = 1")).scalar_one()
            return version, list(db.execute(text("SELECT * FROM views ORDER BY version DESC, movie_id")).all())

    return look


def put(client: httpx.Client, movie: object, rating: object = 4.5) -> httpx.Response:
    return client.put(f"{RATINGS}/{movie}", json={"rating": rating})


def put_all(client: httpx.Client, *ratings: tuple[object, object]) -> httpx.Response:
    return client.post(RATINGS, json={"ratings": [{"movie_id": movie, "rating": rating} for movie, rating in ratings]})


def pages(client: httpx.Client, limit: int) -> Iterator[list[dict[str, Any]]]:
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get(RATINGS, params={"limit": limit, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        yield answer.json()["items"]
        cursor = answer.json()["next_cursor"]


def faults(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400, answer.text
    return [fault["where"] for fault in answer.json()["errors"]]


def test_a_first_rating_is_201_and_a_later_one_200(client: httpx.Client) -> None:
    first, second = put(client, IDS[0], 4.5), put(client, IDS[0], 2)
    assert (first.status_code, first.json()) == (201, {"movie_id": IDS[0], "rating": 4.5})
    assert (second.status_code, second.json()) == (200, {"movie_id": IDS[0], "rating": 2.0})
    (item,) = client.get(RATINGS).json()["items"]
    assert item["movie"] == movie_json(IDS[0], "Movie 0", ["Action"], 1950)
    assert item["rating"] == 2.0
    assert item["rated_at"].endswith("Z")


def test_repeating_a_rating_changes_nothing(client: httpx.Client, history: Callable[[], Any]) -> None:
    put_all(client, *[(movie, 3.5) for movie in IDS[:3]])
    before = history()
    assert put(client, IDS[1], 3.5).status_code == 200
    assert put_all(client, *[(movie, 3.5) for movie in IDS[:3]]).json() == {"created": 0, "replaced": 3}
    assert history() == before
    put(client, IDS[1], 4)
    assert history()[0] == before[0] + 1


def test_a_repetition_within_many_keeps_its_place(client: httpx.Client) -> None:
    put(client, IDS[0], 5)
    put(client, IDS[1], 5)
    assert put_all(client, (IDS[0], 5), (IDS[2], 1)).json() == {"created": 1, "replaced": 1}
    assert [item["movie"]["movie_id"] for page in pages(client, 1) for item in page] == [IDS[2], IDS[1], IDS[0]]


def test_a_thousand_ratings_come_in_one_version(
    client: httpx.Client, database: Database, history: Callable[[], Any]
) -> None:
    with database.statement() as db:
        db.execute(text("INSERT INTO movies SELECT n, 'F', '', 2000, 0, 0, 0, 3 FROM generate_series(1, 1001) n"))
    sent = [(movie, movie % 10 / 2 + 0.5) for movie in range(1, 1002)]
    assert faults(put_all(client, *sent)) == ["ratings"]
    assert put_all(client, *sent[:1000]).json() == {"created": 1000, "replaced": 0}
    version, stored = history()
    assert version == 1
    assert {row.version for row in stored} == {1}
    found = [(item["movie"]["movie_id"], item["rating"]) for page in pages(client, 100) for item in page]
    assert found == sent[:1000]


def test_an_unknown_member_hides_no_other_fault_and_each_is_a_plain_sentence(client: httpx.Client) -> None:
    rows = [{"movie_id": IDS[0], "rating": "4"}, {"movie_id": IDS[1]}, 7]
    answer = client.post(RATINGS, json={"ratings": rows, "stars": 1})
    assert [(fault["where"], fault["message"]) for fault in answer.json()["errors"]] == [
        ("ratings.0.rating", "it must be a number"),
        ("ratings.1.rating", "it is missing"),
        ("ratings.2", "it must be an object"),
        ("stars", "there is no such member"),
    ]


def test_the_error_names_every_row_that_is_wrong(client: httpx.Client, history: Callable[[], Any]) -> None:
    sent = [(IDS[0], 5), (IDS[1], 5.25), (7, 3), (IDS[0], 4), ("8", 3), (9, "x"), (True, 1), (2**31, 1)]
    assert faults(put_all(client, *sent)) == [
        "ratings.1.rating", "ratings.2.movie_id", "ratings.3.movie_id", "ratings.4.movie_id", "ratings.5.rating",
        "ratings.5.movie_id", "ratings.6.movie_id", "ratings.7.movie_id",
    ]  # fmt: skip
    assert faults(put_all(client, (IDS[0], 5), (7, 3), (8, 3))) == ["ratings.1.movie_id", "ratings.2.movie_id"]
    assert faults(put_all(client, (IDS[0], 5), (IDS[0], 5))) == ["ratings.1.movie_id"]
    assert history() == (0, [])


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["ratings"]),
        ({"ratings": []}, ["ratings"]),
        ({"ratings": {}}, ["ratings"]),
        ({"ratings": None, "more": 1}, ["ratings", "more"]),
        ({"ratings": [{"\ud800": 1}]}, ["ratings.0"]),
        ({"ratings": [1, {}]}, ["ratings.0", "ratings.1.movie_id", "ratings.1.rating"]),
        ({"ratings": [{"movie_id": [], "rating": {}, "more": 1}]},
         ["ratings.0.movie_id", "ratings.0.rating", "ratings.0.more"]),
    ],
)  # fmt: skip
def test_many_ratings_in_another_shape_are_refused(body: object, where: list[str], client: httpx.Client) -> None:
    sent = client.post(RATINGS, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert faults(sent) == where


@pytest.mark.parametrize("rating", [0, 0.4, 5.5, 4.25, -1, True, "4", None, [4], 1e999, 10**400])
def test_a_rating_off_the_scale_is_refused(rating: object, client: httpx.Client, history: Callable[[], Any]) -> None:
    answer = client.put(f"{RATINGS}/{IDS[0]}", content=f'{{"rating": {_json(rating)}}}', headers=JSON)
    assert faults(answer) == ["rating"]
    assert history() == (0, [])


JSON = {"Content-Type": "application/json"}


def _json(value: object) -> str:
    return {"True": "true", "None": "null", "inf": "1e999", "4": '"4"'}.get(str(value), str(value))


@pytest.mark.parametrize("body", [b"", b"[]", b'"{\\"rating\\": 4}"', b"{", b"null", b"\xff", b'{"rating": NaN}'])
def test_a_body_that_is_no_object_is_refused(body: bytes, client: httpx.Client) -> None:
    assert client.put(f"{RATINGS}/{IDS[0]}", content=body, headers=JSON).status_code == 400


def test_a_form_is_refused(client: httpx.Client) -> None:
    assert client.put(f"{RATINGS}/{IDS[0]}", data={"rating": "4.5"}).status_code == 415


def test_what_is_unknown_is_404_and_what_is_no_id_400(client: httpx.Client) -> None:
    assert put(client, 1).status_code == 404
    for method, path in [("PUT", "/2"), ("DELETE", "/2"), ("GET", ""), ("POST", "")]:
        body = {"ratings": [{"movie_id": IDS[0], "rating": 4}]} if method == "POST" else {"rating": 4}
        for user, status in [("99", 404), ("-1", 404), ("0", 404), ("x", 400), (str(2**31), 400), ("1.0", 400)]:
            answer = client.request(
                method, f"/api/v1/users/{user}/ratings{path}", json=None if method in ("GET", "DELETE") else body
            )
            assert answer.status_code == status, answer.text


def test_a_rating_taken_back_is_gone_and_its_movie_recommended_again(
    client: httpx.Client, database: Database, serve: Serve, ready: Health
) -> None:
    recommender = Recommender(database)
    publish(recommender, two_tastes())
    client = serve(recommender, ready)
    put_all(client, *[(movie, 5) for movie in EVEN[:11]])
    assert EVEN[3] not in _recommended(client)
    gone = client.delete(f"{RATINGS}/{EVEN[3]}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert "content-type" not in gone.headers
    assert EVEN[3] in _recommended(client)
    again = client.delete(f"{RATINGS}/{EVEN[3]}")
    assert (again.status_code, again.headers["content-type"]) == (404, "application/problem+json")
    assert client.delete(f"{RATINGS}/abc").status_code == 400


def _recommended(client: httpx.Client) -> list[int]:
    return [dict(pairs)["movie_id"] for pairs in client.get("/users/1/recommendations").json()]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_hold_every_rating_once_and_newest_first(limit: int, client: httpx.Client) -> None:
    put_all(client, *[(movie, 4) for movie in IDS[:8]])
    put_all(client, *[(movie, 3) for movie in IDS[12:7:-1]])
    put(client, IDS[20])
    found = [[item["movie"]["movie_id"] for item in page] for page in pages(client, limit)]
    assert [movie for page in found for movie in page] == [IDS[20], *IDS[8:13], *IDS[:8]]
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1]


def test_pages_are_stable_while_ratings_come(client: httpx.Client) -> None:
    put_all(client, *[(movie, 4) for movie in IDS[:8]])
    found = []
    for n, page in enumerate(pages(client, 3)):
        found += [item["movie"]["movie_id"] for item in page]
        put(client, IDS[10 + n])
    assert found == IDS[:8]


def test_a_page_wants_a_limit_in_range_and_a_cursor_of_its_own(client: httpx.Client, database: Database) -> None:
    put_all(client, *[(movie, 4) for movie in IDS[:8]])
    cursor = client.get(RATINGS, params={"limit": 2}).json()["next_cursor"]
    assert client.get(RATINGS, params={"cursor": cursor}).status_code == 200
    assert client.get(RATINGS, params={"limit": 100}).status_code == 200
    other = f"/api/v1/users/{new_user(database)}/ratings"
    for url, query in [
        (RATINGS, {"limit": 0}), (RATINGS, {"limit": 101}), (RATINGS, {"limit": "x"}), (RATINGS, {"limit": " 1"}),
        (RATINGS, {"cursor": cursor[:-1]}), (RATINGS, {"cursor": "A" + cursor[1:]}), (RATINGS, {"cursor": ""}),
        (RATINGS, {"cursor": encode("ratings of 1")}), (RATINGS, {"cursor": encode("ratings of 1", "x", 1)}),
        (RATINGS, {"cursor": encode("ratings of 1", 2**63, 1)}), (RATINGS, {"cursor": encode("ratings of 1", 1)}),
        (RATINGS, {"cursor": "\0"}), (other, {"cursor": cursor}), (RATINGS, {"offset": 1}),
    ]:  # fmt: skip
        answer = client.get(url, params=query)
        assert faults(answer) == list(query), answer.text


def test_writers_of_one_user_follow_each_other(client: httpx.Client, history: Callable[[], Any]) -> None:
    def write(n: int) -> None:
        if n % 3 == 0:
            answer = put_all(client, *[(movie, n % 9 / 2 + 0.5) for movie in (IDS[:10] if n % 2 else IDS[9::-1])])
        elif n % 3 == 1:
            answer = put(client, IDS[n % 10], 5)
        else:
            answer = client.delete(f"{RATINGS}/{IDS[n % 10]}")
        assert answer.status_code in (200, 201, 204, 404), answer.text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(120)))
    version, stored = history()
    assert stored
    assert max(row.version for row in stored) <= version <= 120
    ordered = [item["movie"]["movie_id"] for page in pages(client, 3) for item in page]
    assert ordered == [row.movie_id for row in stored]


def test_of_many_that_send_the_same_one_records_it(client: httpx.Client, history: Callable[[], Any]) -> None:
    def write(_: int) -> dict[str, int]:
        written: dict[str, int] = put_all(client, (IDS[0], 4), (IDS[1], 2)).json()
        return written

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write, range(24)))
    assert sum(answer["created"] for answer in answers) == 2
    assert all(answer["created"] + answer["replaced"] == 2 for answer in answers)
    assert {row.version for row in history()[1]} == {1}
    before = history()
    assert before[0] <= 8  # those that came before the first was done count as changes, to be on the safe side
    assert write(25) == {"created": 0, "replaced": 2}
    assert history() == before
