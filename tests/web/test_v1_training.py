"""Operating over real HTTP: generations with their measures, going back to one, and training when told to."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
import numpy as np
import pytest
from generation_records import judged, record
from handmade_model import EVEN, MOVIES, fill_catalogue, new_user, publish, two_tastes
from processes import poll
from raw_http import serving
from sqlalchemy import text
from thread_trainer import ThreadTrainer, job_of

from app import create_app
from engine import Engine
from health import Health
from jobs import scheduler
from jobs.ingest import init_movie_table
from jobs.scheduler import Scheduler
from jobs.training import Trainer
from ranking.batch_lists import ListColumns, rank_locally
from ranking.factors import Factors
from ranking.rating_histories import Histories
from recommender import Recommender
from settings import Settings
from storage import predictions, runs
from storage.database import TRAINING_LOCK, Database
from storage.predictions import PredictionRow

GENERATIONS, RETRAIN = "/api/v1/generations", "/api/v1/retrain"
NOWHERE = Database("postgresql://nobody@127.0.0.1:1/none", 1)
Serve = Callable[..., httpx.Client]


@pytest.fixture
def recommender(database: Database) -> Recommender:
    """One that serves the newer of two generations of forty movies."""
    fill_catalogue(database)
    recommender = Recommender(database)
    for seed in range(2):
        publish(recommender, two_tastes(seed))
    return recommender


@pytest.fixture
def client(recommender: Recommender, serve: Serve, ready: Health) -> httpx.Client:
    return serve(recommender, ready)


def activate(client: httpx.Client, generation: int | str) -> httpx.Response:
    return client.post(f"{GENERATIONS}/{generation}/activate")


# what the trainings made


def test_generations_are_told_of_newest_first(client: httpx.Client, database: Database) -> None:
    given = {"0": judged(0.2), "10": judged(0.3), "20": judged(None)}
    details = {
        "held_out": {"candidate": {"given": given}, "live": {"given": {"10": judged(0.25)}}, "diversity": CURVE},
        "seconds": {"ranker": 2.5}, "parameters": {"ranker_rank": 2, "ranker_reg": 0.06}, "facts": {"views": 7},
    }  # fmt: skip
    newest = record(database, details, "rejected")
    items = client.get(GENERATIONS).json()["items"]
    assert [(one["id"], one["live"]) for one in items] == [(newest, False), (2, True), (1, False)]
    found = items[0]
    assert (found["verdict"], found["reason"], found["kept"]) == ("rejected", "made by hand", True)
    assert (found["run"]["outcome"], found["run"]["started_at"] < found["run"]["finished_at"]) == ("published", True)
    assert found["seconds"] == {"ranker": 2.5}
    assert found["parameters"] == {"ranker_rank": 2, "ranker_reg": 0.06}
    assert found["data"] == {"views": 7}
    assert (found["metrics"]["given"], found["metrics"]["users"], found["metrics"]["coverage"]) == (10, 50, 0.05)
    for measure in ("ndcg", "popularity", "gain", "recall", "hit_rate", "rmse"):
        assert found["metrics"][measure] == pytest.approx({"value": 0.3, "low": 0.2, "high": 0.4})
        assert found["live_metrics"][measure]["value"] == 0.25
    assert client.get(GENERATIONS, params={"limit": 1}).json()["items"] == [found]
    in_full = client.get(f"{GENERATIONS}/{newest}").json()
    assert [(one["given"], one["ndcg"]["value"]) for one in in_full.pop("by_given")] == [(0, 0.2), (10, 0.3)]
    assert in_full.pop("diversity") == [
        {"diversity": 0.5, "ndcg": 0.28, "miscalibration": 0.46, "median_popularity": 165}
    ]
    assert in_full == found


CURVE = {"0.5": {"NDCG@10": 0.28, "miscalibration": 0.46, "median popularity": 165.0}}


def test_where_nobody_had_given_ten_ratings_the_most_that_any_had_count(
    client: httpx.Client, database: Database
) -> None:
    given = {"10": judged(None), "3": judged(0.1), "5": judged(0.2), "20": judged(None)}
    record(database, {"held_out": {"candidate": {"given": given}}})
    found = client.get(GENERATIONS).json()["items"][0]
    assert (found["metrics"]["given"], found["metrics"]["ndcg"]["value"], found["live_metrics"]) == (5, 0.2, None)


def test_a_generation_of_which_little_was_recorded_is_told_of(client: httpx.Client) -> None:
    found = client.get(f"{GENERATIONS}/1").json()
    assert (found["run"], found["metrics"], found["live_metrics"], found["online"]) == (None, None, None, None)
    assert (found["seconds"], found["parameters"], found["data"], found["by_given"]) == ({}, {}, {}, [])


def test_what_came_true_is_told(client: httpx.Client, database: Database) -> None:
    user = new_user(database)
    with database.background_transaction() as db:
        rows = [PredictionRow(user, n, EVEN[n], 1, 4.0, 3.0, rank) for n, rank in enumerate((1, 8, 20))]
        predictions.add(db, rows, np.array([], np.int32), np.array([], np.int64))
    online = client.get(f"{GENERATIONS}/1").json()["online"]
    assert online == {"views": 3, "rmse": 1.0, "hit_rate": pytest.approx(2 / 3), "median_rank": 8.0}


@pytest.mark.parametrize("generation", ["99", "-1", "0"])
def test_an_unknown_generation_is_not_found(client: httpx.Client, generation: str) -> None:
    assert client.get(f"{GENERATIONS}/{generation}").status_code == 404
    assert activate(client, generation).status_code == 404


# going back


def test_a_generation_is_served_at_once_and_elsewhere_at_the_next_look(
    client: httpx.Client, recommender: Recommender
) -> None:
    elsewhere = Recommender(recommender.database)
    elsewhere.model.refresh()
    user = new_user(recommender.database, {EVEN[0]: 5.0})
    for generation in (1, 1, 2):  # the second time it changes nothing
        answer = activate(client, generation)
        assert (answer.status_code, answer.json()["id"], answer.json()["live"]) == (200, generation, True)
        listed = client.get(f"/api/v1/users/{user}/recommendations").json()
        assert listed["generation"]["id"] == generation
        assert [one["id"] for one in client.get(GENERATIONS).json()["items"] if one["live"]] == [generation]
        elsewhere.model.refresh()
        assert elsewhere.model.live is not None
        assert elsewhere.model.live.id == generation


def test_what_is_activated_is_held_until_it_is_released(client: httpx.Client, recommender: Recommender) -> None:
    assert activate(client, 1).json()["held"] is True
    for _ in range(2):
        assert client.delete(f"{GENERATIONS}/live/hold").status_code == 204
        assert [one["held"] for one in client.get(GENERATIONS).json()["items"]] == [False, False]


DAMAGE = {
    "gone": "UPDATE generations SET factors = NULL, checksum = NULL WHERE id = 1",
    "changed": "UPDATE generations SET factors = set_byte(factors, 500, 255 - get_byte(factors, 500)) WHERE id = 1",
    "of other movies": "DELETE FROM movies WHERE id = 25903",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_cannot_be_served_does_not_go_live(
    damage: str, recommender: Recommender, serve: Serve, ready: Health
) -> None:
    with recommender.database.statement() as db:
        db.execute(text(DAMAGE[damage]))
    serving = Recommender(recommender.database) if damage == "of other movies" else recommender
    client = serve(serving, ready)
    answer = activate(client, 1)
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert [one["id"] for one in client.get(GENERATIONS).json()["items"] if one["live"]] == [2]
    assert recommender.model.live is not None
    assert recommender.model.live.id == 2


# training


class Taught:
    """In place of Spark: knows the tastes of the checkerboard once its gate is open, or fails."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.failure: Exception | None = None

    def start(self, ratings: int) -> None:
        """There is nothing to start."""

    def train(self, *_: object) -> Factors:
        assert self.gate.wait(60)
        if self.failure:
            raise self.failure
        return two_tastes(movies=list(range(1, MOVIES + 1)))

    lists = staticmethod(rank_locally)

    def iter_lists(self, factors: Factors, histories: Histories, n: int) -> Generator[ListColumns, None, None]:
        yield rank_locally(factors, histories, n)


