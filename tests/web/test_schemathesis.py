"""Requests made up from the API's own description, right and wrong ones, to the real server.

Whatever it answers must be documented: status, headers, type and body; and none of it may be an error of ours.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from handmade_model import IDS, fill_catalogue, new_user, publish, two_tastes
from hypothesis import HealthCheck, settings
from raw_http import serving
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app import create_app
from health import Health
from ranking.experiment import Experiment
from recommender import Recommender
from settings import Settings
from storage import experiments, tokens, user_ratings
from storage.database import Database
from web.openapi import new_app

USERS = 3
KEY = "the admin's key"
# a cursor that nobody gave out and a movie that is not there look right and are refused
LEFT_OUT = [positive_data_acceptance]

description = schemathesis.openapi.from_dict(new_app(__name__).api_doc)
description.config.seed = 1


THERE = {"user_id": range(1, USERS + 2), "movie_id": [*IDS, 1], "generation_id": range(1, 4), "token_id": range(1, 4)}
EXPERIMENTS = ("an-ended-one", "one-that-never-was")
SECRETS: dict[str, str] = {}  # a token of each scope


def known(value: Any, name: str = "") -> Any:
    """Return a value with each id that is made up, but valid, replaced by one that is likely to be there."""
    if isinstance(value, dict):
        return {part: known(held, part) for part, held in value.items()}
    if isinstance(value, list):
        return [known(held, name) for held in value]
    return (
        THERE[name][value % len(THERE[name])]
        if name in THERE and type(value) is int and -(2**31) <= value < 2**31
        else value
    )


@description.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    if path_parameters and "token" in path_parameters and len(path_parameters["token"]) > 1:
        return path_parameters | {"token": SECRETS[context.operation.path.split("/")[3]]}
    if path_parameters and "name" in path_parameters:
        return {"name": EXPERIMENTS[len(path_parameters["name"]) % 2]}
    return known(path_parameters)


@description.hook
def map_query(context: Any, query: Any) -> Any:
    return known(query)


@description.hook
def map_body(context: Any, body: Any) -> Any:
    return known(body)


@pytest.fixture
def base_url(database: Database, ready: Health) -> Iterator[str]:
    """Where a service answers that has movies, a generation, and users with and without ratings."""
    fill_catalogue(database)
    recommender = Recommender(database)
    for seed in range(2):
        publish(recommender, two_tastes(seed))
    for user in range(USERS):
        new_user(database, dict.fromkeys(IDS[: 4 * user], 4.5))
    with database.statement() as db:
        for user in range(1, USERS + 1):
            for movie in IDS:
                user_ratings.put_mark(db, user, movie, "later")
        SECRETS.update({f"{scope}s": tokens.create(db, 1, scope)[1] for scope in ("list", "hook")})
    with database.transaction() as db:
        experiments.start(db, Experiment(EXPERIMENTS[0], ("today", "G1"), 20, False, "salt"))
        experiments.end(db, EXPERIMENTS[0], "ended")
    keys = Settings(api_key="a key", admin_key=KEY)
    with serving(create_app(recommender, ready, keys)) as (host, port):
        yield f"http://{host}:{port}"


answered: dict[str, set[int]] = {}


@description.parametrize()
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: schemathesis.Case, base_url: str) -> None:
    key = {"Authorization": f"Bearer {KEY}"}
    answer = case.call(base_url=base_url, headers=key)
    if answer.status_code == 431:  # of the HTTP server, for a query that is longer than headers may be
        return
    case.validate_response(answer, headers=key, excluded_checks=LEFT_OUT)
    answered.setdefault(case.operation.label, set()).add(answer.status_code)
    kept = answer.status_code == 200 and case.operation.responses.get("304") is not None
    assert kept == ("etag" in answer.headers)


def test_the_requests_reached_what_they_were_made_for() -> None:
    if not answered:
        pytest.skip("no request was sent")
    for operation, statuses in answered.items():
        assert statuses & {200, 201, 202, 204}, f"{operation} has only answered {statuses}"
        assert any(status >= 400 for status in statuses), f"{operation} has only answered {statuses}"
