"""The command that shows the state of service, database and disk."""

import platform
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from commands.context import Context, nearest_existing
from commands.framework import DONE, FAILED, CommandResult, command
from commands.service_health import service_address, service_health
from jobs.changes import dataset_difference
from settings import OperatorError, Settings
from storage import inspection, runs, schema
from storage.database import TRAINING_LOCK
from system.postgres_url import without_secrets

GIVEN = "10"  # ratings of a held-out user after which the shown measures were taken, as the page and the API show them
MEASURES = ("NDCG@10", "popularity", "RMSE")
GB = 1_000_000_000
Facts = dict[str, Any]


@command(
    examples=[
        ("matinee status", "One screen."),
        ("matinee status --json | jq .generation.id", "One value, for a script."),
    ],
    ends={FAILED: "The database cannot be read, or the service that answers is not ready; the screen says why."},
    reads=("MATINEE_HOST", "MATINEE_PORT", "MATINEE_API_KEY"),
)
def status(context: Context) -> CommandResult:
    """Show versions, service, database, generation, quality, runs and disk; nothing is changed.

    Without a running service an embedded PostgreSQL is started for as long as this takes.
    """
    seen = look(context)
    well = seen["database"]["problem"] is None and seen["service"]["state"] in ("ready", "not running")
    return CommandResult("\n".join(lines(seen)), seen, DONE if well else FAILED)


def look(context: Context) -> Facts:
    """Ask the service, the database and the disk; None stands for what does not exist."""
    health = service_health(context.settings) or {"status": "not running", "parts": {}}
    running = health["status"] != "not running"
    database, contents = _database(context)
    found: Facts = {
        "versions": {"python": platform.python_version(), "pyspark": version("pyspark"), "revision": schema.head()},
        "service": {"address": service_address(context.settings), "state": health["status"], "parts": health["parts"]},
        "database": database,
        "disk": _disk(context.settings),
    }
    found |= dict.fromkeys(("films", "users", "ratings", "generation", "generations_kept", "dataset_difference"))
    found |= {"runs": [], "next_training": None, "next_unknown": None} | contents
    if not (running and contents):
        unread = "the database cannot be read" if database["problem"] else "the tables are of another version"
        why = unread if running else "the service is not running"
        found |= {"next_training": None, "next_unknown": f"not known: {why}"}
    return found


def _database(context: Context) -> tuple[Facts, Facts]:
    """Return the state of the database, and what its tables hold if they are of the newest revision."""
    found: Facts = dict.fromkeys(("address", "server", "bytes", "revision", "problem"))
    contents: Facts = {}
    if not context.has_postgres:
        return found | {"problem": "none yet: the first start of the service makes one"}, {}
    try:
        with context.unmigrated_database() as database:
            found["address"] = without_secrets(database.url)
            with database.snapshot() as db:
                seen = inspection.database_facts(db)
                if seen["revision"] == schema.head():
                    contents = inspection.contents(db)
            if contents:
                with database.statement() as db:
                    last = runs.newest_with_progress(db, "train", TRAINING_LOCK)
                    contents["next_training"] = runs.announced(db)
                for run in contents["runs"]:  # one that is open though no process works at it
                    if last and run["id"] == last.id and last.outcome is None and not last.in_progress:
                        run["error"] = runs.INTERRUPTED
                contents["dataset_difference"] = dataset_difference(database, context.settings)
    except OperatorError as error:
        return found | {"problem": str(error)}, {}
    return found | seen | {"problem": _problem(seen["revision"])}, contents


def _problem(revision: str | None) -> str | None:
    if revision is None:
        return "there are no tables yet: the first start of the service makes them"
    if revision not in schema.revisions():
        return f"revision {revision} is that of a later version of Matinee: run that one"
    return None


def _disk(settings: Settings) -> Facts:
    found = {"folder": str(settings.state_dir), "free": None, "total": None}
    try:
        usage = shutil.disk_usage(nearest_existing(settings.state_dir))
    except PermissionError:
        return found
    return found | {"free": usage.free, "total": usage.total}


