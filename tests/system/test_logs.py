"""The log: one line for each event, as text or JSON, with the request id, and nothing about users but their ids."""

import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from handmade_model import IDS, fill_catalogue, new_user
from processes import service

from health import Health
from recommender import Recommender
from settings import ROOT
from storage.database import Database
from system.logs import handler
from web.request_log import HEADER

Serve = Callable[..., httpx.Client]
Log = Callable[[str], StringIO]
OWN_ID = re.compile(r"[0-9a-f]{16}")


@pytest.fixture
def log_as() -> Iterator[Log]:
    """A function that writes the service's log into a buffer, as text or JSON."""
    root, written = logging.getLogger(), []

    def start(form: str) -> StringIO:
        text = StringIO()
        written.append(handler(text, form))
        written[-1].addFilter(lambda record: record.name != "httpx")  # the client's own
        root.addHandler(written[-1])
        root.setLevel(logging.INFO)
        return text

    before = root.level
    yield start
    root.setLevel(before)
    for each in written:
        root.removeHandler(each)


@pytest.fixture
def client(database: Database, serve: Serve, ready: Health) -> httpx.Client:
    fill_catalogue(database)
    new_user(database)
    return serve(Recommender(database), ready)


def test_every_answer_has_its_own_request_id(client: httpx.Client) -> None:
    given = [client.get(path).headers[HEADER] for path in ("/users/1/views", "/users/1/views", "/nowhere")]
    assert len(set(given)) == 3
    assert all(OWN_ID.fullmatch(each) for each in given)


@pytest.mark.parametrize("valid", ["a", "7f3c.A_b-9", "x" * 64])
def test_a_valid_request_id_of_the_client_is_kept(valid: str, client: httpx.Client) -> None:
    answer = client.get("/nowhere", headers={HEADER: valid})
    assert answer.headers[HEADER] == answer.json()["request_id"] == valid


def test_an_invalid_request_id_is_replaced(client: httpx.Client) -> None:
    for invalid in ["", "x" * 65, "a b", "a,b", 'a"b', "é".encode("latin-1"), "<script>", "a\tb", "id\\n"]:
        answer = client.get("/nowhere", headers={HEADER: invalid})
        assert OWN_ID.fullmatch(answer.headers[HEADER])
        assert answer.json()["request_id"] == answer.headers[HEADER]


def test_a_request_that_the_server_itself_refuses_has_an_id_that_is_in_the_log(
    client: httpx.Client, log_as: Log
) -> None:
    log = log_as("json")
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if "refused" in line]
    assert line["request_id"] == json.loads(body)["request_id"]
    assert f"{HEADER}: {line['request_id']}".lower() in head.lower()
    assert OWN_ID.fullmatch(line["request_id"])


def line_of(log: StringIO, given: str) -> str:
    (found,) = [line for line in log.getvalue().splitlines() if given in line]
    return found


def test_a_request_is_one_line_with_its_route_and_without_its_query_or_headers(
    client: httpx.Client, log_as: Log
) -> None:
    text, as_json = log_as("text"), log_as("json")
    headers = {
        HEADER: "this-one",
        "Authorization": "Bearer secret",
        "User-Agent": "secret",
        "Referer": "http://secret/",
    }
    answer = client.get("/users/1/views?q=secret", headers=headers)
    assert re.fullmatch(
        r"[0-9-]{10} [0-9:,]{12} INFO    web\.request_log: "
        r"GET /users/<user_id>/views 200, 2 bytes, \d+\.\d\d ms \[this-one\]",
        line_of(text, "this-one"),
    )
    found = json.loads(line_of(as_json, "this-one"))
    assert found.pop("timestamp").endswith("+00:00")
    assert found.pop("ms") > 0
    assert found.pop("message").startswith("GET /users/<user_id>/views 200, 2 bytes, ")
    assert found == {
        "level": "INFO", "logger": "web.request_log", "method": "GET", "route": "/users/<user_id>/views",
        "status": 200, "bytes": 2, "request_id": "this-one",
    }  # fmt: skip
    assert answer.content == b"[]"
    assert "secret" not in text.getvalue() + as_json.getvalue()