@pytest.fixture
def taught() -> Taught:
    return Taught()


@pytest.fixture
def trainer(settings: Settings, database: Database, taught: Taught) -> Trainer:
    return Trainer(settings, database, cast(Engine, taught), Recommender(database))


@pytest.fixture
def served(ready: Health, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Trainer], httpx.Client]]:
    """Serves an application with a scheduler and what trains, in threads."""
    monkeypatch.setattr(scheduler, "TICK_SECONDS", 0.1)
    with ExitStack() as stack:

        def start(trainer: Trainer) -> httpx.Client:
            jobs = Scheduler(trainer.settings, trainer.recommender, ready, ThreadTrainer(job_of(trainer)))
            jobs.start()
            stack.callback(jobs.stop)
            stack.callback(poll, lambda: ready["trainer"].state != "running", what="the end of a training")
            address = stack.enter_context(serving(create_app(trainer.recommender, ready, Settings())))
            return stack.enter_context(httpx.Client(base_url="http://{}:{}".format(*address), timeout=30))

        yield start


@pytest.fixture
def operated(served: Callable[[Trainer], httpx.Client], trainer: Trainer) -> httpx.Client:
    """A service that trains only when it is told to, with movies and no generation."""
    init_movie_table(trainer.database, trainer.settings)
    return served(replace(trainer, settings=replace(trainer.settings, retrain_minutes=0.0)))


def finished(client: httpx.Client) -> dict[str, Any]:
    """The state once no training is under way."""

    def look() -> dict[str, Any] | None:
        state: dict[str, Any] = client.get(RETRAIN).json()
        return None if state["state"] == "running" else state

    return poll(look, what="the end of a training")