def lines(seen: Facts) -> Iterator[str]:
    """Yield the lines of the screen."""
    versions, service, disk = seen["versions"], seen["service"], seen["disk"]
    yield f"versions    Python {versions['python']}, PySpark {versions['pyspark']}, tables {schema.head()}"
    yield f"service     {service['address']}: {service['state']}"
    for name, part in service["parts"].items():
        if part["reason"]:
            yield f"            {name} is {part['state']}: {part['reason']}"
    yield from _database_lines(seen["database"])
    if seen["films"] is not None:
        yield from _content_lines(seen)
    if seen["dataset_difference"]:
        yield f"dataset     {seen['dataset_difference']}"
    for n, run in enumerate(seen["runs"]):
        yield f"{'' if n else 'runs':<12}{_run(run)}"
    at = seen["next_training"]
    scheduled = f"a training at {at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "no training is scheduled"
    yield f"next        {seen['next_unknown'] or scheduled}"
    unknown = disk["free"] is None
    room = "" if unknown else f"{disk['free'] / GB:,.1f} of {disk['total'] / GB:,.1f} GB free"
    yield f"disk        {disk['folder']}: {room or 'in a folder of another account: ask its owner'}"


def _database_lines(database: Facts) -> Iterator[str]:
    if database["server"]:
        yield (
            f"database    {database['address']}: PostgreSQL {database['server'].split()[0]}, "
            f"{database['bytes'] / GB:,.2f} GB, revision {database['revision']}"
        )
        if database["revision"] != schema.head() and database["problem"] is None:
            yield f"            the next start brings it to revision {schema.head()}; take a backup before"
    if database["problem"]:
        yield f"{'' if database['server'] else 'database':<12}{database['problem']}"


def _content_lines(seen: Facts) -> Iterator[str]:
    counts = {"movie": seen["films"], "user": seen["users"], "rating": seen["ratings"]}
    yield f"holds       {', '.join(_counted(number, noun) for noun, number in counts.items())}"
    live = seen["generation"]
    if live is None:
        yield "generation  none yet: popular movies are served"
    else:
        stored = f"{_counted(seen['generations_kept'], 'generation')} stored"
        made = live["created_at"]
        yield f"generation  {live['id']}, made {made:%Y-%m-%d %H:%M} ({_age(made)}); {stored}"
        if live["held"]:
            yield "            held: no training replaces it until `matinee activate --release`"
        yield f"quality     {_quality(live)}"


def _quality(live: Facts) -> str:
    evaluated = live["details"].get("held_out", {}).get("candidate", {}).get("given", {})
    known = GIVEN if GIVEN in evaluated else max(evaluated, key=int, default=GIVEN)
    given = evaluated.get(known, {})
    held_out = [f"{name} {given[name][0]:.3f}" for name in MEASURES if given.get(name) and given[name][0] is not None]
    if held_out:
        held_out[-1] += f" after {known} ratings"
    if online := live["online"]:
        held_out.append(f"{_counted(online['views'], 'new rating')} predicted, RMSE {online['rmse']:.3f}")
    return ", ".join(held_out) or "not measured"


def _run(run: Facts) -> str:
    what = f"{run['id']} {run['kind']}"
    if run["outcome"] is None:
        how = run["error"] or f"{run['phase']}, {run['progress']:.0%}"
        return f"{what}: {how}, begun {_age(run['started_at'])}"
    took = (run["finished_at"] - run["started_at"]).total_seconds()
    seconds = f"{took:,.0f} s" if took >= 1 else "under a second"
    ended = f"{what}: {run['outcome']} {run['finished_at']:%Y-%m-%d %H:%M} in {seconds}"
    return f"{ended}: {run['error']}" if run["error"] else ended


def _age(then: datetime) -> str:
    minutes = int((datetime.now(UTC) - then).total_seconds() // 60)
    if minutes < 1:
        return "under a minute ago"
    if minutes < 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
