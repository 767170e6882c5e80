"""Upgrades: from every earlier revision with data in it, and one process after the other while people go on."""

import io
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
from command_line import Operator
from conftest import MOVIES
from handmade_model import EVEN, IDS, fill_catalogue, flip, new_user, publish, two_tastes
from processes import ServiceProcess, free_port, poll, service
from sqlalchemy import Connection, inspect, text

from health import Health
from jobs.refresh import refresh
from ranking.factors import FORMAT, FactorsError, checksum
from recommender import Recommender
from storage import generations, schema, user_ratings, users
from storage.database import Database
from storage.errors import DowngradeRefusedError, UnknownRevisionError

EARLIER = schema.revisions()[:-1]
# what revision 0001 has a place for; later ones add to it
FIRST = (
    """INSERT INTO movies (id, title, genres, year, rating_count, rating_sum, like_count, expected_rating)
       VALUES (:movie, 'Movie ' || :movie, 'Drama', 1999, 100, 350, 60, 3.5)""",
    "INSERT INTO users (history_version, foretold_version) VALUES (2, 1), (0, 0)",
    "INSERT INTO users (id) OVERRIDING SYSTEM VALUE VALUES (7)",
    "DELETE FROM users WHERE id = 7",
    "SELECT setval(pg_get_serial_sequence('users', 'id'), 7)",
    """INSERT INTO runs (kind, phase, progress, outcome, finished_at, details)
       VALUES ('train', 'publish', 1, 'published', now(), '{"generation": 1}')""",
    "INSERT INTO runs (kind, phase, progress) VALUES ('train', 'ranker', 0.3)",
    """INSERT INTO generations (run_id, verdict, reason, fingerprint, details, checksum, factors)
       VALUES (1, 'accepted', 'better', 'f', '{}', :checksum, :factors)""",
    "INSERT INTO live_generation (generation_id) VALUES (1)",
    "INSERT INTO views (user_id, movie_id, rating, version) VALUES (1, :first, 5, 1), (1, :second, 4.5, 2)",
    "INSERT INTO foretold VALUES (1, 1, :first, 1, 5, 4.5, 3)",
)

LIST = {  # by whether a place of it has a row of its own
    True: "INSERT INTO recommendations VALUES (1, 1, 2, 1, :third, 4.5)",
    False: "INSERT INTO recommendations VALUES (1, 1, 2, ARRAY[CAST(:third AS integer)], ARRAY[4.5])",
}
# what later revisions have a table for
LATER = {
    "events": "INSERT INTO events VALUES (gen_random_uuid(), :first, 'opened', 1, now())",
    "marks": "INSERT INTO marks (user_id, movie_id, mark, version) VALUES (1, :second, 'seen', 2)",
    "experiments": """INSERT INTO experiments (name, arms, share, interleave, salt)
       VALUES ('ab', ARRAY['today', 'G1'], 20, false, 'salt')""",
    "tokens": "INSERT INTO tokens (user_id, scope, hash) VALUES (1, 'list', 'abc')",
}
# a service makes the row of the one, and a day's partition of the other
MAY_BE_EMPTY = {"training_schedule", "impressions"}
# code from before one of these cannot work beside code from after it: all processes are stopped for it
WANT_A_STOP = {"0004"}


def fill(db: Connection) -> None:
    data = two_tastes().to_bytes()
    given = {"first": EVEN[0], "second": EVEN[1], "third": EVEN[2], "factors": data, "checksum": checksum(data)}
    there = columns(db)
    later = [statement for table, statement in LATER.items() if table in there]
    for statement in (*FIRST, LIST["rank" in there["recommendations"]], *later):
        for movie in IDS if ":movie" in statement else [0]:
            db.execute(text(statement), given | {"movie": movie})


def columns(db: Connection) -> dict[str, dict[str, str]]:
    """The type of every column, by table."""
    tables = inspect(db)
    return {
        name: {column["name"]: str(column["type"]) for column in tables.get_columns(name)}
        for name in tables.get_table_names()
        if name != "alembic_version"
    }


