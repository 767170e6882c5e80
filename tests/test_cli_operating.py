"""Commands for whoever looks after the service: status, doctor, users, backups, retrain; JSON, help and exit status."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import scratch_database
from planted import EVEN, IDS, new_user
from test_cli import Operator
from wire import serving

import cli
from app import create_app
from commands.answer import Page
from health import Health
from recommender import Recommender
from settings import ROOT, Settings
from storage import runs, schema
from storage.database import Database

COMMANDS = {
    " ".join(path): command
    for name, found in cli.cli.commands.items()
    for path, command in (
        [((name, inner), c) for inner, c in found.commands.items()]
        if isinstance(found, click.Group)
        else [((name,), found)]
    )
}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nobody listens there
LITTLE = {"MATINEE_SPARK_DRIVER_MEMORY": "1m"}  # for a doctor on a machine that is busy


@pytest.fixture
def operator(database: Database, dataset: Path, tmp_path: Path) -> Operator:
    """An operator of the tests' database, beside whom no service runs."""
    return Operator(
        {
            "DATABASE_URL": database.url.render_as_string(hide_password=False),
            "MATINEE_STATE_DIR": str(tmp_path / "state"),
            "MATINEE_DATASET": str(dataset),
            "MATINEE_PORT": "1",
        }
    )


class Trains:
    """Stands in for the scheduler: a training that is over when it has begun."""

    phases: dict[str, float] = {}  # noqa: RUF012 - a constant
    next_at = None

    def __init__(self, database: Database, outcome: str | None) -> None:
        self.database, self.outcome = database, outcome

    def order(self) -> int | None:
        if self.outcome is None:
            return None
        with self.database.transaction() as db:
            run = runs.begin(db, "train")
            runs.end(db, run, self.outcome, {}, "out of memory" if self.outcome == "failed" else None)
        return run


@pytest.fixture
def beside(live: Recommender, ready: Health) -> Iterator[Callable[[str | None], dict[str, str]]]:
    """Runs a service whose next training will have this outcome; how a command finds it."""
    with ExitStack() as stack:

        def start(outcome: str | None) -> dict[str, str]:
            app = create_app(live, ready, Settings(admin_key="x" * 20), Trains(live.database, outcome))
            _, port = stack.enter_context(serving(app))
            return {"MATINEE_PORT": str(port), "MATINEE_ADMIN_KEY": "x" * 20}

        yield start


def found(operator: Operator, *arguments: str, **environ: str) -> Any:
    return json.loads(operator.says(*arguments, "--json", **environ))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_of_help_and_answers_in_json(name: str, operator: Operator) -> None:
    assert isinstance(COMMANDS[name], Page)
    shown = operator.says(*name.split(), "--help")
    assert shown.startswith(f"Usage: matinee {name} [OPTIONS]")
    for part in ("--json", "Examples:\n  ", f"matinee {name}", "Exit status:\n  0 ", "Environment:\n  "):
        assert part in shown
    for option in COMMANDS[name].params:
        assert isinstance(option, click.Argument) or option.help, f"{option.name} says nothing"


def test_status_is_one_screen(live: Recommender, operator: Operator) -> None:
    new_user(live.database, {EVEN[0]: 5.0})
    shown = operator.says("status").splitlines()
    assert len(shown) <= 24
    text = "\n".join(shown)
    for part in (
        "http://127.0.0.1:1: not running",
        f"revision {schema.head()}",
        "40 films, 1 users, 1 ratings",
        f"generation  {live.live.id}, made " if live.live else "",
    ):
        assert part in text


def test_status_as_json_has_the_same_and_no_password(live: Recommender, operator: Operator) -> None:
    told = found(operator, "status")
    assert live.live
    assert told["generation"]["id"] == live.live.id
    assert (told["films"], told["users"], told["service"]["state"]) == (40, 0, "not running")
    assert f":{live.database.url.password}@" not in json.dumps(told)
    assert told["disk"]["free"] > 0


def test_status_shows_the_running_service(
    operator: Operator, beside: Callable[[str | None], dict[str, str]], ready: Health
) -> None:
    environ = beside("published")
    assert found(operator, "status", **environ)["service"]["state"] == "ready"
    ready.report("catalogue", "failed", "the catalogue is gone")
    done = operator.run("status", **environ)
    assert done.returncode == 1
    assert "catalogue is failed: the catalogue is gone" in done.stdout


