"""kill -9 of the service in each phase of a retrain: one complete generation serves before, during and after."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from client_load import movies_of
from database_invariants import check_lists, database_of
from processes import TIMEOUT_SECONDS, ServiceProcess, poll, service
from sqlalchemy import Connection, text

from storage import runs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
COMMAND = [sys.executable, str(Path(__file__).with_name("crashing_server.py"))]
OFTEN = {"MATINEE_RETRAIN_MINUTES": "0.05", "MATINEE_NEIGHBOURS": "10", "MATINEE_NEIGHBOUR_REG": "10"}
# each point with the phase and the outcome that the run's record then shows
BEFORE_COMMIT = {
    **{name: name for name in ("snapshot", "compare", "ranker", "rater", "neighbours", "judge", "lists", "publish")},
    "lists written": "lists",
    "flip": "publish",
}
AFTER_COMMIT = {"flipped": "publish", "prune": "publish"}  # the new generation is live, though no process knows it yet
PHASES = BEFORE_COMMIT | AFTER_COMMIT
POINTS = [
    pytest.param(("flip",), id="at the flip"),
    pytest.param(tuple(PHASES), id="at every point", marks=pytest.mark.faults),
]
LAST_RUN = text("SELECT coalesce(max(id), 0) FROM runs WHERE kind = 'train' AND outcome IS NOT NULL")
NEXT_RUN = text("SELECT * FROM runs WHERE kind = 'train' AND id > :last ORDER BY id LIMIT 1")
LEARNED_ALL = text("""
    SELECT generation_id FROM live_generation JOIN generations ON generations.id = generation_id
    WHERE (details -> 'facts' ->> 'views')::int = (SELECT count(*) FROM views)
""")
Lists = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class Killed:
    """A retrain that was killed: where, what was live and listed before, the lists read meanwhile, the run before."""

    point: str
    live: int
    lists: Lists
    seen: dict[int, set[tuple[int, ...]]]
    last_run: int


@pytest.mark.parametrize("points", POINTS)
def test_kill_9_in_a_retrain_leaves_one_complete_generation_serving(
    points: Sequence[str], dataset: Path, scratch: Path, record_property: Callable[[str, object], None]
) -> None:
    state_dir = scratch / f"retrains-{len(points)}"
    killed: Killed | None = None
    for point in points:
        with service(state_dir, COMMAND, MATINEE_DATASET=str(dataset), **OFTEN) as running:
            running.wait_until_ready()
            if killed:
                check_aftermath(running, killed)
            readers = list(killed.lists) if killed else [running.new_user(), running.new_user(movie_2=5.0, movie_4=5.0)]
            train(running)
            killed = kill_at(running, point, readers)
    with service(state_dir, MATINEE_RETRAIN_MINUTES="0") as last:
        last.wait_until_ready()
        assert killed
        check_aftermath(last, killed)
    found = "one whole generation served before, meanwhile and after, and the next run published"
    record_property("faults", len(points))
    record_property("found", f"{', '.join(points)}: {found}")


def train(running: ServiceProcess) -> None:
    """Give a reason to train, and wait until a generation that has learned all there is serves."""
    running.new_user(movie_2=5.0)
    with database_of(running.state_dir) as db:
        learned = poll(lambda: db.execute(LEARNED_ALL).scalar_one_or_none(), 2 * TIMEOUT_SECONDS, "a generation")
    poll(lambda: running.part("generation")["id"] == learned, what="the new generation")


def kill_at(running: ServiceProcess, point: str, readers: list[int]) -> Killed:
    """Have the service die at a point of its next training, while lists are read."""
    live, lists = running.part("generation")["id"], lists_of(running, readers)
    with database_of(running.state_dir) as db:
        last_run = db.execute(LAST_RUN).scalar_one()
    order = running.state_dir / "die-at"
    with reading(running, readers) as seen:
        order.write_text(point)
        with suppress(httpx.TransportError):  # the training that finds nothing new may have got there first
            running.new_user(movie_2=5.0)
        running.process.wait(2 * TIMEOUT_SECONDS)
    order.unlink()
    running.wait_until_gone()
    return Killed(point, live, lists, seen, last_run)


@contextmanager
def reading(running: ServiceProcess, readers: list[int]) -> Iterator[dict[int, set[tuple[int, ...]]]]:
    """Every list that anyone was answered while the block lasted, in which the service has to end."""
    seen: dict[int, set[tuple[int, ...]]] = {user: set() for user in readers}

    def read() -> None:
        with httpx.Client(base_url=running.http.base_url, timeout=20) as http, suppress(httpx.TransportError):
            while True:
                for user in readers:
                    answer = http.get(f"/users/{user}/recommendations")
                    assert answer.status_code == 200, answer.text
                    seen[user].add(tuple(movies_of(answer.json())))
                time.sleep(0.02)  # else the training gets nothing of the machine

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            yield seen
        finally:
            running.process.kill()
        reader.result()


def check_aftermath(running: ServiceProcess, killed: Killed) -> None:
    """Assert what holds when the service is back: the generation from before, or the new one if it was committed."""
    live, lists = running.part("generation")["id"], lists_of(running, list(killed.lists))
    if killed.point in BEFORE_COMMIT:
        assert live == killed.live
        assert lists == killed.lists
    else:
        assert live > killed.live
    for user, seen in killed.seen.items():
        assert seen
        assert seen <= {killed.lists[user], lists[user]}, f"a list of neither generation at {killed.point}"
    with database_of(running.state_dir) as db:
        assert check_lists(db) >= len(lists)
        check_record(db, killed)


def check_record(db: Connection, killed: Killed) -> None:
    run = db.execute(NEXT_RUN, {"last": killed.last_run}).one()
    assert run.phase == PHASES[killed.point]
    if killed.point in AFTER_COMMIT:
        assert run.outcome == "published"
    else:  # open until the next training closes it
        assert (run.outcome, run.error) in {(None, None), ("failed", runs.INTERRUPTED)}


def lists_of(running: ServiceProcess, readers: list[int]) -> Lists:
    return {user: tuple(running.recommended(user)) for user in readers}
