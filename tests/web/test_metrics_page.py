"""/metrics: what it counts, what it measures, who may read it, and that it is right with several processes."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import get_args

import httpx
import pytest
from handmade_model import EVEN, IDS, ODD, new_user
from metrics_service import HEAP, THREADS, MetricsSnapshot, samples, serve_with_probes, trained
from processes import poll, service
from prometheus_client import CollectorRegistry, generate_latest

from health import Component, ComponentState, Health
from recommender import Recommender
from settings import ROOT
from storage.database import Database
from system import shared_counts
from system.shared_counts import ROOM

Serve = Callable[..., httpx.Client]
KEY, ADMIN_KEY = "a-key-of-callers=1", "a-key-of-the-admin"


@pytest.fixture
def client(live: Recommender, serve: Serve, ready: Health) -> httpx.Client:
    return serve(live, ready)


# what is counted


def test_requests_are_counted_under_the_pattern_of_their_route(client: httpx.Client) -> None:
    for movie in IDS[:3]:
        client.get(f"/api/v1/movies/{movie}")
    client.get("/api/v1/movies/1")
    client.post(f"/users/77/views/{IDS[0]}", json={"rating": 5})
    shown = MetricsSnapshot(client)
    route = {"route": "/api/v1/movies/<movie_id>", "method": "GET", "strategy": ""}
    assert shown("http_requests_total", **route, status="200") == 3
    assert shown("http_requests_total", **route, status="404") == 1
    assert shown("http_request_duration_seconds_count", **route) == 4
    assert shown("http_request_duration_seconds_bucket", **route, le="10.0") == 4
    assert 0 < shown.total("http_request_duration_seconds_sum", **route) < 10
    assert shown.total("http_requests_total", route="/users/<user_id>/views/<movie_id>", status="404") == 1


def test_what_is_unknown_adds_no_series(client: httpx.Client) -> None:
    for n in range(5):
        client.get(f"/nowhere/{n}")
        client.request(f"BREW{n}", "/users/create")
        client.get(f"/static/{n}.js")
    shown = MetricsSnapshot(client)
    assert shown("http_requests_total", route="other", method="GET", strategy="", status="404") == 5
    assert shown.total("http_requests_total", method="other", status="405") == 5
    assert shown.total("http_requests_total", route="/static/<path:name>") == 5
    assert shown.text.count("\nmatinee_http_requests_total{") == 3


def test_views_are_counted_by_what_became_of_them(client: httpx.Client) -> None:
    user = client.post("/users/create").json()["user_id"]
    ours, seed = f"/api/v1/users/{user}/ratings", f"/users/{user}/views"
    for _ in range(2):
        client.post(f"{seed}/{IDS[0]}", json={"rating": 4})
        client.put(f"{ours}/{IDS[1]}", json={"rating": 4})
    client.post(ours, json={"ratings": [{"movie_id": movie, "rating": 3} for movie in IDS[:5]]})
    client.post(f"{seed}/{IDS[0]}", json={"rating": 17})
    client.delete(f"{ours}/{IDS[0]}")
    client.delete(f"{ours}/{IDS[0]}")
    shown = MetricsSnapshot(client)
    written = [shown("views_written_total", change=change) for change in ("created", "replaced", "removed")]
    assert written == [5, 4, 1]


def test_lists_are_counted_by_how_they_came_to_be(client: httpx.Client, live: Recommender) -> None:
    fan = new_user(live.database, dict.fromkeys([*EVEN, *ODD][:26], 5.0))
    some = new_user(live.database, {EVEN[0]: 5.0})
    before = MetricsSnapshot(client)
    assert [before("lists_total", source=source) for source in ("stored", "folded_in", "popular")] == [0, 0, 0]
    for user in (some, some, some, fan):
        client.get(f"/users/{user}/recommendations")
    client.get(f"/api/v1/users/{new_user(live.database)}/recommendations")
    client.post("/api/v1/recommendations", json={"ratings": [{"movie_id": IDS[0], "rating": 5}]})
    client.get("/users/99/recommendations")  # nobody
    shown = MetricsSnapshot(client)
    assert [shown("lists_total", source=source) for source in ("stored", "folded_in", "popular")] == [2, 3, 1]
    seed = {
        strategy: shown.total("http_requests_total", route="/users/<user_id>/recommendations", strategy=strategy)
        for strategy in ("stored", "blended", "personal", "popular", "")
    }
    assert seed == {"stored": 2, "blended": 1, "personal": 1, "popular": 0, "": 1}


def test_before_the_first_training_lists_are_popular(recommender: Recommender, serve: Serve, ready: Health) -> None:
    client = serve(recommender, ready)
    user = new_user(recommender.database, {IDS[0]: 5.0})
    for _ in range(2):
        client.get(f"/users/{user}/recommendations")
    shown = MetricsSnapshot(client)
    assert shown("lists_total", source="popular") == 2
    assert shown("live_generation_id") is None
    assert shown("runs_total", kind="train", outcome="failed") == 0  # a first failure is seen only beside it


# what is measured


def test_generations_and_runs_are_read_from_the_database(recommender: Recommender, serve: Serve, ready: Health) -> None:
    generation = trained(recommender.database)
    shown = MetricsSnapshot(serve(recommender, ready))
    assert shown("live_generation_id") == generation
    created, learned = (shown(f"live_generation_{when}_timestamp_seconds") for when in ("created", "learned"))
    assert created is not None
    assert learned is not None
    assert created - 5 < learned <= created
    assert [shown("generations_total", verdict=verdict) for verdict in ("accepted", "rejected")] == [1, 1]
    for outcome in ("published", "rejected", "failed"):
        which = {"kind": "train", "outcome": outcome}
        assert shown("runs_total", **which) == 1
        assert shown("last_run_timestamp_seconds", **which) == pytest.approx(created, abs=5)
        assert shown("run_seconds_total", **which) == shown("last_run_duration_seconds", **which)
    assert shown("last_run_phase_seconds", kind="train", outcome="published", phase="ranker") == 2.5


def test_quality_is_that_of_the_live_generation(recommender: Recommender, serve: Serve, ready: Health) -> None:
    trained(recommender.database)
    shown = MetricsSnapshot(serve(recommender, ready))
    assert (shown("held_out_ndcg"), shown("held_out_popularity_ndcg"), shown("held_out_people")) == (0.3, 0.1, 50)
    assert (shown("held_out_rmse"), shown("held_out_popularity_rmse")) == (0.3, 0.3)
    assert (shown("online_views"), shown("online_rmse"), shown("online_hit_ratio")) == (1, 1, 1)
    assert shown("online_median_rank") == 3


def test_a_process_tells_of_itself(live: Recommender, ready: Health) -> None:
    with serve_with_probes(live, ready) as client:
        shown = MetricsSnapshot(client)
    assert shown("build_info", version="1.0.0", python=sys.version.split()[0], pyspark="4.3.0") == 1
    assert (shown("processes", role="server"), shown("processes_ready")) == (1, 1)
    assert 10e6 < shown.total("process_resident_memory_bytes", role="server") < 10e9
    assert shown.total("process_cpu_seconds_total", role="server") > 0.1
    assert shown.total("process_open_fds") > 3
    assert (shown("threads"), shown("threads_busy"), shown("requests_queued")) == (THREADS, 0, 0)
    assert shown("database_pool_connections") == live.database.pool.size()
    assert (shown("database_pool_connections_in_use"), shown("database_pool_waits_total")) == (0, 0)
    assert (shown("jvm_up"), shown("jvm_heap_used_bytes"), shown("jvm_heap_max_bytes")) == (1, HEAP.used, HEAP.most)
    assert shown("served_generation_id") == shown("live_generation_id") == 1
    states = {state: shown("part_state", part="trainer", state=state) for state in ("starting", "ready", "failed")}
    assert states == {"starting": 1, "ready": 0, "failed": 0}


class Unsteady(Health):
    """A trainer that is in another state each time that one looks."""

    def __init__(self) -> None:
        super().__init__()
        self._states = cycle(get_args(ComponentState))

    def __getitem__(self, name: str) -> Component:
        return Component(next(self._states)) if name == "trainer" else super().__getitem__(name)


def test_a_part_is_in_one_state_however_it_changes(live: Recommender) -> None:
    health = Unsteady()
    for part in ("database", "catalogue", "generation"):
        health.report(part, "ready")
    with serve_with_probes(live, health) as client:
        assert MetricsSnapshot(client).total("part_state", part="trainer") == 1


def test_the_pool_counts_who_has_to_wait(database_url: str) -> None:
    database = Database(database_url, threads=1)
    size = database.pool.size()
    waiting = threading.Thread(target=database.ping)
    with ExitStack() as stack:
        for _ in range(size):
            stack.enter_context(database.statement())
        assert (database.pool.checkedout(), database.pool.waits) == (size, 0)
        waiting.start()
        poll(lambda: database.pool.waits == 1)
    waiting.join()
    assert (database.pool.checkedout(), database.pool.waits) == (0, 1)
    database.close()


# when it is read


def test_it_is_there_without_a_database_and_before_there_is_a_catalogue(serve: Serve) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", 1)
    client = serve(Recommender(nowhere), Health())
    assert client.get("/users/1/views").status_code == 503
    shown = MetricsSnapshot(client)
    assert shown("database_up") == 0
    assert shown("users") is None
    assert shown.total("http_requests_total", route="/users/<user_id>/views", status="503") == 1


def test_it_wants_the_key_and_no_limit_holds_it_up(live: Recommender, serve: Serve, ready: Health) -> None:
    client = serve(live, ready, api_key=KEY, admin_key=ADMIN_KEY, rate_limit="2/hour")
    assert client.get("/metrics").status_code == 401
    for key in (KEY, ADMIN_KEY):
        headers = {"Authorization": f"Bearer {key}"}
        assert [client.get("/users/1/views", headers=headers).status_code for _ in range(3)] == [404, 404, 429]
        answer = client.get("/metrics", headers=headers)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_it_is_no_part_of_the_api(client: httpx.Client) -> None:
    assert "/metrics" not in client.get("/openapi/openapi.json").json()["paths"]


# several processes

COUNT = """
import sys, time
from system.shared_counts import own_counts
from system.process_metrics import ProcessProbe
from web.request_metrics import RequestMetrics

