"""Commands for whoever looks after the service: status, doctor, users, backups, retrain; JSON, help and exit status."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from command_line import Operator
from conftest import ask, scratch_database
from disposable_postgres import small_disk
from handmade_model import EVEN, IDS, new_user, store_generation, two_tastes
from processes import TIMEOUT_SECONDS, free_port, poll
from raw_http import serving
from sqlalchemy import Connection, make_url, text

import cli
from app import create_app
from commands import doctor, machine_checks, status, training_commands
from commands.context import Context
from health import Health
from recommender import Recommender
from settings import ROOT, Settings
from storage import runs, schema, tokens
from storage.database import TRAINING_LOCK, Database
from storage.errors import DatabaseUnavailableError
from system.private_folder import NOBODY

COMMANDS = {
    " ".join(path): command
    for name, found in cli.cli.commands.items()
    for path, command in (
        [((name, inner), c) for inner, c in found.commands.items()]
        if isinstance(found, click.Group)
        else [((name,), found)]
    )
}
WILDCARD_HOSTS = "0.0.0.0"  # noqa: S104 - nobody listens there
LITTLE = {"MATINEE_SPARK_DRIVER_MEMORY": "512m"}  # for a doctor on a machine that is busy


@pytest.fixture
def operator(database: Database, dataset: Path, tmp_path: Path) -> Operator:
    """An operator of the tests' database, beside whom no service runs."""
    return Operator(
        {
            "DATABASE_URL": database.url,
            "MATINEE_STATE_DIR": str(tmp_path / "state"),
            "MATINEE_DATASET": str(dataset),
            "MATINEE_PORT": str(free_port()),
        }
    )


@pytest.fixture
def beside(
    live: Recommender, ready: Health, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str | None], dict[str, str]]]:
    """Runs a service whose next training will have this outcome; how a command finds it."""
    with ExitStack() as stack:

        def start(outcome: str | None) -> dict[str, str]:
            def train(db: Connection, kind: str, lock: int) -> int | None:
                if outcome is None:
                    return None
                run = runs.begin(db, kind)
                runs.end(db, run, outcome, {}, "out of memory" if outcome == "failed" else None)
                return run

            monkeypatch.setattr(runs, "queue", train)  # the training run is over when it has begun
            app = create_app(live, ready, Settings(api_key="a" * 20, admin_key="x" * 20))
            _, port = stack.enter_context(serving(app))
            return {"MATINEE_PORT": str(port), "MATINEE_ADMIN_KEY": "x" * 20}  # without it, health tells no reasons

        yield start


def found(operator: Operator, *arguments: str, **environ: str) -> Any:
    return json.loads(operator.says(*arguments, "--json", **environ))


def test_the_list_of_commands_says_whole_sentences(operator: Operator) -> None:
    for path in ([], ["users"], ["movies"], ["catalogue"]):
        group = cli.cli.commands[path[0]] if path else cli.cli
        assert isinstance(group, click.Group)
        shown = " ".join(operator.says(*path, "--help", COLUMNS="80").split())
        for name, command in group.commands.items():
            assert command.help
            sentence = " ".join(command.help.partition("\n\n")[0].split()).partition(". ")[0].removesuffix(".")
            assert f" {name} {sentence}." in shown


@pytest.mark.skipif(sys.platform != "linux", reason="looks for a handler in /proc")
def test_ctrl_c_while_the_modules_are_loaded_leaves_no_traceback(operator: Operator) -> None:
    def handled(process: "subprocess.Popen[str]") -> bool:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught & 1 << (signal.SIGINT - 1))

    with operator.begun("cli.py", "status") as process:
        while not handled(process):  # Python's is there for some 20 ms, which a poll may miss
            assert process.poll() is None
        poll(lambda: not handled(process), what="ours")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == ""
        assert process.returncode == -signal.SIGINT


def test_help_comes_though_a_setting_is_bad(operator: Operator) -> None:
    assert operator.says("users", "count", "--help", MATINEE_PORT="x").startswith("Usage: matinee users count")
    assert operator.run("users", "count", MATINEE_PORT="x").returncode == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_of_help_and_answers_in_json(name: str, operator: Operator) -> None:
    shown = operator.says(*name.split(), "--help")
    assert shown.startswith(f"Usage: matinee {name} [OPTIONS]")
    for part in ("--json", "Examples:\n    ", f"matinee {name}", "Exit status:\n    0 ", "Environment:\n    "):
        assert part in shown
    for option in COMMANDS[name].params:
        assert isinstance(option, click.Argument) or option.help, f"{option.name} says nothing"


def test_status_is_one_screen(live: Recommender, operator: Operator) -> None:
    new_user(live.database, {EVEN[0]: 5.0})
    shown = operator.says("status").splitlines()
    assert len(shown) <= 24
    text = "\n".join(shown)
    for part in (
        f"http://127.0.0.1:{operator.environ['MATINEE_PORT']}: not running",
        f"revision {schema.head()}",
        "40 movies, 1 user, 1 rating",
        f"generation  {live.model.live.id}, made " if live.model.live else "",
    ):
        assert part in text


