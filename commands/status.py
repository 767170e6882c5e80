"""The command that shows, on one screen, what runs and what it holds."""

import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click
from sqlalchemy import Row

from commands.answer import DONE, FAILED, Answer, command
from commands.context import Context
from commands.service import Service
from runtime.postgres import PostgresError
from settings import Settings
from storage import schema
from storage.errors import DatabaseUnavailableError
from storage.overview import Contents, Overview, take

GIVEN = "5"  # ratings of a held-out person: of the lines that a generation's record has, the one that is shown
MEASURES = ("NDCG@10", "popularity", "RMSE")
GB = 1_000_000_000


@dataclass(frozen=True)
class Status:
    """Everything that is shown; None for what is not there."""

    versions: dict[str, str]
    service: dict[str, Any]
    database: dict[str, Any]
    contents: Contents | None
    next_training: str | None
    disk: dict[str, Any]


@command(
    examples=[
        ("matinee status", "One screen."),
        ("matinee status --json | jq .generation.id", "One value, for a script."),
    ],
    ends={FAILED: "The database cannot be read, or the service that answers is not ready; the screen says why."},
    reads=("MATINEE_HOST", "MATINEE_PORT", "MATINEE_API_KEY"),
)
@click.pass_obj
def status(context: Context) -> Answer:
    """Show versions, service, database, generation, quality, runs and disk; nothing is changed.

    Without a running service an embedded PostgreSQL is started for the moment that this takes.
    """
    seen = look(context)
    well = seen.database["problem"] is None and seen.service["state"] in ("ready", "not running")
    return Answer("\n".join(lines(seen)), facts(seen), DONE if well else FAILED)


def look(context: Context) -> Status:
    """Ask the service, the database and the disk."""
    service, next_training = _service(Service(context.settings))
    database, contents = _database(context)
    versions = {"python": platform.python_version(), "pyspark": version("pyspark"), "revision": schema.head()}
    return Status(versions, service, database, contents, next_training, _disk(context.settings))


def _service(service: Service) -> tuple[dict[str, Any], str | None]:
    health = service.health()
    if health is None:
        return {"address": service.address, "state": "not running", "parts": {}}, None
    told = service.retraining() or {}
    return {"address": service.address, "state": health["status"], "parts": health["parts"]}, told.get("next_at")


def _database(context: Context) -> tuple[dict[str, Any], Contents | None]:
    found: dict[str, Any] = {"address": None, "server": None, "bytes": None, "revision": None, "problem": None}
    if not context.has_server:
        return found | {"problem": "none yet: the first start of the service makes one"}, None
    try:
        with context.unmigrated() as database:
            found["address"] = database.url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
            with database.snapshot() as db:
                seen = take(db)
    except (DatabaseUnavailableError, PostgresError) as error:
        return found | {"problem": str(error)}, None
    return found | asdict(Overview(seen.server, seen.bytes, seen.revision, None)) | _upgrade(seen), seen.contents


def _upgrade(seen: Overview) -> dict[str, Any]:
    if seen.revision in schema.known():
        return {"problem": None}
    if seen.revision is None:
        return {"problem": "there are no tables yet: the first start of the service makes them"}
    return {"problem": f"revision {seen.revision} is that of a later version of Matinee: run that one"}


def _disk(settings: Settings) -> dict[str, Any]:
    folder = next(f for f in (settings.state_dir, *settings.state_dir.parents) if f.exists())
    usage = shutil.disk_usage(folder)
    return {"folder": str(settings.state_dir), "free": usage.free, "total": usage.total}


def facts(seen: Status) -> dict[str, Any]:
    """The same as JSON has it."""
    database = {name: value for name, value in seen.database.items() if name != "contents"}
    found = {"versions": seen.versions, "service": seen.service, "database": database, "disk": seen.disk}
    contents = seen.contents
    live = contents.live if contents else None
    return found | {
        "films": contents.films if contents else None,
        "users": contents.users if contents else None,
        "ratings": contents.ratings if contents else None,
        "generation": dict(live._mapping) if live else None,
        "generations_kept": contents.generations_kept if contents else None,
        "runs": [dict(run._mapping) for run in contents.runs] if contents else [],
        "next_training": seen.next_training,
    }


def lines(seen: Status) -> Iterator[str]:
    """The screen, line by line."""
    yield f"versions    Python {seen.versions['python']}, PySpark {seen.versions['pyspark']}, tables {schema.head()}"
    yield f"service     {seen.service['address']}: {seen.service['state']}"
    for name, part in seen.service["parts"].items():
        if part["reason"]:
            yield f"            {name} is {part['state']}: {part['reason']}"
    yield from _database_lines(seen.database)
    if seen.contents:
        yield from _content_lines(seen.contents)
    yield f"next        {_moment(seen.next_training) if seen.next_training else 'no training comes by itself'}"
    yield f"disk        {seen.disk['folder']}: {seen.disk['free'] / GB:,.1f} of {seen.disk['total'] / GB:,.1f} GB free"


def _database_lines(database: dict[str, Any]) -> Iterator[str]:
    if database["server"]:
        yield (
            f"database    {database['address']}: PostgreSQL {database['server'].split()[0]}, "
            f"{database['bytes'] / GB:,.2f} GB, revision {database['revision']}"
        )
        if database["revision"] != schema.head() and database["problem"] is None:
            yield f"            the next start brings it to revision {schema.head()}; take a backup before"
    if database["problem"]:
        yield f"{'' if database['server'] else 'database':<12}{database['problem']}"


def _content_lines(contents: Contents) -> Iterator[str]:
    yield f"holds       {contents.films:,} films, {contents.users:,} users, {contents.ratings:,} ratings"
    if contents.live is None:
        yield "generation  none yet: popular films are served"
    else:
        live = contents.live
        kept = f"{contents.generations_kept} are kept"
        yield f"generation  {live.id}, made {live.created_at:%Y-%m-%d %H:%M} ({_age(live.created_at)} ago); {kept}"
        yield f"quality     {_quality(live)}"
    for n, run in enumerate(contents.runs):
        yield f"{'' if n else 'runs':<12}{_run(run)}"


def _quality(live: Row[Any]) -> str:
    given = live.details.get("held_out", {}).get("candidate", {}).get("given", {}).get(GIVEN, {})
    held_out = [f"{name} {given[name][0]:.3f}" for name in MEASURES if given.get(name) and given[name][0] is not None]
    online = [f"{live.online['views']:,} new ratings foretold, RMSE {live.online['rmse']:.3f}"] if live.online else []
    return ", ".join(held_out + online) or "not measured"


def _run(run: Row[Any]) -> str:
    if run.outcome is None:
        return f"{run.id} {run.kind}: {run.phase}, {run.progress:.0%}, begun {_age(run.started_at)} ago"
    took = (run.finished_at - run.started_at).total_seconds()
    error = f": {run.error}" if run.error else ""
    return f"{run.id} {run.kind}: {run.outcome} {run.finished_at:%Y-%m-%d %H:%M} in {took:,.0f} s{error}"


def _moment(text: str) -> str:
    return f"a training at {datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"


def _age(then: datetime) -> str:
    minutes = max(0, int((datetime.now(UTC) - then).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