metrics = RequestMetrics()
ProcessProbe(metrics.registry, "server")()
metrics.written(created=int(sys.argv[1]))
metrics.request({"REQUEST_METHOD": "GET"}, 200, 0.004)
print("counted", flush=True)
sys.stdin.read()
"""
SHARE = """
import subprocess, sys
from pathlib import Path
from prometheus_client import generate_latest
from system.shared_counts import own_counts, sharing, shown

with sharing(Path(sys.argv[1])):
    own = own_counts()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    others = [subprocess.Popen([sys.executable, "-c", sys.argv[2], n], **pipes) for n in ("3", "4")]
    for other in others:
        other.stdout.readline()
    print(generate_latest(shown(own)).decode())
    others[0].kill()
    others[0].wait()
    print("AFTER A KILL")
    print(generate_latest(shown(own)).decode())
    for file in sorted(next(Path(sys.argv[1]).iterdir()).glob("*.db")):
        print("FILE", file.name, file.stat().st_size, file.stat().st_blocks * 512)
    others[1].communicate()
print("LEFT", *Path(sys.argv[1]).iterdir())
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a process tells of two others that count, one of which is then killed."""
    folder = tmp_path_factory.mktemp("counts") / "metrics of [x] *?"
    command = [sys.executable, "-c", SHARE, str(folder), COUNT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_counts_of_several_processes_add_up_and_survive_a_kill(several: str) -> None:
    before, after = (samples(page) for page in several.split("AFTER A KILL"))
    created = ("matinee_views_written_total", frozenset({("change", "created")}))
    answered = "matinee_http_request_duration_seconds_count"
    for page in (before, after):
        assert page[created] == 7
        assert sum(value for (name, _), value in page.items() if name == answered) == 2


def test_a_killed_process_is_no_longer_alive_in_the_metrics(several: str) -> None:
    alive = ("matinee_processes", frozenset({("role", "server")}))
    before, after = (samples(page) for page in several.split("AFTER A KILL"))
    assert (before[alive], after[alive]) == (2, 1)


def test_counting_needs_no_room_that_has_not_been_taken(several: str) -> None:
    files = [line.split() for line in several.splitlines() if line.startswith("FILE")]
    assert {name.rpartition("_")[0] for _, name, _, _ in files} >= {"counter", "histogram", "gauge_livesum"}
    for _, name, size, allocated in files:
        assert int(allocated) >= int(size) == ROOM[name.rpartition("_")[0]], name
    assert "LEFT\n" in several


def test_a_process_goes_on_in_the_files_of_one_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(shared_counts.FOLDER, str(tmp_path))
    command = [sys.executable, "-c", COUNT]
    for n in range(1, 4):
        subprocess.run([*command, str(n)], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        assert len(list(tmp_path.iterdir())) == len(ROOM)
        page = samples(generate_latest(shared_counts.shown(CollectorRegistry())).decode())
        assert page["matinee_views_written_total", frozenset({("change", "created")})] == n * (n + 1) / 2
    assert list(tmp_path.glob("gauge_*.db")) == []


def test_the_files_of_a_process_that_lives_are_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(shared_counts.FOLDER, str(tmp_path))
    (tmp_path / f"counter_{os.getppid()}.db").write_bytes(bytes(8))
    shared_counts.own_counts()
    assert len(list(tmp_path.glob("counter_*.db"))) == 2


def test_a_file_that_is_taken_over_while_the_counts_are_read_is_neither_missed_nor_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shared_counts.FOLDER, str(tmp_path))
    command = [sys.executable, "-c", COUNT, "3"]
    subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    read = shared_counts.MultiProcessCollector.merge

    def renaming(files: Iterable[str]) -> object:
        monkeypatch.setattr(shared_counts.MultiProcessCollector, "merge", read)
        shared_counts.own_counts()
        return read(files)

    monkeypatch.setattr(shared_counts.MultiProcessCollector, "merge", renaming)
    page = samples(generate_latest(shared_counts.shown(CollectorRegistry())).decode())
    assert page["matinee_views_written_total", frozenset({("change", "created")})] == 3


def test_whoever_reads_the_counts_while_a_process_starts_finds_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shared_counts.FOLDER, str(tmp_path))
    allocate, read = os.posix_fallocate, []

    def looking(*at: int) -> None:
        read.append(generate_latest(shared_counts.shown(CollectorRegistry())))
        allocate(*at)

    monkeypatch.setattr(os, "posix_fallocate", looking)
    for _ in range(2):  # the second time all its files are there
        shared_counts.own_counts()
        assert len(read) == len(ROOM)
    assert len(list(tmp_path.glob("*.db"))) == len(list(tmp_path.iterdir())) == len(ROOM)


def test_a_service_tells_of_all_its_processes(tmp_path: Path, database: Database, dataset: Path) -> None:
    environ = {"DATABASE_URL": database.url, "MATINEE_DATASET": str(dataset)}
    with service(tmp_path, **environ, MATINEE_RETRAIN_MINUTES="0", MATINEE_PROCESSES="2") as running:
        running.wait_until_ready()
        poll(lambda: MetricsSnapshot(running.http)("processes_ready") == 2, what="a second process")
        user = running.new_user()
        for n in range(1, 7):  # each over a connection of its own, so that either process may answer
            running.http.close()
            running.http = httpx.Client(base_url=running.http.base_url, timeout=10)
            running.rate(user, n, 5.0)
            running.recommended(user)
            shown = MetricsSnapshot(running.http)
            assert shown("views_written_total", change="created") == n
            assert shown("lists_total", source="popular") == n
        assert shown("processes", role="server") == 2
        assert shown("database_up") == 1
        assert (tmp_path / "metrics").is_dir()
        running.stop()
        assert list((tmp_path / "metrics").iterdir()) == []
