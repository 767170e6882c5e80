"""kill -9 of the whole service at random moments of a write storm: nothing confirmed is lost, nothing is half done."""

import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from client_load import LIST_LENGTH, Client, storm
from conftest import checkerboard, write_dataset
from database_invariants import check_lists, check_views, database_of
from processes import TIMEOUT_SECONDS, ServiceProcess, poll, service
from sqlalchemy import text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
CLIENTS = 16
_WAITING = text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
_STORED = text("SELECT count(*), count(DISTINCT movie_id) FROM views WHERE user_id = 1")
SHORTEST = 0.2  # seconds of a storm


class Storms(NamedTuple):
    """So many storms, each ended by a kill after at most so many seconds, if `trained` once a generation is live."""

    kills: int
    longest: float
    trained: bool

    def seconds(self) -> Iterator[float]:
        """How long each lasts: most are short, some reach over a whole retrain."""
        moments = random.Random(self.kills)  # noqa: S311 - nothing here is a secret
        for _ in range(self.kills):
            yield SHORTEST * (self.longest / SHORTEST) ** moments.random()


STORMS = [
    pytest.param(Storms(2, 1.0, trained=False), id="twice"),
    pytest.param(Storms(25, 15.0, trained=True), id="25 times", marks=pytest.mark.faults),
]


@pytest.mark.parametrize("storms", STORMS)
def test_kill_9_in_a_write_storm_loses_nothing_that_was_confirmed(
    storms: Storms, dataset: Path, scratch: Path, record_property: Callable[[str, object], None]
) -> None:
    state_dir = scratch / f"storm-{storms.kills}"
    clients = [Client(seed, range(1, 41)) for seed in range(CLIENTS)]
    ready, gone = [], []
    for seconds in storms.seconds():
        with service(state_dir, MATINEE_DATASET=str(dataset), MATINEE_RETRAIN_MINUTES="0.05") as running:
            ready.append(running.wait_until_ready())
            check_all(running, clients)
            with storm(running, clients):
                if storms.trained:
                    wait_for_a_generation(running)
                time.sleep(seconds)
                gone.append(running.kill())
    with service(state_dir, MATINEE_DATASET=str(dataset), MATINEE_RETRAIN_MINUTES="0") as last:
        ready.append(last.wait_until_ready())
        views, lists = check_all(last, clients)
    answers = sum(client.answers for client in clients)
    right = f"{answers:,} answers, {views:,} confirmed views and {lists:,} stored lists, all right"
    times = f"ready again in {max(ready[1:]):.1f} s at most, nothing left running after {max(gone):.1f} s"
    record_property("faults", storms.kills)
    record_property("found", f"{right}; {times}")


@pytest.mark.faults
def test_kill_9_in_the_middle_of_an_import_stores_nothing_and_repeating_it_completes(
    scratch: Path, record_property: Callable[[str, object], None]
) -> None:
    state_dir, movies = scratch / "import", 3_000
    rows = "".join(f"1,{n},{n % 10 / 2 + 0.5},{1_500_000_000 + n}\n" for n in range(1, movies + 1))
    sent = {"url": "/api/v1/users/1/imports", "content": "userId,movieId,rating,timestamp\n" + rows}
    folder = write_dataset(scratch / "3,000 movies", checkerboard(), movies)
    environ = {"MATINEE_DATASET": str(folder), "MATINEE_RETRAIN_MINUTES": "0"}
    with service(state_dir, **environ) as killed, ThreadPoolExecutor(1) as pool:
        killed.wait_until_ready()
        assert killed.new_user() == 1
        with database_of(state_dir) as db, database_of(state_dir) as other:
            # the import waits for the last movie's row, never committed, when it has written all others
            other.execute(text("BEGIN"))
            other.execute(
                text("INSERT INTO views (user_id, movie_id, rating, version) VALUES (1, :n, 5, 0)"), {"n": movies}
            )
            importing = pool.submit(killed.http.post, **sent)
            poll(lambda: db.execute(_WAITING).scalar_one(), what="an import that waits")
            killed.process.kill()
            assert isinstance(importing.exception(), httpx.TransportError)
    with service(state_dir, **environ) as again:
        again.wait_until_ready()
        with database_of(state_dir) as db:
            assert db.execute(_STORED).one() == (0, 0)
            for created in (movies, 0):  # the second time nothing changes
                assert again.http.post(**sent).json()["ratings"] == {
                    "created": created, "replaced": 0, "unchanged": movies - created
                }  # fmt: skip
                assert db.execute(_STORED).one() == (movies, movies)
    record_property("faults", 1)
    record_property("found", f"nothing stored; repeated, {movies:,} ratings; repeated again, the same")


def wait_for_a_generation(running: ServiceProcess) -> None:
    """Wait for a generation, which is there already after the first time."""
    poll(lambda: running.part("generation")["id"], 3 * TIMEOUT_SECONDS, "a generation")


def check_all(running: ServiceProcess, clients: list[Client]) -> tuple[int, int]:
    """Assert that all that was ever confirmed is there, and return the numbers of views and of lists looked at."""
    with database_of(running.state_dir) as db:
        lists, views = check_lists(db), sum(check_views(db, client) for client in clients)
    for client in clients:
        for user in client.users[-1:]:
            assert len(running.recommended(user)) == LIST_LENGTH
    return views, lists
