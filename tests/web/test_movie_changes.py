"""Movies that are added, changed and withdrawn: in the next answer of every process, or not at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient
from handmade_model import EVEN, IDS, flip, new_user, store_generation, store_list, two_tastes

from app import create_app
from health import Health
from recommender import Recommender
from settings import Settings
from storage.database import Database

API = "/api/v1"
MOVIE = {"title": "Zebra Crossing, The", "year": 2026, "genres": ["Zoology"], "imdb_id": "tt7654321", "tmdb_id": 77}
Open = Callable[[], FlaskClient]


@pytest.fixture
def processes(live: Recommender, ready: Health) -> tuple[Open, Open]:
    """Two processes that serve one database, each as a function that returns a client of it."""
    other = Recommender(live.database)
    other.model.refresh()
    first, second = (create_app(each, ready, Settings()) for each in (live, other))
    return first.test_client, second.test_client


@pytest.fixture
def one(processes: tuple[Open, Open]) -> FlaskClient:
    return processes[0]()


@pytest.fixture
def other(processes: tuple[Open, Open]) -> FlaskClient:
    return processes[1]()


def found(client: FlaskClient, **query: Any) -> list[int]:
    answer = client.get(f"{API}/movies", query_string=query)
    assert answer.status_code == 200, answer.text
    return [movie["movie_id"] for movie in answer.json["items"]]


def listed(client: FlaskClient, user: int) -> tuple[list[int], list[int]]:
    """The user's list of the original route, and their whole list of the new one."""
    old = client.get(f"/users/{user}/recommendations").json
    new = client.get(f"{API}/users/{user}/recommendations?limit=100").json["items"]
    return [dict(pairs)["movie_id"] for pairs in old], [item["movie"]["movie_id"] for item in new]


def test_an_added_movie_is_in_the_next_answer_of_the_other_process(one: FlaskClient, other: FlaskClient) -> None:
    assert found(other, q="zebra") == []
    added = one.post(f"{API}/movies", json=MOVIE)
    assert added.status_code == 201, added.text
    movie = added.json["movie_id"]
    assert movie == 1_000_000_000
    assert added.headers["Location"] == f"{API}/movies/{movie}"
    for query in ({"q": "the zebra"}, {"imdb_id": "tt7654321"}, {"tmdb_id": 77}, {"genre": "zoology"}):
        assert found(other, **query) == [movie]
    assert found(other, movie_id=[movie, IDS[0], 5]) == [IDS[0], movie]
    assert {"name": "Zoology", "movie_count": 1} in other.get(f"{API}/genres").json["items"]
    shown = other.get(f"{API}/movies/{movie}").json
    assert found(other, q="zebra", added_since=shown["added_at"]) == [movie]
    assert found(other, q="zebra", added_since="2999-01-01T00:00:00Z") == []
    assert (shown["display_title"], shown["rating_count"], shown["recommendable"]) == ("The Zebra Crossing", 0, False)
    assert shown["links"]["imdb"] == "https://www.imdb.com/title/tt7654321/"
    user = new_user_over(other)
    assert other.put(f"{API}/users/{user}/ratings/{movie}", json={"rating": 4.5}).status_code == 201
    assert one.get(f"{API}/movies/{movie}").json["rating_mean"] == 4.5
    assert len(listed(other, user)[0]) == 10
    assert other.post(f"{API}/recommendations", json={"ratings": [{"movie_id": movie, "rating": 5}]}).status_code == 200
    assert one.post(f"{API}/movies", json={"title": "Next"}).json["movie_id"] == movie + 1


def new_user_over(client: FlaskClient) -> int:
    user: int = client.post(f"{API}/users").json["user_id"]
    return user


def test_a_replaced_movie_is_found_by_its_new_title_only(one: FlaskClient, other: FlaskClient) -> None:
    assert found(other, q="movie 3")[0] == IDS[3]
    for n in range(3):  # a change of a change
        answer = one.put(f"{API}/movies/{IDS[3]}", json={"title": f"Quagga {n}", "year": 2020 + n})
        assert (answer.status_code, answer.json) == (200, {"movie_id": IDS[3]})
        assert found(other, q="quagga") == [IDS[3]]
        assert found(other, year_from=2020) == [IDS[3]]
    assert IDS[3] not in found(other, q="movie 3")
    assert found(other, sort="title", limit=100)[-1] == IDS[3]
    assert other.get(f"{API}/movies/{IDS[3]}").json["rating_count"] == 100  # those of the dataset stay
    assert one.put(f"{API}/movies/77", json=MOVIE).status_code == 201
    assert found(other, imdb_id="tt7654321") == [77]


