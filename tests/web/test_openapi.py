"""The description of /api/v1: valid, complete, with examples that fit, the same as in docs/, and shown by a page."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_example import example_of
from openapi_spec_validator import OpenAPIV31SpecValidator

from health import Health
from recommender import Recommender
from settings import ROOT
from storage.database import Database
from web.openapi import new_app, to_json_text
from web.v1 import BLUEPRINTS

SNAPSHOT = ROOT / "docs/openapi.json"
WITHOUT_A_BODY = {"204", "304"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return new_app(__name__).api_doc


@pytest.fixture
def client(database: Database, serve: Callable[..., httpx.Client], ready: Health) -> httpx.Client:
    return serve(Recommender(database), ready)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def assert_fits(example: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    Draft202012Validator(schema | {"components": document["components"]}).validate(example)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_the_document_in_docs_is_the_one_that_is_served(document: dict[str, Any], client: httpx.Client) -> None:
    assert SNAPSHOT.read_text(encoding="utf-8") == to_json_text(document), (
        "the API has changed; if that is meant: python -m web.openapi > docs/openapi.json"
    )
    answer = client.get("/openapi/openapi.json")
    assert (answer.headers["content-type"], answer.json()) == ("application/json", document)
    again = client.get("/openapi/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_operations_have_names_and_places(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names) > 10
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    tags = [tag["name"] for tag in document["tags"]]
    assert tags == [blueprint.name for blueprint in BLUEPRINTS]
    for path, _, operation in operations(document):
        assert path.startswith("/api/v1/")
        assert len(operation["tags"]) == 1
        assert set(operation["tags"]) <= set(tags)
        assert operation["summary"]
        assert "<br" not in operation.get("description", "")
        keys = None if "{token}" in path else [{"bearer": []}, {"header": []}]
        assert operation.get("security") == keys


def test_every_response_has_a_schema_with_examples_that_fit(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            where = f"{method} {path} {status}"
            assert response["description"], where
            assert "X-Request-ID" in response["headers"], where
            if status in WITHOUT_A_BODY:
                assert "content" not in response, where
                continue
            media_type, content = next(iter(response["content"].items()))
            assert media_type == ("application/json" if status < "400" else "application/problem+json"), where
            example = content.get("example") or example_of(content["schema"], document)
            assert_fits(example, content["schema"], document)
            assert status < "400" or content["example"]["status"] == int(status), where


def test_every_request_has_examples_that_fit(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if "requestBody" in operation:
            for content in operation["requestBody"]["content"].values():
                assert_fits(example_of(content["schema"], document), content["schema"], document)
        for parameter in operation.get("parameters", []):
            where = f"{method} {path} {parameter['name']}"
            assert parameter["description"], where
            assert parameter["schema"].get("type") in {"string", "integer", "number", "boolean", "array"}, where
            if parameter["schema"]["type"] == "integer":
                assert {"minimum", "maximum"} <= set(parameter["schema"]), where
            if "example" in parameter:
                assert_fits(parameter["example"], parameter["schema"], document)


def test_what_an_operation_may_answer_is_complete(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        told = set(operation["responses"])
        expected = {"400", "401", "429", "503"}
        expected |= {"404"} if "{" in path else set()
        expected |= {"403"} if method != "get" else set()
        expected |= {"413", "415"} if "requestBody" in operation else set()
        assert expected <= told, f"{method} {path} leaves out {sorted(expected - told)}"
        assert any(status < "300" for status in told)


def test_headers_that_clients_act_on_are_told(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        responses = operation["responses"]
        for status in ("429", "503"):
            assert "Retry-After" in responses[status]["headers"]
        if "304" in responses:
            assert "ETag" in responses["200"]["headers"]
            assert "ETag" in responses["304"]["headers"]
    assert "Location" in document["paths"]["/api/v1/users"]["post"]["responses"]["201"]["headers"]


def test_the_page_has_all_it_needs_from_here(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<script(?! src=)|<style|\bon\w+=|\bstyle=", page.text)  # which that policy forbids
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) >= 4
    for path in named:
        assert path == "data:," or client.get(path).status_code == 200, path
    assert "SwaggerUIBundle" in client.get("/docs/swagger-ui-bundle.js").text
    assert client.get("/docs/nothing.js").status_code == 404
    assert client.get("/docs/..%2fstart.js").status_code == 404


def test_other_usual_addresses_lead_there(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json() == client.get("/openapi/openapi.json").json()
    assert client.get("/docs/", follow_redirects=True).text == client.get("/docs").text


def test_the_page_is_open_where_the_api_wants_a_key(
    database: Database, serve: Callable[..., httpx.Client], ready: Health
) -> None:
    client = serve(Recommender(database), ready, api_key="a key")
    assert client.get("/api/v1/users/1").status_code == 401
    for path in ("/docs", "/docs/start.js", "/openapi/openapi.json"):
        assert client.get(path).status_code == 200


def test_the_page_is_there_before_the_catalogue(database: Database, serve: Callable[..., httpx.Client]) -> None:
    client = serve(Recommender(database), Health())
    assert client.get("/docs").status_code == 200
    assert client.get("/api/v1/users/1").status_code == 503