def test_status_of_a_database_that_is_away_says_so(operator: Operator) -> None:
    done = operator.run("status", DATABASE_URL="postgresql://matinee:secret@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "refused" in done.stdout
    assert "secret" not in done.stdout + done.stderr


def test_looking_changes_nothing(operator: Operator, database_url: str, tmp_path: Path) -> None:
    for url in scratch_database(database_url):
        told = json.loads(operator.run("status", "--json", DATABASE_URL=url).stdout)
        assert told["database"]["revision"] is None
        operator.run("doctor", DATABASE_URL=url)
        database = Database(url, 1)
        with database.snapshot() as db:
            assert schema.current(db) is None
        database.close()
    operator.run("status", DATABASE_URL="")
    assert not (tmp_path / "state" / "postgres").exists()


def test_a_well_machine_has_no_line_that_fails(live: Recommender, operator: Operator) -> None:
    lines = found(operator, "doctor", **LITTLE)
    levels = {line["what"]: line["level"] for line in lines}
    assert "fail" not in levels.values(), lines
    assert set(levels) >= {
        "python",
        "packages",
        "java",
        "memory",
        "disk",
        "database",
        "tables",
        "generation",
        "dataset",
    }
    assert set(levels) >= {"port", "exposure", "spark"}


def test_the_doctor_names_what_is_wrong_and_what_to_do(operator: Operator, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wrong = {
            "MATINEE_PORT": str(taken.getsockname()[1]),
            "MATINEE_DATASET": str(tmp_path),
            "MATINEE_SPARK_MASTER": "spark://127.0.0.1:1",
            "MATINEE_SPARK_DRIVER_MEMORY": "900t",
            "DATABASE_URL": "postgresql://127.0.0.1:1/none",
        }
        done = operator.run("doctor", "--json", **wrong)
    assert done.returncode == 1
    told = {line["what"]: (line["level"], line["text"]) for line in json.loads(done.stdout)}
    for what, level, advice in (
        ("port", "fail", "set MATINEE_HOST and MATINEE_PORT"),
        ("dataset", "fail", "holds no whole MovieLens set"),
        ("spark", "fail", "start it, or set MATINEE_SPARK_MASTER"),
        ("memory", "warn", "lower MATINEE_SPARK_DRIVER_MEMORY"),
        ("database", "fail", "see that it runs and that DATABASE_URL names it"),
    ):
        assert told[what][0] == level
        assert advice in told[what][1]


@pytest.mark.parametrize(
    ("environ", "level", "told"),
    [
        ({"MATINEE_HOST": EVERYWHERE}, "fail", "set MATINEE_API_KEY, or MATINEE_HOST"),
        ({"MATINEE_HOST": EVERYWHERE, "MATINEE_ALLOW_OPEN": "1"}, "warn", "everyone on the network"),
        ({"MATINEE_HOST": EVERYWHERE, "MATINEE_API_KEY": "k" * 20}, "ok", "with a key"),
    ],
)
def test_the_doctor_sees_who_could_come_in(environ: dict[str, str], level: str, told: str, operator: Operator) -> None:
    done = operator.run("doctor", "--json", **environ, **LITTLE)
    (line,) = [line for line in json.loads(done.stdout) if line["what"] == "exposure"]
    assert line["level"] == level
    assert told in line["text"]


def test_the_doctor_counts_the_connections_of_all_processes(live: Recommender, operator: Operator) -> None:
    def told(processes: int) -> list[str]:
        lines = found(operator, "doctor", MATINEE_PROCESSES=str(processes), **LITTLE)
        return [line["text"] for line in lines if line["what"] == "database" and line["level"] == "warn"]

    assert told(1) == []
    assert "this service may want 902: raise its max_connections" in told(64)[0]


def test_users_are_listed_a_page_at_a_time(live: Recommender, operator: Operator) -> None:
    people = [new_user(live.database, dict.fromkeys(IDS[:n], 4.0)) for n in range(5)]
    first, second = found(operator, "users", "list", "--limit", "3"), found(operator, "users", "list", "--after", "3")
    assert [row["user_id"] for row in first + second] == people
    assert [row["rating_count"] for row in first + second] == [0, 1, 2, 3, 4]
    assert operator.says("users", "list", "--limit", "3").endswith("more: --after 3\n")
    assert operator.says("users", "count") == "5\n"


def test_a_user_is_shown_with_what_is_stored(live: Recommender, operator: Operator) -> None:
    user = new_user(live.database, dict.fromkeys(IDS[:12], 4.0))
    shown = operator.says("users", "show", str(user))
    assert "12 ratings" in shown
    assert "4.0  Film 11" in shown
    assert "and 2 earlier ones" in shown
    assert len(found(operator, "users", "show", str(user))["ratings"]) == 12
    assert "There is no user 99" in operator.refused("users", "show", "99")


def test_a_backup_is_made_checked_and_refused_where_there_is_something(
    live: Recommender, operator: Operator, database_url: str, tmp_path: Path
) -> None:
    new_user(live.database, {EVEN[0]: 5.0})
    file = str(tmp_path / "kept")
    told = found(operator, "backup", file)
    assert told["rows"]["views"] == 1
    assert found(operator, "restore", "--check", file, DATABASE_URL="postgresql://127.0.0.1:1/none") == told
    assert "is not empty" in operator.refused("restore", file)
    for url in scratch_database(database_url):
        assert "1 users, 1 ratings, 1 generations" in operator.says("restore", file, DATABASE_URL=url)
        assert found(operator, "status", DATABASE_URL=url)["ratings"] == 1
    (tmp_path / "kept").write_text("no zip")
    assert "is no backup of Matinee" in operator.refused("restore", "--check", file)


@pytest.mark.parametrize(
    ("outcome", "status", "told"),
    [
        ("published", 0, "published\n"),
        ("rejected", 3, "rejected\n"),
        ("failed", 1, "failed: out of memory\n"),
        (None, 3, "busy: another training is under way\n"),
    ],
)
def test_a_training_in_the_service_ends_with_a_status_by_its_outcome(
    outcome: str | None,
    status: int,
    told: str,
    operator: Operator,
    beside: Callable[[str | None], dict[str, str]],
) -> None:
    done = operator.run("retrain", "--wait", **beside(outcome))
    assert (done.returncode, done.stdout) == (status, told)


def test_a_service_that_wants_another_key_is_told_in_one_line(
    operator: Operator, beside: Callable[[str | None], dict[str, str]]
) -> None:
    environ = beside("published") | {"MATINEE_ADMIN_KEY": "y" * 20}
    assert "the service answered 401: That key is not one of ours" in operator.refused("retrain", **environ)


def test_the_command_works_from_any_folder_through_a_link(operator: Operator, tmp_path: Path) -> None:
    command = tmp_path / "matinee"
    command.symlink_to(ROOT / "runtime" / "matinee.sh")
    done = subprocess.run(
        [command, "users", "count", "--json"], cwd="/", env=operator.environ, capture_output=True, text=True
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, {"users": 0}), done.stderr
