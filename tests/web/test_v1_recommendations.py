"""Recommendations and predictions in /api/v1 over real HTTP: what they hold is true, whatever happens meanwhile."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import pytest
from handmade_model import (
    EVEN,
    IDS,
    ODD,
    fill_catalogue,
    flip,
    movie_json,
    new_user,
    publish,
    store_generation,
    two_tastes,
    view,
    with_genres,
)
from list_of_one import ranked
from sqlalchemy import text

from health import Health
from ranking.factors import Factors
from recommender import Recommender
from storage import generations, user_ratings
from storage.database import Database

Serve = Callable[[Recommender, Health], httpx.Client]
LIST, PREDICTIONS = "/api/v1/users/1/recommendations", "/api/v1/users/1/predictions"
GUEST = "/api/v1/recommendations"
SOME = {EVEN[0]: 5.0, EVEN[1]: 4.5, ODD[0]: 0.5}


@pytest.fixture
def client(recommender: Recommender, serve: Serve, ready: Health) -> httpx.Client:
    """A client of a service with forty movies and no training yet."""
    return serve(recommender, ready)


@pytest.fixture(params=[False, True], ids=["popular", "trained"])
def trained_or_not(recommender: Recommender, request: pytest.FixtureRequest) -> Recommender:
    """What the client asks, before its first training and after it."""
    if request.param:
        publish(recommender, two_tastes())
    return recommender


def asked(client: httpx.Client, url: str = LIST, **query: Any) -> dict[str, Any]:
    answer = client.get(url, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def movies(listed: dict[str, Any]) -> list[int]:
    return [item["movie"]["movie_id"] for item in listed["items"]]


def sent(ratings: dict[int, float], **members: Any) -> dict[str, Any]:
    return {"ratings": [{"movie_id": movie, "rating": rating} for movie, rating in ratings.items()], **members}


def test_a_recommendation_tells_its_movie_its_rating_and_the_reasons_for_it(
    live: Recommender, client: httpx.Client
) -> None:
    new_user(live.database, SOME)
    listed = asked(client, limit=3)
    assert [item["rank"] for item in listed["items"]] == [1, 2, 3]
    for item in listed["items"]:
        movie = item["movie"]
        n = IDS.index(movie["movie_id"])
        assert movie == movie_json(IDS[n], f"Movie {n}", ["Action"], 1950 + n)
        assert 0.5 <= item["expected_rating"] <= 5
        # both liked movies speak for it, and the disliked one of the other kind does not
        assert {reason["movie_id"] for reason in item["because"]} == {EVEN[0], EVEN[1]}
        assert {reason["title"] for reason in item["because"]} == {"Movie 0", "Movie 2"}
        assert sum(reason["share"] for reason in item["because"]) == pytest.approx(1, abs=1e-3)
    scores = [item["score"] for item in listed["items"]]
    assert scores == sorted(scores, reverse=True)


HISTORIES = [{}, SOME, {movie: 4.0 if movie in EVEN else 1.0 for movie in IDS[:30]}, {EVEN[0]: 0.5, EVEN[1]: 1.0}]


def test_the_first_ten_are_those_of_the_older_route(trained_or_not: Recommender, client: httpx.Client) -> None:
    for user, ratings in enumerate(HISTORIES, start=1):
        new_user(trained_or_not.database, ratings)
        for _ in range(2):  # the older one makes its list, then keeps it
            older = [dict(pairs) for pairs in client.get(f"/users/{user}/recommendations").json()]
            items = asked(client, f"/api/v1/users/{user}/recommendations")["items"]
            assert [one["movie_id"] for one in older] == [item["movie"]["movie_id"] for item in items]
            assert [one["title"] for one in older] == [item["movie"]["title"] for item in items]
            assert [one["expected_rating"] for one in older] == [item["expected_rating"] for item in items]


def test_pages_go_on_where_the_one_before_ended(trained_or_not: Recommender, client: httpx.Client) -> None:
    new_user(trained_or_not.database, SOME)
    whole = asked(client, limit=100)["items"]
    assert sorted(item["movie"]["movie_id"] for item in whole) == sorted(set(IDS) - set(SOME))
    assert [item["rank"] for item in whole] == list(range(1, len(whole) + 1))
    paged = [item for offset in range(0, 49, 7) for item in asked(client, limit=7, offset=offset)["items"]]
    assert paged == whole


STRATEGIES = [(0, "popular"), (1, "blended"), (25, "blended"), (26, "personal"), (30, "personal")]


@pytest.mark.parametrize(("rated", "strategy"), STRATEGIES)
def test_an_answer_says_how_it_was_made(
    recommender: Recommender, client: httpx.Client, rated: int, strategy: str
) -> None:
    new_user(recommender.database, dict.fromkeys(IDS[:rated], 4.0))
    before = asked(client)
    assert (before["strategy"], before["generation"], before["ratings_seen"]) == ("popular", None, rated)
    assert movies(before) == IDS[rated : rated + 10]
    assert all(item["because"] == [] for item in before["items"])
    generation = publish(recommender, two_tastes())
    with recommender.database.statement() as db:
        trained_at = generations.trained_at(db, generation)
    after = asked(client)
    assert (after["strategy"], after["ratings_seen"]) == (strategy, rated)
    assert after["generation"]["id"] == generation
    assert datetime.fromisoformat(after["generation"]["trained_at"]) == trained_at
    assert all(item["because"] for item in after["items"]) == (rated > 0)


def test_ratings_that_a_generation_cannot_use_leave_the_popular_movies(
    recommender: Recommender, client: httpx.Client
) -> None:
    publish(recommender, two_tastes(movies=IDS[:30]))
    new_user(recommender.database, {IDS[35]: 5.0})
    listed = asked(client, limit=100)
    assert (listed["strategy"], listed["ratings_seen"]) == ("popular", 1)
    assert sorted(movies(listed)) == IDS[:30]


def test_filters_are_applied_before_the_list_is_cut(trained_or_not: Recommender, client: httpx.Client) -> None:
    new_user(trained_or_not.database, SOME)
    order = movies(asked(client, limit=100))
    comedies = [movie for movie in order if movie in ODD]
    assert movies(asked(client, genre="comedy")) == comedies[:10]
    assert movies(asked(client, genre="Comedy", limit=5, offset=8)) == comedies[8:13]
    assert movies(asked(client, genre=["Drama", "COMEDY"], limit=100)) == comedies
    assert movies(asked(client, genre=["Drama", "Action"])) == []
    assert movies(asked(client, year_from=1960, year_to=1965)) == [movie for movie in order if movie in IDS[10:16]]
    assert movies(asked(client, year_from=1980)) == [movie for movie in order if movie in IDS[30:]]
    assert len(movies(asked(client, min_ratings=100, limit=100))) == len(order)
    assert movies(asked(client, min_ratings=101)) == []
    guest = client.post(GUEST, json=sent(SOME, genre=["comedy"], limit=5, offset=8)).json()
    assert movies(guest) == comedies[8:13]


def test_a_diverse_list_is_the_same_movies_nearer_to_the_genres_that_are_liked(
    live: Recommender, client: httpx.Client
) -> None:
    new_user(live.database, {EVEN[0]: 5.0, EVEN[1]: 4.0, EVEN[2]: 4.0, ODD[0]: 3.5, ODD[1]: 0.5})
    by_score = asked(client, limit=100)
    assert asked(client, limit=100, diversity=0) == by_score
    whole = asked(client, limit=100, diversity=1)
    assert sorted(movies(whole)) == sorted(movies(by_score))
    paged = [item for offset in range(0, 42, 7) for item in asked(client, limit=7, offset=offset, diversity=1)["items"]]
    assert paged == whole["items"]
    plain, diverse = asked(client), asked(client, diversity=1)
    assert diverse["miscalibration"] < plain["miscalibration"]
    assert diverse["median_popularity"] == 100
    ratings = {EVEN[0]: 5.0, EVEN[1]: 4.0, EVEN[2]: 4.0, ODD[0]: 3.5, ODD[1]: 0.5}
    assert client.post(GUEST, json=sent(ratings, diversity=1)).json()["items"] == diverse["items"]


def test_a_movie_that_was_added_after_the_training_is_similar_to_others_and_in_lists_without_a_floor(
    recommender: Recommender, client: httpx.Client
) -> None:
    with recommender.database.statement() as db:
        db.execute(text("UPDATE movies SET added_at = '2020-01-01'"))
    publish(recommender, with_genres(two_tastes()))
    new_user(recommender.database, SOME)
    assert asked(client, min_ratings=0)["items"] == asked(client)["items"]
    added = {"title": "A new movie", "genres": ["Action"], "year": 2026}
    assert client.put(f"/api/v1/movies/{NEW}", json=added).status_code == 201

    def similar(movie: int) -> list[int]:
        return movies(client.get(f"/api/v1/movies/{movie}/similar", params={"limit": 20}).json())

    assert set(similar(NEW)) == set(EVEN)
    assert set(similar(EVEN[3])) == {*EVEN, NEW} - {EVEN[3]}
    by_score = movies(asked(client, min_ratings=0, limit=100))
    assert by_score.index(NEW) < len(by_score) - 10
    since = client.get(f"/api/v1/movies/{NEW}").json()["added_at"]
    for query in ({"added_since": since}, {"min_ratings": 0, "year_from": 2026, "diversity": 1}):
        assert movies(asked(client, limit=100, **query)) == [NEW]
    prediction = asked(client, PREDICTIONS, movie_id=NEW)["items"][0]
    assert 0.5 <= prediction["expected_rating"] <= 5
    view(recommender.database, 1, NEW, 5.0)
    assert NEW not in movies(asked(client, min_ratings=0, limit=100))
    group = {"members": [{"ratings": []}, {"ratings": []}], "limit": 100}
    assert NEW in movies(client.post("/api/v1/groups/recommendations", json=group).json())


NEW = 1_000_000_000


def test_before_there_is_a_liked_movie_diversity_changes_nothing(
    trained_or_not: Recommender, client: httpx.Client
) -> None:
    for user, ratings in enumerate([{}, {EVEN[0]: 1.0}], start=1):
        new_user(trained_or_not.database, ratings)
        url = f"/api/v1/users/{user}/recommendations"
        assert asked(client, url, diversity=1) == asked(client, url)
        assert asked(client, url)["miscalibration"] is None
    nothing = asked(client, min_ratings=1000)
    assert (nothing["miscalibration"], nothing["median_popularity"]) == (None, None)


def test_an_answer_need_not_be_sent_again_until_something_changes(live: Recommender, client: httpx.Client) -> None:
    new_user(live.database, SOME)

    def look(tag: str, **query: Any) -> httpx.Response:
        return client.get(LIST, params=query, headers={"If-None-Match": tag})

    first = client.get(LIST)
    assert first.headers["cache-control"] == "private, no-cache"
    tag = first.headers["etag"]
    again = look(tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert look(tag, limit=5).status_code == 200
    assert look(tag, genre="Action").status_code == 200
    head = client.head(LIST)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    view(live.database, 1, EVEN[5], 5.0)
    rated = look(tag)
    assert rated.status_code == 200
    publish(live, two_tastes(seed=1))
    assert look(rated.headers["etag"]).status_code == 200
    with live.database.statement() as db:
        user_ratings.remove(db, 1, EVEN[5])
    assert look(rated.headers["etag"]).status_code == 200


def test_answers_differ_between_users_and_databases(
    live: Recommender, client: httpx.Client, empty: Database, serve: Callable[..., httpx.Client], ready: Health
) -> None:
    empty.migrate()
    fill_catalogue(empty)
    other = Recommender(empty)
    publish(other, two_tastes())
    tags = set()
    for database, service in ((live.database, client), (empty, serve(other, ready))):
        for user in (new_user(database, SOME), new_user(database, SOME)):
            for query in ("recommendations", f"predictions?movie_id={IDS[0]}"):
                tags.add(service.get(f"/api/v1/users/{user}/{query}").headers["etag"])
    assert len(tags) == 8


def test_someone_who_is_not_stored_gets_what_a_user_would(trained_or_not: Recommender, client: httpx.Client) -> None:
    for user, ratings in enumerate(HISTORIES, start=1):
        new_user(trained_or_not.database, ratings)
        answer = client.post(GUEST, json=sent(dict(reversed(ratings.items())), limit=7, offset=3))
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        stored = asked(client, f"/api/v1/users/{user}/recommendations", limit=7, offset=3)
        assert answer.json() | {"list_id": stored["list_id"]} == stored


def test_nothing_is_written_for_someone_who_is_not_stored(live: Recommender, client: httpx.Client) -> None:
    tables = ("users", "views", "recommendations")
    count = text("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables))  # noqa: S608
    assert client.post(GUEST, json=sent(SOME)).status_code == 200
    with live.database.statement() as db:
        assert db.execute(count).one() == (0, 0, 0)


def test_every_wrong_rating_of_someone_who_is_not_stored_is_named(client: httpx.Client) -> None:
    wrong = [(IDS[0], 4), (IDS[1], 4.25), (IDS[0], 3), (7, 3), ("x", 2), (2**31, 2)]
    answer = client.post(GUEST, json={"ratings": [{"movie_id": movie, "rating": rating} for movie, rating in wrong]})
    assert answer.status_code == 400
    assert [fault["where"] for fault in answer.json()["errors"]] == [
        "ratings.1.rating", "ratings.2.movie_id", "ratings.3.movie_id", "ratings.4.movie_id", "ratings.5.movie_id",
    ]  # fmt: skip


@pytest.mark.parametrize("trained", [False, True], ids=["popular", "trained"])
def test_any_movie_has_a_rating_to_expect(recommender: Recommender, client: httpx.Client, trained: bool) -> None:
    if trained:
        publish(recommender, two_tastes(movies=IDS[:30]))
    new_user(recommender.database, SOME)
    wanted = [IDS[35], EVEN[0], ODD[5], EVEN[7]]
    items = asked(client, PREDICTIONS, movie_id=wanted)["items"]
    assert [item["movie"]["movie_id"] for item in items] == wanted
    assert items[1]["movie"] == movie_json(IDS[0], "Movie 0", ["Action"], 1950)
    shown = {item["movie"]["movie_id"]: item["expected_rating"] for item in asked(client, limit=100)["items"]}
    expected = {item["movie"]["movie_id"]: item["expected_rating"] for item in items}
    assert expected[IDS[35]] == 2.75  # what people gave it, which is all that is known
    assert (expected[ODD[5]], expected[EVEN[7]]) == (shown[ODD[5]], shown[EVEN[7]])
    if trained:
        assert expected[EVEN[0]] > expected[ODD[5]]


def test_movies_that_there_are_not_have_no_rating_to_expect(client: httpx.Client, recommender: Recommender) -> None:
    new_user(recommender.database)
    answer = client.get(PREDICTIONS, params={"movie_id": [IDS[0], 7, 8]})
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is no movie 7, 8.")


def test_whoever_is_unknown_is_not_found(client: httpx.Client) -> None:
    for url in (LIST, f"{PREDICTIONS}?movie_id={IDS[0]}"):
        answer = client.get(url)
        assert (answer.status_code, answer.json()["detail"][:18]) == (404, "There is no user 1")


WRONG = {
    f"{LIST}?limit=0": "limit", f"{LIST}?limit=101": "limit", f"{LIST}?limit=ten": "limit",
    f"{LIST}?limit=1.0": "limit", f"{LIST}?offset=-1": "offset", f"{LIST}?offset=10001": "offset",
    f"{LIST}?year_from=999": "year_from",
    f"{LIST}?year_to=10000": "year_to", f"{LIST}?min_ratings=-1": "min_ratings", f"{LIST}?genre=Nonsense": "genre",
    f"{LIST}?added_since=today": "added_since",
    f"{LIST}?diversity=1.1": "diversity", f"{LIST}?diversity=nan": "diversity",
    f"{LIST}?genre=": "genre", f"{LIST}?genres=Comedy": "genres", f"{LIST}?genre=Comedy&genre=%00": "genre",
    PREDICTIONS: "movie_id", f"{PREDICTIONS}?movie_id=x": "movie_id.0",
    f"{PREDICTIONS}?movie_id={'&movie_id='.join(map(str, range(101)))}": "movie_id",
}  # fmt: skip


def test_what_cannot_be_meant_is_refused(client: httpx.Client, recommender: Recommender) -> None:
    new_user(recommender.database)
    for url, where in WRONG.items():
        answer = client.get(url)
        assert answer.status_code == 400, answer.text
        assert answer.json()["errors"][0]["where"] == where


def test_a_guest_who_cannot_be_understood_is_refused(client: httpx.Client) -> None:
    for body, where in [
        ({}, "ratings"),
        ({"ratings": [{"\ud800": 1}]}, "ratings.0"),
        ({"ratings": ["\ud800", {"movie_id": "\ud800", "rating": 1}]}, "ratings.0"),
        (sent({}, genre=["\ud800"]), "genre"),
        (sent({}, limit="5"), "limit"),
        (sent({}, genre=5), "genre"),
        (sent({}, genre=["Nonsense"]), "genre"),
        (sent({}, page=2), "page"),
        ({"ratings": [{"movie_id": 1, "rating": 1}] * 1001}, "ratings"),
    ]:
        answer = client.post(GUEST, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, answer.text
        assert answer.json()["errors"][0]["where"].startswith(where)


class Watcher:
    """A user who rates movies one after the other, and reads lists meanwhile: what a list says can be reckoned up."""

    def __init__(self, client: httpx.Client, user: int, factors: dict[int | None, Factors | None]) -> None:
        self.client, self.url, self.factors = client, f"/api/v1/users/{user}", factors
        rng = np.random.default_rng(user)
        self.movies = rng.permutation(IDS)[:30].tolist()
        self.ratings = (rng.integers(1, 11, 30) / 2).tolist()
        self.sent = self.confirmed = 0
        self.seen: set[int | None] = set()

    def write(self) -> None:
        for movie, rating in zip(self.movies, self.ratings, strict=True):
            self.sent += 1
            assert self.client.put(f"{self.url}/ratings/{movie}", json={"rating": rating}).status_code == 201
            self.confirmed += 1

    def read(self) -> None:
        while self.confirmed < len(self.movies):
            confirmed = self.confirmed
            listed = asked(self.client, f"{self.url}/recommendations")
            n = listed["ratings_seen"]
            assert confirmed <= n <= self.sent
            generation = listed["generation"] and listed["generation"]["id"]
            self.seen.add(generation)
            assert movies(listed) == self.list_of(generation, n)
            untold = n == 0 or generation is None
            assert listed["strategy"] == ("popular" if untold else "blended" if n <= 25 else "personal")

    def list_of(self, generation: int | None, n: int) -> list[int]:
        told = np.array(self.movies[:n], np.int32), np.array(self.ratings[:n], np.float32)
        factors = self.factors[generation]
        if factors is None:
            return [movie for movie in IDS if movie not in told[0]][:10]
        return ranked(factors, *told, 10).movies.tolist()


def test_an_answer_is_true_while_ratings_come_and_generations_change(
    recommender: Recommender, client: httpx.Client
) -> None:
    trained = [two_tastes(seed) for seed in (1, 2)]
    ids = [store_generation(recommender.database, one) for one in trained]
    factors = {None: None, **dict(zip(ids, trained, strict=True))}
    people = [Watcher(client, new_user(recommender.database), factors) for _ in range(5)]
    with ThreadPoolExecutor(10) as pool:
        under_way = [pool.submit(work) for person in people for work in (person.write, person.read)]
        flips = 0
        while not all(one.done() for one in under_way):
            if any(person.confirmed > 3 for person in people):  # before that there is no generation
                flip(recommender.database, ids[flips % 2])
                recommender.model.refresh()
                flips += 1
        for one in under_way:
            one.result()
    assert flips > 5
    assert set().union(*(person.seen for person in people)) == {None, *ids}