def test_changes_of_the_catalogue_are_listed_the_last_first(one: FlaskClient, other: FlaskClient) -> None:
    assert other.get(f"{API}/catalogue/changes").json == {"items": [], "total": 0}
    added = one.post(f"{API}/movies", json=MOVIE).json["movie_id"]
    one.put(f"{API}/movies/{IDS[3]}", json={"title": "Quagga"})
    one.delete(f"{API}/movies/{IDS[4]}")
    found = other.get(f"{API}/catalogue/changes").json
    assert [(each["movie"]["movie_id"], each["change"], each["at"] is None) for each in found["items"]] == [
        (IDS[4], "withdrawn", False),
        (IDS[3], "changed", True),
        (added, "added", False),
    ]
    last = other.get(f"{API}/catalogue/changes?limit=1").json
    assert (last["items"], last["total"]) == (found["items"][:1], 3)


@pytest.mark.parametrize("stored", [False, True], ids=["cached", "stored"])
def test_a_withdrawn_movie_is_in_nobodys_list_until_it_is_put_back(
    one: FlaskClient, other: FlaskClient, live: Recommender, stored: bool
) -> None:
    user = new_user(live.database, {EVEN[0]: 5.0, EVEN[1]: 5.0})
    guest = {"ratings": [{"movie_id": EVEN[0], "rating": 5}], "limit": 100}
    if stored:
        store_list(live, user)
    top = listed(other, user)[0][0]
    assert found(other, q=f"movie {IDS.index(top)}")[0] == top
    assert one.delete(f"{API}/movies/{top}").status_code == 204
    assert one.delete(f"{API}/movies/{EVEN[1]}").status_code == 204
    assert one.delete(f"{API}/movies/{EVEN[1]}").status_code == 204
    for client in (other, one):
        assert top not in [*listed(client, user)[0], *listed(client, user)[1]]
        assert len(listed(client, user)[0]) == 10
        assert top not in found(client, limit=100)
        assert top not in found(client, q=f"movie {IDS.index(top)}")
        assert client.get(f"{API}/movies/{top}/similar").status_code == 404
        similar = client.get(f"{API}/movies/{EVEN[0]}/similar?limit=100").json["items"]
        assert top not in [item["movie"]["movie_id"] for item in similar]
        answer = client.post(f"{API}/recommendations", json=guest)
        assert top not in [item["movie"]["movie_id"] for item in answer.json["items"]]
    shown = other.get(f"{API}/movies/{top}").json
    assert (shown["movie_id"], shown["recommendable"]) == (top, False)
    rated = other.get(f"{API}/users/{user}/export").json["ratings"]
    assert [item["movie"]["movie_id"] for item in rated] == [EVEN[1], EVEN[0]]
    assert one.put(f"{API}/movies/{top}", json={"title": "Movie again", "genres": ["Action"]}).status_code == 200
    assert listed(other, user)[0][0] == top


def test_a_movie_that_cannot_be_is_refused_by_name(one: FlaskClient) -> None:
    for body, where in [
        ({}, "title"),
        ({"title": " "}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"title": "x" * 501}, "title"),
        ({"title": "a", "year": 99}, "year"),
        ({"title": "a", "year": "1999"}, "year"),
        ({"title": "a", "genres": ["A|B"]}, "genres.0"),
        ({"title": "a", "imdb_id": "114709"}, "imdb_id"),
        ({"title": "a", "tmdb_id": 0}, "tmdb_id"),
        ({"title": "a", "rating_count": 5}, "rating_count"),
    ]:
        answer = one.post(f"{API}/movies", json=body)
        assert (answer.status_code, [fault["where"] for fault in answer.json["errors"]]) == (400, [where])
        batch = one.post(f"{API}/movies/batch", json={"movies": [{"title": "Unwritten"}, body]})
        assert (batch.status_code, [fault["where"] for fault in batch.json["errors"]]) == (400, [f"movies.1.{where}"])
        assert found(one, q="unwritten") == []


def test_a_batch_is_written_as_a_whole(one: FlaskClient, other: FlaskClient) -> None:
    movies = [{"title": f"Okapi {n}"} for n in range(998)] + [{"movie_id": IDS[0], "title": "Okapi"}, MOVIE]
    answer = one.post(f"{API}/movies/batch", json={"movies": movies})
    assert answer.status_code == 200, answer.text
    assert (answer.json["created"], answer.json["replaced"]) == (999, 1)
    assert answer.json["movie_ids"] == [*range(1_000_000_000, 1_000_000_998), IDS[0], 1_000_000_998]
    assert found(other, q="okapi 997")[0] == 1_000_000_997
    twice = one.post(f"{API}/movies/batch", json={"movies": [{"movie_id": 3, "title": "a"}] * 2})
    assert [fault["where"] for fault in twice.json["errors"]] == ["movies.1.movie_id"]