def test_status_as_json_has_the_same_and_no_password(live: Recommender, operator: Operator) -> None:
    told = found(operator, "status")
    assert live.model.live
    assert told["generation"]["id"] == live.model.live.id
    assert (told["films"], told["users"], told["service"]["state"]) == (40, 0, "not running")
    assert f":{make_url(live.database.url).password}@" not in json.dumps(told)
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


def test_status_tells_a_training_that_was_cut_off_from_one_that_goes_on(live: Recommender, operator: Operator) -> None:
    with live.database.transaction() as db:
        run = runs.begin(db, "train")
    assert f"{run} train: {runs.INTERRUPTED}, begun under a minute ago" in operator.says("status")
    (told,) = found(operator, "status")["runs"]
    assert (told["id"], told["outcome"], told["error"]) == (run, None, runs.INTERRUPTED)
    with live.database.try_lock(TRAINING_LOCK):
        assert f"{run} train: starting, 0%, begun under a minute ago" in operator.says("status")
        assert found(operator, "status")["runs"][0]["error"] is None


def test_status_shows_the_next_training_of_a_running_service(
    operator: Operator, beside: Callable[[str | None], dict[str, str]], database: Database
) -> None:
    assert "next        not known: the service is not running" in operator.says("status")
    environ = beside("published")
    assert "next        no training is scheduled" in operator.says("status", **environ)
    with database.statement() as db:
        runs.announce(db, datetime(2030, 1, 2, 3, 4, tzinfo=UTC))
    assert "next        a training at 2030-01-02 03:04" in operator.says("status", **environ)
    told = found(operator, "status", **environ)
    assert (told["next_training"], told["next_unknown"]) == ("2030-01-02T03:04:00+00:00", None)


def test_what_commands_change_is_logged(
    live: Recommender, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert live.model.live
    before, newer = live.model.live.id, store_generation(live.database, two_tastes(seed=1))
    user = new_user(live.database)
    for command, told in (
        (f"activate {newer}", f"generation {newer} is live and held, instead of {before}"),
        ("activate --release", f"generation {newer} is no longer held"),
        (f"activate {before} --no-hold", f"generation {before} is live, instead of {newer}"),
        ("movies add Okapi", "movie 1000000000 is added"),
        (f"movies withdraw {IDS[0]} {IDS[1]}", f"2 of the movies {IDS[0]}, {IDS[1]} are withdrawn"),
        (f"experiment start back --arm today --arm G{newer}",
         f"experiment back runs with 20 % of the users: today, G{newer}"),
        ("experiment stop back", "experiment back has ended"),
        (f"erase {user} --yes", f"user {user} is erased: 0 views, 0 places in lists, 0 predictions"),
    ):  # fmt: skip
        caplog.clear()
        operator.says(*command.split())
        found = [record.getMessage() for record in caplog.records if record.name == "commands.framework"]
        assert found == [f"{told}, by the command line"]


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
            "MATINEE_SPARK_DRIVER_MEMORY": "3t",
            "DATABASE_URL": "postgresql://127.0.0.1:1/none",
        }
        done = operator.run("doctor", "--json", **wrong)
    assert done.returncode == 1
    told = {line["what"]: (line["level"], line["text"]) for line in json.loads(done.stdout)}
    for what, level, advice in (
        ("port", "fail", "set MATINEE_HOST and MATINEE_PORT"),
        ("dataset", "fail", "holds no whole MovieLens set"),
        ("spark", "fail", "start it, or correct MATINEE_SPARK_MASTER"),
        ("memory", "warn", "lower MATINEE_SPARK_DRIVER_MEMORY"),
        ("database", "fail", "see that it runs and that DATABASE_URL names it"),
    ):
        assert told[what][0] == level
        assert advice in told[what][1]