def shared(earlier: dict[str, dict[str, str]], later: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The columns that both have."""
    return {table: {n: kind for n, kind in names.items() if n in later[table]} for table, names in earlier.items()}


def rows(db: Connection, shape: dict[str, dict[str, str]]) -> dict[str, list[tuple[object, ...]]]:
    """Everything in these columns."""
    found = {}
    for table, names in shape.items():
        query = f"SELECT {', '.join(names)} FROM {table} ORDER BY 1, 2, 3"  # noqa: S608 - names of our own
        found[table] = [tuple(row) for row in db.execute(text(query if len(names) > 2 else query[:-3]))]
    return found


@pytest.mark.parametrize("revision", EARLIER)
def test_an_upgrade_keeps_everything_and_the_service_goes_on(
    revision: str, empty: Database, migrated: Database, ready: Health
) -> None:
    with migrated.statement() as db:
        at_head = columns(db)
    empty.migrate(revision)
    with empty.background_transaction() as db:
        fill(db)
        shape = shared(columns(db), at_head)
        before = rows(db, shape)
    assert all(found for name, found in before.items() if name not in MAY_BE_EMPTY)
    empty.migrate()
    with empty.background_transaction() as db:
        assert rows(db, shape) == before
        assert users.create(db) == 8  # none that was given before
    recommender = Recommender(empty)
    refresh(recommender, ready)
    assert ready["generation"].state == "ready"
    assert [row.movie.movie_id for row in recommender.recommend(1).items] == [EVEN[2]]  # the list that was stored
    with empty.statement() as db:
        user_ratings.put(db, 1, EVEN[3], 5.0)
    listed = [row.movie.movie_id for row in recommender.recommend(1).items]
    assert listed
    assert set(listed) <= set(EVEN) - {EVEN[0], EVEN[1], EVEN[3]}


@pytest.mark.parametrize("revision", [name for name in schema.revisions()[1:] if name not in WANT_A_STOP])
def test_what_the_code_before_a_migration_reads_and_writes_is_still_there_after_it(
    revision: str, empty: Database
) -> None:
    empty.migrate(schema.revisions()[schema.revisions().index(revision) - 1])
    with empty.background_transaction() as db:
        before = columns(db)
    empty.migrate(revision)
    with empty.background_transaction() as db:
        after = columns(db)
        assert all(before[table].items() <= after[table].items() for table in before)
        fill(db)  # a new column that has to be given a value would stop it


def test_a_later_revision_is_refused_by_name(empty: Database) -> None:
    empty.migrate()
    with empty.background_transaction() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for revision in ("head", "base", "0001"):
        with pytest.raises(UnknownRevisionError, match=f"of revision 9999, and .* up to {schema.head()}"):
            empty.migrate(revision)


def test_an_earlier_revision_is_refused_with_the_way_back(empty: Database) -> None:
    empty.migrate()
    with pytest.raises(DowngradeRefusedError, match="restore the backup that was taken before the upgrade"):
        empty.migrate("0001")


def of_format(number: int) -> bytes:
    """Factors as a version would write them that has this format."""
    with np.load(io.BytesIO(two_tastes().to_bytes()), allow_pickle=False) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes()) | {"format": number}
    out = io.BytesIO()
    np.savez(out, **arrays | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)})
    return out.getvalue()


def store(database: Database, data: bytes) -> int:
    with database.transaction() as db:
        statement = text("""
            INSERT INTO generations (verdict, reason, fingerprint, details, checksum, factors)
            VALUES ('accepted', 'made elsewhere', 'f', '{}', :checksum, :factors) RETURNING id
        """)
        return int(db.execute(statement, {"checksum": checksum(data), "factors": data}).scalar_one())


def test_a_generation_of_a_later_format_is_refused_by_name_and_the_one_before_serves(
    live: Recommender, ready: Health
) -> None:
    database = live.database
    strange = store(database, of_format(FORMAT + 1))
    told = f"format {FORMAT + 1}; this version reads up to {FORMAT}"
    with database.background_transaction() as db, pytest.raises(FactorsError, match=told):
        generations.load(db, strange)
    operator = Operator({"DATABASE_URL": database.url})
    assert told in operator.refused("activate", str(strange))
    flip(database, strange)
    restarted = Recommender(database)
    refresh(restarted, ready)
    assert ready["generation"].state == "failed"
    assert told in str(ready["generation"].reason)
    assert restarted.model.live
    assert restarted.model.live.id == strange - 1
    doctor = operator.run("doctor", "--json")
    (found,) = [line for line in json.loads(doctor.stdout) if line["what"] == "generation"]
    assert (doctor.returncode, found["level"]) == (1, "fail")
    assert told in found["text"]


@dataclass
class Balancer:
    """Gives each request to one process after the other, and again where no answer to it had begun.

    That is what nginx and HAProxy do by themselves: a refused or closed connection, or a 503, goes to the next one.
    """

    ports: list[int]
    retried: int = 0
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        first, problems = next(self._turn), []
        for n in range(len(self.ports)):
            port = self.ports[(first + n) % len(self.ports)]
            try:
                answer = httpx.request(method, f"http://127.0.0.1:{port}{path}", json=body, timeout=20)
                if answer.status_code != 503:
                    return answer
                problems.append(answer.text)
            except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError) as error:
                if "complete message" in str(error):
                    raise  # an answer was cut off after it had begun, which no balancer mends
                problems.append(repr(error))
            self.retried += 1
        raise AssertionError(f"{method} {path}: neither process answered: {problems}")


@dataclass
class Crowd:
    """People who rate movies and look at their lists, each movie once, until they are told to stop."""

    balancer: Balancer
    people: list[int]
    stop: threading.Event = field(default_factory=threading.Event)
    confirmed: set[tuple[int, int, float]] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)

    def live(self, person: int) -> None:
        for turn in itertools.count():
            if self.stop.is_set():
                return
            movie, rating = IDS[turn % MOVIES], 0.5 + (turn // MOVIES + person) % 10 / 2
            answer = self.balancer.ask("POST", f"/users/{person}/views/{movie}", {"rating": rating})
            self.answers.append(answer.status_code)
            if answer.is_success:
                self.confirmed -= {(person, movie, r / 2) for r in range(11)}
                self.confirmed.add((person, movie, rating))
            self.answers.append(self.balancer.ask("GET", f"/users/{person}/recommendations").status_code)


def test_a_rolling_restart_loses_no_request_and_no_confirmed_rating(
    empty: Database, dataset: Path, scratch: Path
) -> None:
    empty.migrate()
    fill_catalogue(empty)
    publish(Recommender(empty), two_tastes())
    ports = [free_port(), free_port()]
    environ = {
        "DATABASE_URL": empty.url,
        "MATINEE_DATASET": str(dataset),
        "MATINEE_RETRAIN_MINUTES": "0",
        "MATINEE_RATE_LIMIT": "off",
    }
    crowd = Crowd(Balancer(ports), [new_user(empty) for _ in range(4)])
    with ExitStack() as stack, ThreadPoolExecutor(len(crowd.people)) as pool:

        def start(n: int) -> ServiceProcess:
            place = scratch / f"rolling-{n}"
            started = stack.enter_context(service(place, **environ, MATINEE_PORT=str(ports[n])))
            started.wait_until_ready()
            return started

        running = [start(0), start(1)]
        going = [pool.submit(crowd.live, person) for person in crowd.people]
        try:
            for n in (0, 1):
                passed = len(crowd.answers)
                poll(lambda so_far=passed: len(crowd.answers) > so_far + 40, what="requests before a restart")
                running[n].stop()
                running[n] = start(n)
            passed = len(crowd.answers)
            poll(lambda so_far=passed: len(crowd.answers) > so_far + 40, what="requests after the last restart")
        finally:
            crowd.stop.set()
        for person in going:
            person.result()
    assert crowd.balancer.retried > 0, "nobody met a restart"
    assert set(crowd.answers) <= {200, 201}
    with empty.statement() as db:
        stored = {tuple(row) for row in db.execute(text("SELECT user_id, movie_id, rating FROM views"))}
    assert stored == crowd.confirmed
