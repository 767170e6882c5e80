"""Experiments with simulated users over HTTP, through two processes and a restart: the ledger, and who is worse."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import MOVIES
from handmade_model import store_generation, two_tastes
from processes import ServiceProcess, poll
from simulated_users import live
from sqlalchemy import text
from test_processes import one_client_each, state_dir, two

from embedded.postgres import EmbeddedPostgres
from storage.database import Database

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
__all__ = ["state_dir"]
API = "/api/v1/experiments"
COUNTED_SECONDS = 150  # within which the result of each minute is there
USERS = 200


def test_simulated_users_end_the_arm_that_is_worse_and_no_other(state_dir: Path, dataset: Path) -> None:
    shown: dict[str, list[int]] = {}  # what clients were shown, by the id of the list

    def remember(answer: httpx.Response) -> None:
        if answer.request.url.path.endswith("/recommendations"):
            body = answer.read() and answer.json()
            shown[body["list_id"]] = [item["movie"]["movie_id"] for item in body["items"]]

    def simulate(clients: list[httpx.Client], seeds: range) -> None:
        """Users who like comedies alone, or dramas alone, at both processes."""
        for client in clients:
            client.event_hooks["response"] = [remember]
        with ThreadPoolExecutor(4) as pool:
            tastes = ("Comedy", "Drama")
            list(pool.map(lambda seed: live(clients[seed % 2], seed, 3, tastes, 1), seeds))

    def experiment(client: httpx.Client, name: str) -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"{API}/{name}").json()
        return found

    def counted(client: httpx.Client, name: str, users: int) -> bool:
        return sum(arm["users"] for arm in experiment(client, name)["arms"]) == users

    with EmbeddedPostgres(state_dir) as url:
        database, factors = Database(url, threads=1), two_tastes(movies=[*range(1, MOVIES + 1)])
        mixed = factors.V[np.arange(MOVIES) // 2 % 2]  # who likes the one genre is shown as much of the other
        worse = store_generation(database, replace(factors, V=mixed, Q=mixed))
        database.close()
    with two(state_dir, dataset) as running, one_client_each(running) as clients:
        assert clients[0].post(API, json={"name": "aa", "arms": ["today", "G1"], "share": 100}).status_code == 201
        wait_until_served(running, "aa")
        simulate(clients, range(USERS))
        poll(lambda: counted(clients[0], "aa", USERS), COUNTED_SECONDS, "the result")
        equals = experiment(clients[0], "aa")
        assert equals["state"] == "running"
        assert equals["arms"][1]["difference"][1] < 0 < equals["arms"][1]["difference"][2]
        assert clients[1].delete(f"{API}/aa").status_code == 204
        wanted = {"name": "planted", "arms": ["today", f"G{worse}"], "share": 100}
        assert clients[1].post(API, json=wanted).status_code == 201
        wait_until_served(running, "planted")
        simulate(clients, range(USERS, USERS + USERS // 2))
        running.stop()  # which stores what was shown in the last second
    with two(state_dir, dataset) as running, one_client_each(running) as clients:
        wait_until_served(running, "planted")
        simulate(clients, range(USERS + USERS // 2, 2 * USERS))
        poll(lambda: experiment(clients[0], "planted")["state"] == "ended", COUNTED_SECONDS, "the end")
        ended = experiment(clients[1], "planted")
        assert ended["arms"][1]["ended"]
        assert ended["reason"] == "every arm is significantly worse than the control"
        assert re.search(rf"experiment planted: arm G{worse} is significantly worse and ends: -", running.log_text())
        poll(lambda: len(ledger(running)) >= len(shown), what="the impressions of the last second")
        assert ledger(running) == shown


def wait_until_served(running: ServiceProcess, name: str) -> None:
    """Wait until both processes have the experiment in memory."""
    poll(lambda: running.log_text().count(f"experiment {name}: arms") == 2, what="the experiment")


def ledger(running: ServiceProcess) -> dict[str, list[int]]:
    with EmbeddedPostgres(running.state_dir) as url:  # that of the service
        database = Database(url, threads=1)
        with database.statement() as db:
            rows = db.execute(text("SELECT list_id, movie_ids FROM impressions"))
            found = {str(row.list_id): row.movie_ids for row in rows}
        database.close()
    return found
