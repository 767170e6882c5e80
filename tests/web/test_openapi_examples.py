"""The examples of the OpenAPI document have the shape of what the service really sends."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from generation_records import judged, record
from handmade_model import IDS, new_user
from openapi_example import example_of

from health import Health
from recommender import Recommender
from storage import predictions, tokens
from storage.database import Database
from storage.predictions import PredictionRow
from web.openapi import new_app
from web.v1.schemas import DETAILS, FILE_DETAILS

Serve = Callable[..., httpx.Client]
API = "/api/v1"
KEY, ADMIN_KEY = "a-key-of-callers-1", "a-key-of-the-admin"
FREE = {"seconds", "parameters", "data"}  # objects whose members differ from generation to generation
RATINGS = {"ratings": [{"movie_id": IDS[0], "rating": 4.5}]}
IMPORT = [{"rating": 8, "movie": {"title": "Movie 0", "year": 1999}}]  # of another year: unmatched
REQUESTS: list[tuple[str, str, Any]] = [  # in this order, each may need those before it
    ("post", "/users", None),
    ("put", "/users/{user_id}/ratings/{movie_id}", {"rating": 4.5}),
    ("post", "/users/{user_id}/ratings", RATINGS),
    ("put", "/users/{user_id}/marks/{movie_id}", {"mark": "later"}),
    ("get", "/users/{user_id}/marks", None),
    ("post", "/users/{user_id}/imports", IMPORT),
    ("get", "/users/{user_id}", None),
    ("patch", "/users/{user_id}", {"train": False}),
    ("post", "/users/{user_id}/tokens", {"scope": "list", "name": "Radarr"}),
    ("get", "/users/{user_id}/tokens", None),
    ("get", "/lists/{token}.json", None),
    ("post", "/hooks/{token}", {"NotificationType": "ItemAdded"}),
    ("get", "/users/{user_id}/ratings", None),
    ("get", "/users/{user_id}/recommendations", None),
    ("get", "/users/{user_id}/predictions?movie_id=25903", None),
    ("get", "/users/{user_id}/taste", None),
    ("post", "/users/{user_id}/recommendations", {"limit": 5}),
    ("post", "/recommendations", RATINGS),
    ("post", "/groups/recommendations", {"members": [1, RATINGS]}),
    ("post", "/events", {"list_id": "8e03978e-40d5-43dd-bc93-6894a57f9324", "movie_id": IDS[0], "event": "opened"}),
    ("get", "/outcomes", None),
    ("get", "/catalogue/changes", None),
    ("get", "/users/{user_id}/export", None),
    ("get", "/movies?limit=1", None),
    ("get", "/movies/{movie_id}", None),
    ("get", "/movies/{movie_id}/similar", None),
    ("put", "/movies/{movie_id}", {"title": "Renamed", "genres": ["Drama"], "year": 1990}),
    ("post", "/movies", {"title": "Our own"}),
    ("post", "/movies/batch", {"movies": [{"title": "Another one of ours"}]}),
    ("get", "/genres", None),
    ("get", "/generations", None),
    ("get", "/generations/{generation_id}", None),
    ("post", "/generations/{generation_id}/activate", None),
    ("get", "/retrain", None),
    ("post", "/experiments", {"name": "fewer-neighbours", "arms": ["today", "neighbour_weight=0.8"], "share": 20}),
    ("get", "/experiments", None),
    ("get", "/experiments/{name}", None),
]
ELSEWHERE = {("post", "/retrain")}  # its 202 needs a training run: tests/web/test_v1_training.py


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return new_app(__name__).api_doc


@pytest.fixture
def judged_live(live: Recommender) -> Recommender:
    """One with a generation that has every metric, and a user of whom every kind of row is stored."""
    user = new_user(live.database, {IDS[2]: 4.0})
    given = {"held_out": {which: {"given": {"10": judged(0.3)}} for which in ("candidate", "live")}}
    curve = {"0.5": {"NDCG@10": 0.28, "miscalibration": 0.46, "median popularity": 165.0}}
    given["held_out"]["diversity"] = curve  # type: ignore[assignment]
    generation = record(live.database, given)
    with live.database.background_transaction() as db:
        rows = [PredictionRow(user, made_by, IDS[2], made_by, 4.0, 3.0, 2) for made_by in (1, generation)]
        predictions.add(db, rows, np.array([], np.int32), np.array([], np.int64))
    return live


def shape(value: Any, name: str = "") -> Any:
    """The names and types in a JSON value; None for what may be null or empty."""
    if isinstance(value, dict):
        return "an object" if name in FREE else {key: shape(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return type(value).__name__ if value is not None else None


def differences(example: Any, answer: Any, where: str = "") -> list[str]:
    if example is None or answer is None:
        return []
    if isinstance(example, dict) and isinstance(answer, dict):
        lacking = [f"{where}.{key} is only in one of them" for key in example.keys() ^ answer.keys()]
        both = [key for key in example if key in answer]
        return lacking + [each for key in both for each in differences(example[key], answer[key], f"{where}.{key}")]
    if isinstance(example, list) and isinstance(answer, list):
        return differences(example[0], answer[0], f"{where}[]")
    return [] if example == answer else [f"{where} is {answer}, in the example {example}"]


def test_an_example_has_the_shape_of_the_answer(
    judged_live: Recommender, serve: Serve, ready: Health, document: dict[str, Any]
) -> None:
    client = serve(judged_live, ready)
    wrong, seen = [], set(ELSEWHERE)
    with judged_live.database.statement() as db:
        secrets = {f"{scope}s": tokens.create(db, 1, scope)[1] for scope in ("list", "hook")}
    for method, path, body in REQUESTS:
        ids = {"name": "fewer-neighbours", "user_id": 1, "movie_id": IDS[0], "generation_id": 2}
        url = path.format(**ids, token=secrets.get(path.split("/")[1]))
        answer = client.request(method, f"{API}{url}", json=body)
        assert answer.is_success, f"{url}: {answer.text}"
        operation = document["paths"][f"{API}{path.partition('?')[0]}"][method]
        schema = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        example = example_of(schema, document)
        wrong += [f"{method} {path}: {each}" for each in differences(shape(example), shape(answer.json()))]
        seen.add((method, path.partition("?")[0]))
    assert wrong == []
    answered = {
        (method, path.removeprefix(API))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "204" not in operation["responses"]
    }
    assert answered == seen


def test_an_example_of_an_error_is_what_is_sent(live: Recommender, serve: Serve, ready: Health) -> None:
    away = Recommender(Database("postgresql://nobody@127.0.0.1:1/none", threads=1))
    keys = serve(live, ready, api_key=KEY, admin_key=ADMIN_KEY)
    limited = serve(live, ready, host="0.0.0.0", rate_limit="1/day")  # noqa: S104 - nothing listens there
    client = serve(live, ready)
    limited.get(f"{API}/users/17")
    answers = {
        401: keys.get(f"{API}/users/17"),
        403: keys.post(f"{API}/retrain", headers={"X-API-Key": KEY}),
        404: client.get(f"{API}/users/17"),
        413: client.post(f"{API}/recommendations", content=b" " * 2_000_000),
        415: client.post(f"{API}/recommendations", content=b"{}", headers={"Content-Type": "text/plain"}),
        429: limited.get(f"{API}/users/17"),
        503: serve(away, ready).get(f"{API}/users/17"),
    }
    for status, answer in answers.items():
        assert answer.status_code == status, answer.text
    told = {status: answer.json()["detail"] for status, answer in answers.items()}
    wait = int(answers[429].headers["retry-after"])
    assert told.pop(429) == DETAILS[429].replace("3000/minute", "1/day").replace("12 s", f"{wait} s")
    assert told == {status: DETAILS[status] for status in told}
    assert {*answers, 400, 409} == {*DETAILS}
    for route in ("/users/1/imports", "/hooks/token"):
        large = client.post(f"{API}{route}", content=bytes(11_000_000))
        encoded = client.post(f"{API}{route}", content=b"", headers={"Content-Encoding": "gzip"})
        for answer, status in ((large, 413), (encoded, 415)):
            assert (answer.status_code, answer.json()["detail"]) == (status, FILE_DETAILS[status])
    assert {*client.get(f"{API}/users/17").json(), "errors"} == {*client.get(f"{API}/users/x").json()}
