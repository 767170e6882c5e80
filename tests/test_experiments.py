"""Experiments: who gets which list, in every process; what is recorded; and the end of an arm that is worse."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from handmade_model import EVEN, IDS, flip, new_user, store_generation, store_list, two_tastes, view
from sqlalchemy import text

from app import create_app
from health import Health
from jobs.experiments import judge, update_results
from jobs.refresh import refresh
from movielens.reader import DatasetError
from recommender import Recommender
from settings import Settings
from storage import experiments, generations
from storage.database import Database

API = "/api/v1/experiments"
AB = {"name": "ab", "arms": ["today", "G2"], "share": 100}


@pytest.fixture
def other(live: Recommender) -> int:
    """A stored generation that is not live and orders the movies in another way."""
    return store_generation(live.database, two_tastes(seed=1))


@pytest.fixture
def client(live: Recommender, other: int, ready: Health) -> FlaskClient:
    return create_app(live, ready, Settings()).test_client()


def start(client: FlaskClient, **changed: Any) -> None:
    asked = AB | changed
    if client.post(API, json=asked).status_code == 202:
        with recommender_of(client).database.transaction() as db:
            assert experiments.run(db, asked["name"], ["not worse"])
    refresh(recommender_of(client), Health())


def recommender_of(client: FlaskClient) -> Recommender:
    found: Recommender = client.application.extensions["recommender"]
    return found


def original(client: FlaskClient, user: int) -> list[int]:
    return [dict(item)["movie_id"] for item in client.get(f"/users/{user}/recommendations").json or ()]


def v1(client: FlaskClient, user: int, query: str = "") -> list[int]:
    answer = client.get(f"/api/v1/users/{user}/recommendations{query}").json
    return [item["movie"]["movie_id"] for item in answer["items"]]  # type: ignore[index]


def impressions(client: FlaskClient) -> list[Any]:
    client.application.extensions["impressions"].store()
    with recommender_of(client).database.statement() as db:
        return list(db.execute(text("SELECT * FROM impressions ORDER BY at")))


def lists_of(database: Database, generation: int, user: int) -> list[int]:
    """The list of a generation, by another recommender that has it live."""
    with database.statement() as db:
        before = generations.live_id(db)
    flip(database, generation)
    alone = Recommender(database)
    alone.model.refresh()
    found = [item.movie.movie_id for item in alone.recommend(user).items]
    flip(database, before or generation)
    return found


def test_each_user_gets_the_lists_of_their_arm_on_every_route_and_after_each_rating(
    live: Recommender, client: FlaskClient, other: int
) -> None:
    users = [new_user(live.database, {EVEN[0]: 5.0}) for _ in range(12)]
    for user in users:
        store_list(live, user)
    start(client)
    second = Recommender(live.database)  # another process, or this one after a restart
    refresh(second, Health())
    arms = {}
    for user in users:
        for _ in range(2):
            expected = {name: lists_of(live.database, which, user) for name, which in (("today", 1), ("G2", other))}
            assert expected["today"] != expected["G2"]
            shown = original(client, user)
            arms[user] = next(name for name, found in expected.items() if found == shown)
            assert v1(client, user) == original(client, user) == shown
            assert [item.movie.movie_id for item in second.recommend(user).items] == shown
            view(live.database, user, shown[0], 4.0)
    assert set(arms.values()) == {"today", "G2"}
    assert all(row.experiment == "ab" and row.arm == arms[row.user_id] for row in impressions(client))
    assert client.delete(f"{API}/ab").status_code == 204
    refresh(live, Health())
    for user in users:
        assert original(client, user) == lists_of(live.database, 1, user)


def test_an_interleaved_list_is_drafted_by_both_arms_and_its_pages_fit(
    live: Recommender, client: FlaskClient, other: int
) -> None:
    user = new_user(live.database, {EVEN[0]: 5.0})
    start(client, interleave=True)
    whole = v1(client, user, "?limit=20")
    assert original(client, user) == whole[:10]
    assert v1(client, user, "?limit=7&offset=10") == whole[10:17]
    expected = {"today": lists_of(live.database, 1, user), "G2": lists_of(live.database, other, user)}
    row = next(row for row in impressions(client) if row.route == "original")
    assert (row.experiment, row.arm, sorted(row.teams)) == ("ab", None, ["G2"] * 5 + ["today"] * 5)
    for place, (movie, team) in enumerate(zip(row.movie_ids, row.teams, strict=True)):
        assert movie == next(each for each in expected[team] if each not in row.movie_ids[:place])
    assert set(v1(client, user, "?genre=comedy")) <= set(IDS[1::2])


def test_a_setting_of_the_score_is_an_arm(live: Recommender, client: FlaskClient) -> None:
    user = new_user(live.database)
    start(client, arms=["popularity_weight=0", "min_ratings=0"])
    assert len(original(client, user)) == 10
    assert impressions(client)[0].arm in ("popularity_weight=0", "min_ratings=0")


def test_a_changed_setting_is_shown_to_nobody_before_it_has_been_judged(live: Recommender, client: FlaskClient) -> None:
    user, asked = new_user(live.database, {EVEN[0]: 5.0}), AB | {"arms": ["popularity_weight=0", "noise=0.2"]}

    def state() -> Any:
        refresh(live, Health())
        found = client.get(f"{API}/ab").json
        assert (live.model.experiment is not None) == (found["state"] == "running")  # type: ignore[index]
        return found

    answer = client.post(API, json=asked)
    assert (answer.status_code, answer.headers["Location"]) == (202, f"{API}/ab")
    assert (state()["state"], state()["judgement"]) == ("judging", None)
    assert original(client, user) == lists_of(live.database, 1, user)
    assert client.post(API, json=AB | {"name": "next"}).status_code == 409
    with pytest.raises(DatasetError):  # there are no base ratings to judge it with
        judge(live.database, Settings(), "ab")
    refused = state()
    assert refused["state"] == "ended"
    assert refused["reason"].startswith("refused: ")
    assert client.post(API, json=asked).status_code == 202, "what has never run leaves its name"
    with live.database.transaction() as db:
        assert experiments.run(db, "ab", ["noise=0.2: not worse"])
        assert not experiments.run(db, "ab", []), "it is judged once"
    assert state()["judgement"] == ["noise=0.2: not worse"]


def test_only_what_may_be_shown_is_an_arm_and_one_experiment_runs(live: Recommender, client: FlaskClient) -> None:
    with live.database.statement() as db:
        db.execute(text("UPDATE generations SET verdict = 'rejected' WHERE id = 2"))
    for arms in (["today", "G2"], ["today", "G99"], ["today", "ranker_rank=4"], ["today"], ["today", "today"]):
        refused = client.post(API, json=AB | {"arms": arms})
        assert refused.status_code == 400
        assert [error["where"] for error in refused.json["errors"]] == ["arms"]  # type: ignore[index]
    start(client, arms=["today", "noise=0.2"])
    assert client.post(API, json=AB | {"name": "next", "arms": ["today", "noise=0.3"]}).status_code == 409
    client.delete(f"{API}/ab")
    assert client.post(API, json=AB | {"arms": ["today", "noise=0.3"]}).status_code == 409, "the name is known"
    assert client.delete(f"{API}/none").status_code == 404


def test_the_factors_of_an_arm_are_kept(live: Recommender, client: FlaskClient, other: int) -> None:
    start(client)
    for seed in (3, 4, 5):
        flip(live.database, store_generation(live.database, two_tastes(seed)))
    with live.database.transaction() as db:
        generations.prune(db, keep=1)
        assert generations.find(db, other).kept


def test_an_arm_that_is_significantly_worse_is_ended(
    live: Recommender, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Users of one arm like half of their list, those of the other nothing."""
    users = [new_user(live.database) for _ in range(90)]
    start(client)
    for user in users:
        original(client, user)
    arm_of = {row.user_id: row.arm for row in impressions(client)}
    for row in impressions(client):
        for movie in row.movie_ids[:5]:
            view(live.database, row.user_id, movie, 5.0 if row.arm == "today" else 1.0)
    update_results(live.database)
    assert "experiment ab: arm G2 is significantly worse and ends: -5.000 (" in caplog.text
    shown = client.get(API).json["items"][0]  # type: ignore[index]
    assert [arm["users"] for arm in shown["arms"]] == [[*arm_of.values()].count(arm) for arm in ("today", "G2")]
    assert [arm["liked"] for arm in shown["arms"]] == [5 * shown["arms"][0]["users"], 0]
    assert (shown["arms"][1]["ended"], shown["arms"][1]["difference"][0]) == (True, -5.0)
    assert shown["ended_at"]
    assert "significantly worse" in shown["reason"]
    with live.database.statement() as db:
        assert experiments.running(db) is None