@pytest.mark.parametrize(
    ("environ", "level", "told"),
    [
        ({"MATINEE_HOST": WILDCARD_HOSTS}, "fail", "set MATINEE_API_KEY, or MATINEE_HOST"),
        ({"MATINEE_HOST": WILDCARD_HOSTS, "MATINEE_ALLOW_OPEN": "1"}, "warn", "everyone on the network"),
        ({"MATINEE_HOST": WILDCARD_HOSTS, "MATINEE_API_KEY": "k" * 20}, "ok", "with a key"),
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


@contextmanager
def somebody_else() -> Iterator[None]:
    """Root, who may look everywhere, is nobody for a while."""
    before = os.geteuid()
    try:
        os.seteuid(before or NOBODY[0])
        yield
    finally:
        os.seteuid(before)


def test_a_folder_of_another_user_is_there_and_a_line_that_fails(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "theirs" / "state")
    settings.state_dir.mkdir(parents=True)
    settings.state_dir.parent.chmod(0)
    context = Context(settings)
    with somebody_else():
        assert context.has_postgres
        (line,) = doctor._findings(machine_checks.disk, context)
        room = status._disk(settings)
    settings.state_dir.parent.chmod(0o700)
    assert (line.level, line.what) == ("fail", "disk")
    assert str(settings.state_dir) in line.text
    assert room == {"folder": str(settings.state_dir), "free": None, "total": None}
    assert not Context(settings).has_postgres


def test_a_role_without_rights_is_told_in_one_line_what_to_do(
    live: Recommender, operator: Operator, empty: Database, without_rights: str, tmp_path: Path
) -> None:
    advice = "Have the role of DATABASE_URL own its database"
    operator.says("backup", str(tmp_path / "kept"))
    for work in (["migrate"], ["restore", str(tmp_path / "kept")]):
        assert f"permission denied for schema public. {advice}" in operator.refused(*work, DATABASE_URL=without_rights)
    empty.migrate()
    for work in (["users", "count"], ["backup", str(tmp_path / "kept")]):
        assert f"permission denied for table alembic_version. {advice}" in operator.refused(
            *work, DATABASE_URL=without_rights
        )
    for looking in ("status", "doctor"):
        done = operator.run(looking, DATABASE_URL=without_rights)
        assert done.returncode == 1
        assert f"permission denied for table alembic_version. {advice}" in done.stdout


def test_a_database_that_takes_no_writes_is_told_in_one_line(operator: Operator, empty_url: str) -> None:
    read_only = f"{empty_url}?options=-cdefault_transaction_read_only%3Don"
    told = operator.refused("migrate", DATABASE_URL=read_only)
    found = operator.run("doctor", DATABASE_URL=read_only)
    assert "The database is a standby, or read-only. It takes no writes: name the primary in DATABASE_URL" in told
    assert "it is a standby, or read-only, and takes no writes" in found.stdout


def test_a_table_that_we_may_not_read_is_no_hindrance_to_a_backup(
    operator: Operator, empty: Database, without_rights: str, tmp_path: Path
) -> None:
    ask(empty, f"GRANT CREATE ON SCHEMA public TO {make_url(without_rights).username}")
    operator.says("migrate", DATABASE_URL=without_rights)
    ask(empty, "CREATE TABLE notes AS SELECT 1 AS mine")
    operator.says("backup", str(tmp_path / "kept"), DATABASE_URL=without_rights)
    assert "is restored" in operator.says("restore", str(tmp_path / "kept"), DATABASE_URL=without_rights)


def test_a_full_disk_is_told_in_one_line(operator: Operator, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8k") as disk:
        told = operator.refused("ingest", MATINEE_STATE_DIR=str(disk))
    assert told.startswith(f"matinee: The disk of {disk} is full. Make room there")


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
    assert "ratings: 12" in shown
    assert "4.0  Movie 11" in shown
    assert "and 2 earlier ones" in shown
    assert len(found(operator, "users", "show", str(user))["ratings"]) == 12
    assert "There is no user 99" in operator.refused("users", "show", "99")


def test_an_operator_creates_a_token_for_a_user(live: Recommender, operator: Operator) -> None:
    user = new_user(live.database)
    secret = operator.says("users", "token", str(user)).strip()
    with live.database.statement() as db:
        assert tokens.user_of(db, secret, "self") == user


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
    (tmp_path / "kept").write_text("no archive")
    assert "is no backup of Matinee" in operator.refused("restore", "--check", file)


def pg_dump_waits(database: Database) -> bool:
    with database.statement() as db:
        found = "SELECT FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'"
        return bool(db.execute(text(found)).all())


def test_a_backup_that_is_told_to_end_leaves_nothing_behind(
    live: Recommender, operator: Operator, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with live.database.background_transaction() as db:
        db.execute(text("LOCK TABLE views"))  # so that it stops in the middle
        with operator.begun("cli.py", "backup", str(folder / "kept")) as process:
            poll(lambda: pg_dump_waits(live.database), what="a lock that pg_dump waits for")
            process.terminate()
            _, told = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM, told
    assert "Traceback" not in told
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("name", "told"), [("folder", "it is a folder"), ("pipe", "it is a device or a pipe")])
def test_what_a_file_cannot_take_the_place_of_is_refused_before_the_work(
    name: str, told: str, operator: Operator, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    done = operator.run("backup", str(tmp_path / name), DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert done.returncode == 2
    assert f"{tmp_path / name} cannot be written: {told}" in done.stderr


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


def test_a_database_that_stays_away_is_not_waited_for_for_ever(
    operator: Operator,
    beside: Callable[[str | None], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnavailableError("it is away")

    monkeypatch.setattr(runs, "find", away)
    monkeypatch.setattr(training_commands, "OUTAGE_SECONDS", 0.1)
    assert "The end of run 1 cannot be seen: it is away. See that the service runs" in operator.refused(
        "retrain", "--wait", **beside("published")
    )
    assert caplog.text.count("for the database: it is away") == 1


def test_the_command_works_from_any_folder_through_a_link(operator: Operator, tmp_path: Path) -> None:
    command = tmp_path / "matinee"
    command.symlink_to(ROOT / "system" / "matinee.sh")
    done = subprocess.run(
        [command, "users", "count", "--json"], cwd="/", env=operator.environ, capture_output=True, text=True
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, {"users": 0}), done.stderr