def test_a_training_is_done_when_told_to_even_if_nothing_has_changed(operated: httpx.Client, taught: Taught) -> None:
    client = operated
    taught.gate.set()
    before = client.get(RETRAIN).json()
    assert (before["state"], before["run_id"], before["outcome"], before["next_at"]) == ("off", None, None, None)
    assert {phase["name"]: phase["share"] for phase in before["phases"]} == runs.TRAINING_PHASES
    for generation in (1, 2):
        answer = client.post(RETRAIN)
        assert (answer.status_code, answer.headers["location"]) == (202, RETRAIN)
        after = finished(client)
        assert (after["run_id"], after["outcome"], after["error"]) == (answer.json()["run_id"], "published", None)
        assert (after["state"], after["progress"], after["started_at"] < after["finished_at"]) == ("off", 1.0, True)
        found = client.get(f"{GENERATIONS}/{generation}").json()
        assert (found["live"], found["run"]["id"]) == (True, after["run_id"])
        assert found["parameters"]["ranker_rank"] == 2
        assert (found["data"]["films"], found["data"]["views"]) == (40, 0)


def test_a_training_is_followed_to_its_end_and_none_begins_beside_it(
    operated: httpx.Client, taught: Taught, ready: Health
) -> None:
    client = operated
    run = client.post(RETRAIN).json()["run_id"]
    state = poll(lambda: (found := client.get(RETRAIN).json())["phase"] == "ranker" and found)
    assert (state["state"], state["run_id"], state["finished_at"], state["outcome"]) == ("running", run, None, None)
    assert 0 < state["progress"] < 0.1
    for _ in range(2):
        answer = client.post(RETRAIN)
        assert (answer.status_code, answer.json()["code"]) == (409, "training_running")
        assert answer.json()["detail"] == "A training run is in progress."
    assert ready["trainer"].state == "running"
    taught.failure = OSError("the disk is full")
    taught.gate.set()
    state = finished(client)
    assert (state["state"], state["outcome"], state["error"]) == ("failed", "failed", "OSError: the disk is full")
    poll(lambda: ready["trainer"].state == "failed")


def test_a_training_of_another_process_is_told_of(operated: httpx.Client, database: Database) -> None:
    client = operated
    with database.try_lock(TRAINING_LOCK):
        with database.statement() as db:
            run = runs.begin(db, "train")
            runs.advance(db, run, "rater", 0.6)
        state = client.get(RETRAIN).json()
        assert (state["state"], state["run_id"], state["phase"]) == ("running", run, "rater")
        assert state["progress"] == pytest.approx(0.6)
        assert client.post(RETRAIN).status_code == 409
    state = client.get(RETRAIN).json()  # the lock is free and the run without an end: its process died
    assert (state["state"], state["outcome"], state["error"]) == ("failed", None, runs.INTERRUPTED)
    assert client.post(RETRAIN).status_code == 202
    with database.statement() as db:
        assert runs.find(db, run, TRAINING_LOCK).outcome == "failed"


def test_a_training_that_was_interrupted_has_not_failed(client: httpx.Client, database: Database) -> None:
    with database.statement() as db:
        runs.end(db, runs.begin(db, "train"), "interrupted", {}, "the service was stopped in the middle of it")
    state = client.get(RETRAIN).json()
    assert (state["state"], state["outcome"]) == ("off", "interrupted")
    assert state["error"] == "the service was stopped in the middle of it"


def test_a_training_cannot_be_ordered_while_the_database_is_away(ready: Health) -> None:
    with serving(create_app(Recommender(NOWHERE), ready, Settings())) as address:
        answer = httpx.post("http://{}:{}".format(*address) + RETRAIN)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_the_next_training_is_announced(trainer: Trainer, served: Callable[[Trainer], httpx.Client]) -> None:
    init_movie_table(trainer.database, trainer.settings)
    publish(trainer.recommender, two_tastes(movies=list(range(1, MOVIES + 1))))
    with trainer.database.transaction() as db:
        runs.end(db, runs.begin(db, "train"), "published", {})
    client = served(trainer)
    state = poll(lambda: (found := client.get(RETRAIN).json())["next_at"] and found, what="the news")
    assert (state["state"], state["outcome"]) == ("idle", "published")
    pause = datetime.fromisoformat(state["next_at"]) - datetime.fromisoformat(state["started_at"])
    assert pause == timedelta(minutes=trainer.settings.retrain_minutes)


# keys


def test_only_an_operator_may_change_what_is_served(recommender: Recommender, serve: Serve, ready: Health) -> None:
    client = serve(recommender, ready, api_key="a-key-of-callers", admin_key="the-operators-key")
    for route in (RETRAIN, f"{GENERATIONS}/1/activate"):
        statuses = {
            key: client.post(route, headers={"Authorization": f"Bearer {key}"} if key else {}).status_code
            for key in ("", "a-key-of-callers", "the-operators-key")
        }
        assert list(statuses.values())[:2] == [401, 403], route
        assert statuses["the-operators-key"] in (200, 202)
    for route in (RETRAIN, GENERATIONS, f"{GENERATIONS}/1"):
        assert client.get(route).status_code == 401
        assert client.get(route, headers={"X-API-Key": "a-key-of-callers"}).status_code == 200
