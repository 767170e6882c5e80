"""Four processes on one database: when the one that trains is killed another trains, and all agree within seconds."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from client_load import LIST_LENGTH
from conftest import scratch_database
from database_invariants import check_lists, connected
from processes import TIMEOUT_SECONDS, ServiceProcess, poll, processes_of, service
from sqlalchemy import Connection, Row, text

from storage.runs import INTERRUPTED

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
PROCESSES, ROUNDS = 4, 3
TICK_SECONDS, SLACK_SECONDS = 12, 6  # until a process that trains has been started
GENERATION_SECONDS = 5  # until every process serves what one has published
OFTEN = {  # with a fit that is long enough to be met in the middle of it, and a JVM only where that is
    "MATINEE_SPARK_IDLE_MINUTES": "0",
    "MATINEE_RETRAIN_MINUTES": str(TICK_SECONDS / 60),
    "MATINEE_RANKER_ITERATIONS": "60",
}
IN_A_FIT = text("SELECT id FROM runs WHERE kind = 'train' AND outcome IS NULL AND phase = 'ranker' AND progress > 0.05")
PUBLISHED = text("""
    SELECT id, extract(epoch FROM started_at)::float AS started, extract(epoch FROM finished_at)::float AS finished,
        (details ->> 'generation')::int AS generation
    FROM runs WHERE kind = 'train' AND outcome = 'published' AND id > :after ORDER BY id LIMIT 1
""")
ERROR = text("SELECT error FROM runs WHERE id = :id")


@pytest.fixture
def shared_url(database_url: str) -> Iterator[str]:
    yield from scratch_database(database_url)


def test_of_four_processes_one_is_killed_while_it_trains_and_another_trains_at_the_next_tick(
    shared_url: str, dataset: Path, scratch: Path, record_property: Callable[[str, object], None]
) -> None:
    settings = {"DATABASE_URL": shared_url, "MATINEE_DATASET": str(dataset), **OFTEN}
    with ExitStack() as stack, connected(shared_url) as db:
        four = [stack.enter_context(service(scratch / f"four-{n}", **settings)) for n in range(PROCESSES)]
        for each in four:
            each.wait_until_ready()
        check_every_write_is_read_by_all(four)
        spread = [seconds_until_all_serve(four, published(db, after=0))]
        check_every_write_is_read_by_all(four)

        run, trainer = met_in_a_fit(db, four)
        trainer.process.kill()
        died, three = time.time(), [each for each in four if each is not trainer]
        check_every_write_is_read_by_all(three)
        later = published(db, after=run)
        spread.append(seconds_until_all_serve(three, later))
        check_every_write_is_read_by_all(three)

        assert db.execute(ERROR, {"id": run}).scalar_one() == INTERRUPTED
        assert later.started - died < TICK_SECONDS + SLACK_SECONDS
        assert max(spread) < GENERATION_SECONDS
        lists = check_lists(db)
    began = f"another began to train {later.started - died:.1f} s after the kill, ticks being {TICK_SECONDS} s apart"
    record_property("faults", 1)
    record_property("found", f"{began}; all served the new generation after {max(spread):.1f} s; {lists} lists whole")


def check_every_write_is_read_by_all(services: Sequence[ServiceProcess]) -> None:
    """Assert that a view written through any of them is in the next answer of each other."""
    user = services[0].new_user()
    for movie, writer in enumerate([*services] * ROUNDS, start=1):
        writer.rate(user, movie, 5.0 if movie % 2 else 1.0)
        for reader in services:
            assert reader.viewed(user)[0] == movie
            listed = reader.recommended(user)
            assert len(set(listed)) == LIST_LENGTH
            assert min(listed) > movie  # they have seen all movies up to this one


def published(db: Connection, after: int) -> Row[Any]:
    """The first run after another that published its generation; waits for it."""
    return poll(lambda: db.execute(PUBLISHED, {"after": after}).one_or_none(), 3 * TIMEOUT_SECONDS, "a new generation")


def seconds_until_all_serve(services: Sequence[ServiceProcess], run: Row[Any]) -> float:
    """How long after it was published the last of them served a generation, or one after it."""
    for each in services:
        while (each.part("generation")["id"] or 0) < run.generation:
            time.sleep(0.05)
    return time.time() - float(run.finished)


def met_in_a_fit(db: Connection, services: Sequence[ServiceProcess]) -> tuple[int, ServiceProcess]:
    """A run that is in the middle of a fit, and the process that is at it."""

    def look() -> tuple[int, ServiceProcess] | None:
        run = db.execute(IN_A_FIT).scalar_one_or_none()
        at_it = [each for each in services if run and _has_jvm(each)]
        return (run, at_it[0]) if run and len(at_it) == 1 else None

    return poll(look, 3 * TIMEOUT_SECONDS, "a training in the middle of a fit")


def _has_jvm(each: ServiceProcess) -> bool:
    return any("bin/java" in shown for shown in processes_of(each.state_dir))