def test_every_line_of_a_request_has_its_id(database: Database, serve: Serve, ready: Health, log_as: Log) -> None:
    class Broken:
        def statement(self) -> None:
            raise KeyError("inside\nFAKED 2026-01-01 a line")

    recommender = Recommender(database)
    recommender.database = Broken()  # type: ignore[assignment]
    text, as_json = log_as("text"), log_as("json")
    answer = serve(recommender, ready).get("/users/1/views", headers={HEADER: "this-one"})
    assert answer.json()["request_id"] == "this-one"
    for log in (text, as_json):
        failure, access = [line for line in log.getvalue().splitlines() if "this-one" in line]
        assert "Traceback" in failure
        assert "KeyError" in failure
        assert "GET /users/<user_id>/views 500" in access
        assert not [line for line in log.getvalue().splitlines() if line.startswith("FAKED")]
    assert "KeyError" in json.loads(failure)["exception"]


@pytest.mark.parametrize("path", ["/a%0aFAKED", "/" + "x" * 5000])
def test_an_unknown_path_is_in_no_line(path: str, client: httpx.Client, log_as: Log) -> None:
    text = log_as("text")
    client.get(httpx.URL(client.base_url, raw_path=path.encode()), headers={HEADER: "this-one"})
    assert "GET other 404" in line_of(text, "this-one")


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/static/page.css", "/docs/start.js"])
def test_probes_and_files_are_not_logged(path: str, client: httpx.Client, log_as: Log) -> None:
    text = log_as("text")
    client.get(path, headers={HEADER: "this-one"})
    assert "this-one" not in text.getvalue()


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b[2J", "\x85", "\u2028", "\x00"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_message_with_control_characters_is_one_line(form: str, control: str, log_as: Log) -> None:
    text = log_as(form)
    logging.getLogger("test").warning("before%safter", control)
    (line,) = text.getvalue().splitlines()
    assert line.isprintable()
    assert "before" in line.partition("after")[0]


def test_no_line_contains_a_rating(client: httpx.Client, database: Database, log_as: Log) -> None:
    text = log_as("text")
    rating = 3.5
    for movie in (IDS[0], 1):  # the second is unknown
        client.post(f"/users/1/views/{movie}", json={"rating": rating})
    client.post(f"/users/1/views/{IDS[0]}", data={"rating": "3.5000001"})
    client.get("/users/1/recommendations")
    lines = text.getvalue().splitlines()
    assert len(lines) >= 4
    untimed = [re.sub(r"^\S+ \S+|\d+\.\d\d ms", "", line) for line in lines]  # times may contain these digits
    assert not [line for line in untimed if "3.5" in line]
    with pytest.raises(Exception, match="nowhere") as failure, database.statement() as db:
        db.exec_driver_sql("SELECT %(rating)s::text FROM nowhere", {"rating": rating})
    assert "parameters hidden" in str(failure.value)


UNCAUGHT = """
import sys, threading, warnings
from system.logs import log_uncaught, log_to_stderr
log_to_stderr("INFO", sys.argv[1])
log_uncaught()
warnings.warn("careful")
thread = threading.Thread(target=lambda: 1 / 0, name="calculating")
thread.start()
thread.join()
raise SystemError("over")
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_warnings_and_uncaught_exceptions_are_log_events(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", UNCAUGHT, form], cwd=ROOT, capture_output=True, text=True)
    careful, thread, process = done.stderr.splitlines()
    assert "careful" in careful
    assert "calculating" in thread
    assert "ZeroDivisionError" in thread
    assert "SystemError: over" in process


def test_a_service_logs_only_json_from_start_to_end(scratch: Path, dataset: Path) -> None:
    environ: dict[str, Any] = {"MATINEE_LOG_FORMAT": "json", "MATINEE_RETRAIN_MINUTES": "0"}
    with service(scratch / "in-json", MATINEE_DATASET=str(dataset), **environ) as running:
        running.wait_until_ready()
        user = running.new_user(movie_2=4.5)
        answer = running.http.get(f"/users/{user}/recommendations", headers={HEADER: "this-one"})
        assert answer.headers[HEADER] == "this-one"
        running.stop()
    lines = [json.loads(line) for line in running.log_text().splitlines()]
    assert all({"timestamp", "level", "logger", "message"} <= set(line) for line in lines)
    assert {line["level"] for line in lines} == {"INFO"}
    (listed,) = [line for line in lines if line.get("request_id") == "this-one"]
    assert (listed["route"], listed["status"]) == ("/users/<user_id>/recommendations", 200)
    assert not [line for line in lines if line["logger"].startswith(("cherrypy", "storage", "waitress"))]
    messages = [line["message"] for line in lines]
    for event in ("listening on", "ready to recommend", "stopping"):
        assert [message for message in messages if message.startswith(event)]
