"""The screen of `status`, or the same as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from storage import schema
from storage.overview import Contents
from system.plural import counted

GIVEN = "10"  # ratings of a held-out user after which the shown measures were taken, as the page and the API show them
MEASURES = ("NDCG@10", "popularity", "RMSE")
GB = 1_000_000_000


@dataclass(frozen=True)
class Status:
    """Everything that is shown; None for what does not exist."""

    versions: dict[str, str]
    service: dict[str, Any]
    database: dict[str, Any]
    contents: Contents | None
    runs: list[dict[str, Any]]
    next_training: str | None
    next_unknown: str | None  # why the time of the next training is not known
    disk: dict[str, Any]
    dataset_difference: str | None  # how the dataset of the settings differs from the catalogue's


def facts(seen: Status) -> dict[str, Any]:
    """Return the same as JSON has it."""
    database = {name: value for name, value in seen.database.items() if name != "contents"}
    found = {"versions": seen.versions, "service": seen.service, "database": database, "disk": seen.disk}
    contents = seen.contents
    live = contents.live if contents else None
    return found | {
        "films": contents.movies if contents else None,
        "users": contents.users if contents else None,
        "ratings": contents.ratings if contents else None,
        "generation": dict(live._mapping) if live else None,
        "generations_kept": contents.generations_kept if contents else None,
        "runs": seen.runs,
        "next_training": seen.next_training,
        "next_unknown": seen.next_unknown,
        "dataset_difference": seen.dataset_difference,
    }


def lines(seen: Status) -> Iterator[str]:
    """Yield the lines of the screen."""
    yield f"versions    Python {seen.versions['python']}, PySpark {seen.versions['pyspark']}, tables {schema.head()}"
    yield f"service     {seen.service['address']}: {seen.service['state']}"
    for name, part in seen.service["parts"].items():
        if part["reason"]:
            yield f"            {name} is {part['state']}: {part['reason']}"
    yield from _database_lines(seen.database)
    if seen.contents:
        yield from _content_lines(seen.contents)
    if seen.dataset_difference:
        yield f"dataset     {seen.dataset_difference}"
    for n, run in enumerate(seen.runs):
        yield f"{'' if n else 'runs':<12}{_run(run)}"
    moment = _moment(seen.next_training) if seen.next_training else "no training is scheduled"
    yield f"next        {seen.next_unknown or moment}"
    yield f"disk        {seen.disk['folder']}: {_room(seen.disk)}"


def _room(disk: dict[str, Any]) -> str:
    if disk["free"] is None:
        return "in a folder of another account: ask its owner"
    return f"{disk['free'] / GB:,.1f} of {disk['total'] / GB:,.1f} GB free"


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
    counts = {"movie": contents.movies, "user": contents.users, "rating": contents.ratings}
    yield f"holds       {', '.join(counted(number, noun) for noun, number in counts.items())}"
    if contents.live is None:
        yield "generation  none yet: popular movies are served"
    else:
        live = contents.live
        stored = f"{counted(contents.generations_kept, 'generation')} stored"
        yield f"generation  {live.id}, made {live.created_at:%Y-%m-%d %H:%M} ({_age(live.created_at)}); {stored}"
        if live.held:
            yield "            held: no training replaces it until `matinee activate --release`"
        yield f"quality     {_quality(live)}"


def _quality(live: Row[Any]) -> str:
    evaluated = live.details.get("held_out", {}).get("candidate", {}).get("given", {})
    known = GIVEN if GIVEN in evaluated else max(evaluated, key=int, default=GIVEN)
    given = evaluated.get(known, {})
    held_out = [f"{name} {given[name][0]:.3f}" for name in MEASURES if given.get(name) and given[name][0] is not None]
    if held_out:
        held_out[-1] += f" after {known} ratings"
    online = (
        [f"{counted(live.online['views'], 'new rating')} predicted, RMSE {live.online['rmse']:.3f}"]
        if live.online
        else []
    )
    return ", ".join(held_out + online) or "not measured"


def _run(run: dict[str, Any]) -> str:
    what = f"{run['id']} {run['kind']}"
    if run["outcome"] is None:
        how = run["error"] or f"{run['phase']}, {run['progress']:.0%}"
        return f"{what}: {how}, begun {_age(run['started_at'])}"
    took = (run["finished_at"] - run["started_at"]).total_seconds()
    error = f": {run['error']}" if run["error"] else ""
    seconds = f"{took:,.0f} s" if took >= 1 else "under a second"
    return f"{what}: {run['outcome']} {run['finished_at']:%Y-%m-%d %H:%M} in {seconds}{error}"


def _moment(text: str) -> str:
    return f"a training at {datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"


def _age(then: datetime) -> str:
    minutes = int((datetime.now(UTC) - then).total_seconds() // 60)
    if minutes < 1:
        return "under a minute ago"
    if minutes < 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
