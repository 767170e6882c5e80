"""The command that shows the state of service, database and disk."""

import platform
import shutil
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from commands.context import Context, exists
from commands.framework import DONE, FAILED, CommandResult, command
from commands.service_client import ServiceClient, ServiceRefusedError
from commands.status_screen import Status, facts, lines
from jobs.changes import dataset_difference
from settings import OperatorError, Settings
from storage import runs, schema
from storage.database import TRAINING_LOCK, Database
from storage.overview import Contents, Overview, take


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
    well = seen.database["problem"] is None and seen.service["state"] in ("ready", "not running")
    return CommandResult("\n".join(lines(seen)), facts(seen), DONE if well else FAILED)


def look(context: Context) -> Status:
    """Ask the service, the database and the disk."""
    service, next_training, next_unknown = _service(ServiceClient(context.settings))
    database, contents, newest = _database(context)
    difference = database.pop("dataset_difference", None)
    versions = {"python": platform.python_version(), "pyspark": version("pyspark"), "revision": schema.head()}
    disk = _disk(context.settings)
    return Status(versions, service, database, contents, newest, next_training, next_unknown, disk, difference)


def _service(service: ServiceClient) -> tuple[dict[str, Any], str | None, str | None]:
    health = service.health()
    if health is None:
        found = {"address": service.address, "state": "not running", "parts": {}}
        return found, None, "not known: the service is not running"
    found = {"address": service.address, "state": health["status"], "parts": health["parts"]}
    try:
        return found, service.retraining().get("next_at"), None
    except ServiceRefusedError as error:
        return found, None, f"not known: {error}"


def _database(context: Context) -> tuple[dict[str, Any], Contents | None, list[dict[str, Any]]]:
    found: dict[str, Any] = {"address": None, "server": None, "bytes": None, "revision": None, "problem": None}
    if not context.has_postgres:
        return found | {"problem": "none yet: the first start of the service makes one"}, None, []
    try:
        with context.unmigrated_database() as database:
            found["address"] = database.url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
            with database.snapshot() as db:
                seen = take(db)
            newest = _runs(database, seen.contents) if seen.contents else []
            if seen.contents:
                found["dataset_difference"] = dataset_difference(database, context.settings)
    except OperatorError as error:
        return found | {"problem": str(error)}, None, []
    found |= asdict(Overview(seen.server, seen.bytes, seen.revision, None)) | _upgrade(seen)
    return found, seen.contents, newest


def _runs(database: Database, contents: Contents) -> list[dict[str, Any]]:
    """Return the newest runs; one that is open though no process works at it has an error that says so."""
    with database.statement() as db:
        last = runs.newest_with_progress(db, "train", TRAINING_LOCK)
    cut_off = last.id if last and last.outcome is None and not last.in_progress else None
    return [dict(run._mapping) | ({"error": runs.INTERRUPTED} if run.id == cut_off else {}) for run in contents.runs]


def _upgrade(seen: Overview) -> dict[str, Any]:
    if seen.revision in schema.revisions():
        return {"problem": None}
    if seen.revision is None:
        return {"problem": "there are no tables yet: the first start of the service makes them"}
    return {"problem": f"revision {seen.revision} is that of a later version of Matinee: run that one"}


def _disk(settings: Settings) -> dict[str, Any]:
    found = {"folder": str(settings.state_dir), "free": None, "total": None}
    try:
        usage = shutil.disk_usage(next(f for f in (settings.state_dir, *settings.state_dir.parents) if exists(f)))
    except PermissionError:
        return found
    return found | {"free": usage.free, "total": usage.total}
