"""A database that lets nobody, or not us, write: said at the start, and waited out by a service that runs."""

import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from handmade_model import IDS, fill_catalogue, new_user
from processes import TIMEOUT_SECONDS, service

from health import Health
from recommender import Recommender
from storage.database import Database
from storage.errors import DatabaseRefusedError

PRIMARY = "It takes no writes: name the primary in DATABASE_URL."


@pytest.fixture
def read_only(empty: Database, empty_url: str) -> str:
    """The URL of a database with tables, movies and a user, in which whoever comes now may only read."""
    empty.migrate()
    fill_catalogue(empty)
    new_user(empty)
    return f"{empty_url}?options=-cdefault_transaction_read_only%3Don"


def test_while_the_database_takes_no_writes_they_are_to_be_tried_again_later(
    read_only: str, serve: Callable[..., httpx.Client], ready: Health
) -> None:
    database = Database(read_only, threads=4)
    client = serve(Recommender(database), ready)
    for method, path in (
        ("POST", "/users/create"),
        ("POST", f"/users/1/views/{IDS[0]}"),
        ("PUT", f"/api/v1/users/1/ratings/{IDS[0]}"),
        ("DELETE", "/api/v1/users/1"),
    ):
        answer = client.request(method, path, json={"rating": 4.5})
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "1"), f"{method} {path}: {answer.text}"
    assert len(client.get("/users/1/recommendations").json()) == 10
    database.close()


def test_a_role_that_may_make_no_tables_is_told_what_it_lacks(without_rights: str) -> None:
    database = Database(without_rights, threads=1)
    with pytest.raises(DatabaseRefusedError, match="Have the role of DATABASE_URL own its database"):
        database.migrate()
    database.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_service_does_not_start_on_a_database_that_takes_no_writes(read_only: str, scratch: Path) -> None:
    with service(scratch / "read-only", DATABASE_URL=read_only) as started:
        assert started.process.wait(TIMEOUT_SECONDS) == 1
        assert f"The database is a standby, or read-only. {PRIMARY}" in started.log_text()
        assert "Traceback" not in started.log_text()