def test_an_id_elsewhere_is_that_of_one_movie(one: FlaskClient) -> None:
    movie = one.post(f"{API}/movies", json=MOVIE).json["movie_id"]
    for ids, where in (({"imdb_id": "tt7654321"}, "imdb_id"), ({"tmdb_id": 77}, "tmdb_id")):
        answer = one.put(f"{API}/movies/{IDS[0]}", json={"title": "Copy", **ids})
        assert (answer.status_code, answer.json["code"], answer.json["movie_id"]) == (409, "external_id_taken", movie)
        assert answer.json["errors"] == [{"where": where, "message": f"movie {movie} has it"}]
        batch = one.post(f"{API}/movies/batch", json={"movies": [{"title": "New"}, {"title": "Copy", **ids}]})
        assert (batch.status_code, batch.json["errors"][0]["where"]) == (409, f"movies.1.{where}")
    both = one.post(f"{API}/movies/batch", json={"movies": [{"title": t, "tmdb_id": 78} for t in ("a", "b")]})
    assert both.status_code == 409
    assert one.get(f"{API}/movies/{IDS[0]}").json["title"] == "Movie 0"
    assert found(one, q="new") == []
    assert one.put(f"{API}/movies/{movie}", json=MOVIE).status_code == 200


def test_a_repeated_request_adds_nothing(one: FlaskClient, other: FlaskClient) -> None:
    key = {"Idempotency-Key": "mine"}
    ids = {client.post(f"{API}/movies", json=MOVIE, headers=key).json["movie_id"] for client in (one, other)}
    batch = {"movies": [{"title": "a"}, {"title": "b"}]}
    of_batch = [
        client.post(f"{API}/movies/batch", json=batch, headers=key).json["movie_ids"] for client in (one, other)
    ]
    assert len(ids) == 1
    assert of_batch[0] == of_batch[1]
    long = one.post(f"{API}/movies/batch", json=batch, headers={"Idempotency-Key": "k" * 251})
    assert (long.status_code, long.json["code"]) == (400, "idempotency_key_invalid")
    assert len(found(one, limit=100)) == len(IDS) + 3


def test_a_key_that_added_another_movie_is_refused(one: FlaskClient) -> None:
    key = {"Idempotency-Key": "mine"}
    movie = one.post(f"{API}/movies", json=MOVIE, headers=key).json["movie_id"]
    for member, value in (("title", "Other"), ("year", None), ("genres", []), ("imdb_id", None), ("tmdb_id", 78)):
        other = one.post(f"{API}/movies", json=MOVIE | {member: value}, headers=key)
        assert (other.status_code, other.json["code"], other.json["movie_id"]) == (409, "idempotency_key_reused", movie)
    for titles, status in (("a", 200), ("b", 409), ("ac", 409)):
        batch = {"movies": [{"movie_id": IDS[0], "title": f"With {titles}"}, *({"title": title} for title in titles)]}
        assert one.post(f"{API}/movies/batch", json=batch, headers=key).status_code == status
    assert one.get(f"{API}/movies/{IDS[0]}").json["title"] == "With a"


def test_only_the_admin_key_changes_movies(live: Recommender, ready: Health) -> None:
    client = create_app(live, ready, Settings(api_key="api", admin_key="admin")).test_client()
    for key, status in (("api", 403), ("admin", 201)):
        answer = client.post(f"{API}/movies", json=MOVIE, headers={"X-API-Key": key})
        assert answer.status_code == status


def test_every_thread_reads_its_writes_in_either_process_while_generations_are_published(
    processes: tuple[Open, Open], live: Recommender, database: Database
) -> None:
    user = new_user(database, {IDS[-1]: 5.0})
    watching = True

    def written(method: Callable[..., Any], n: int, **body: Any) -> int:
        """Return the status; 503 asks a client to try again, as where twenty threads share one slow core."""
        for _ in range(10):
            status: int = method(f"{API}/movies/{IDS[n]}", **body).status_code
            if status != 503:
                break
        return status

    def change(n: int) -> int:
        ways = [processes[n % 2](), processes[(n + 1) % 2]()]
        for turn in range(6):
            writer, reader = ways if turn % 3 else ways[::-1]
            assert written(writer.delete, n) == 204
            assert IDS[n] not in found(reader, q=f"movie {n}", limit=100)
            assert IDS[n] not in listed(reader, user)[1]
            title = f"Movie {n} okapi{n}x{turn}"
            assert written(writer.put, n, json={"title": title}) == 200
            assert found(reader, q=f"okapi{n}x{turn}")[0] == IDS[n]
            assert IDS[n] in listed(reader, user)[1]
        return 1

    def publish_on() -> int:
        rounds = 0
        other = Recommender(database)
        while watching:
            rounds += 1
            flip(database, store_generation(database, two_tastes(rounds)))
            for each in (live, other):
                each.model.refresh()
        return rounds

    with ThreadPoolExecutor(21) as pool:
        publishing = pool.submit(publish_on)
        try:
            assert sum(pool.map(change, range(20))) == 20
        finally:
            watching = False
        assert publishing.result() > 1
