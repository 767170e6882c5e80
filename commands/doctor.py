"""The command that looks for problems and says what to do, with its checks on database and dataset."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

from sqlalchemy import Connection

from commands import machine_checks
from commands.context import TRAINING_SETTINGS, Context
from commands.framework import DONE, FAILED, CommandResult, command
from commands.machine_checks import Finding
from jobs.changes import INCOMPLETE, dataset_difference
from movielens.dataset import DATASET_NAMES, find_dataset
from movielens.reader import read_dataset
from ranking.factors import FactorsError
from settings import OperatorError, Settings
from storage import generations, inspection, movies, schema
from storage.connection_pool import SPARE_CONNECTIONS
from storage.errors import DatabaseRefusedError

TRAINER_CONNECTIONS = 2 + SPARE_CONNECTIONS  # connections of the training process


@command(
    examples=[
        ("matinee doctor", "Before the first start, and when something is wrong."),
        ("matinee doctor --json | jq '.[] | select(.level != \"ok\")'", "Only what needs attention."),
    ],
    ends={DONE: "Nothing keeps the service from working; a warn may be worth a look.", FAILED: "A line is a fail."},
    reads=("MATINEE_HOST", "MATINEE_PORT", *TRAINING_SETTINGS),
)
def doctor(context: Context) -> CommandResult:
    """Check Python, packages, Java, memory, disk, database, dataset, port, keys and Spark, and say what to do.

    A setting that cannot be used ends it first, with exit status 2. Nothing is downloaded and no table is changed.
    Without a running service an embedded PostgreSQL that exists is started for as long as this takes.
    """
    found = [finding for check in CHECKS for finding in _findings(check, context)]
    lines = [f"{finding.level:<5} {finding.what:<11} {finding.text}" for finding in found]
    failed = any(finding.level == "fail" for finding in found)
    return CommandResult("\n".join(lines), [asdict(finding) for finding in found], FAILED if failed else DONE)


def _findings(check: Callable[[Context], Iterator[Finding]], context: Context) -> Iterator[Finding]:
    """Yield the findings of a check, or that the system does not let it look."""
    try:
        yield from check(context)
    except OSError as error:
        yield Finding("fail", check.__name__, f"{error}; run matinee as the service's user, or correct what it names")


def stores(context: Context) -> Iterator[Finding]:
    """Check the database and its contents, then the dataset, which has to be the catalogue's."""
    filled, difference = False, None
    if not context.has_postgres:
        yield Finding("ok", "database", "none yet: the first start of the service makes an embedded one")
    else:
        try:
            with context.unmigrated_database() as database:
                with database.snapshot() as db:
                    yield from _server(db, context.settings)
                    yield from _tables(db)
                    revision = schema.current(db)
                    filled = revision in schema.revisions() and movies.is_filled(db)
                    complete = not filled or revision != schema.head() or movies.is_complete(db)
                if filled:
                    difference = dataset_difference(database, context.settings)
                if not complete:
                    yield Finding("warn", "dataset", INCOMPLETE)
        except DatabaseRefusedError as error:  # which says what to do
            yield Finding("fail", "database", str(error))
        except (OperatorError, OSError) as error:
            yield Finding("fail", "database", f"{error}; see that it runs and that DATABASE_URL names it")
    yield Finding("fail", "dataset", difference) if difference else _dataset(context.settings, filled)


def _server(db: Connection, settings: Settings) -> Iterator[Finding]:
    seen = inspection.server_properties(db)
    wanted = settings.processes * (settings.threads + SPARE_CONNECTIONS) + TRAINER_CONNECTIONS
    problems = []
    if seen.version_num < inspection.OLDEST_SERVER_VERSION:
        problems.append(f"version {seen.version} is too old: use PostgreSQL 13 or newer")
    if not seen.may_create:
        problems.append("our role may not make tables: GRANT CREATE ON SCHEMA public to it")
    if not seen.writable:
        problems.append("it is a standby, or read-only, and takes no writes: name the primary in DATABASE_URL")
    yield from (Finding("fail", "database", problem) for problem in problems)
    if seen.connections < wanted:
        message = f"it takes {seen.connections} connections, this service may want {wanted}"
        advice = "raise its max_connections or lower MATINEE_THREADS or MATINEE_PROCESSES"
        yield Finding("warn", "database", f"{message}: {advice}")
    if not problems:
        yield Finding("ok", "database", f"PostgreSQL {seen.version.split()[0]} answers")


def _tables(db: Connection) -> Iterator[Finding]:
    there = schema.current(db)
    if there is None:
        yield Finding("ok", "tables", "none yet: the first start of the service makes them")
    elif there not in schema.revisions():
        message = f"revision {there} is that of a later version, this one knows up to {schema.head()}"
        yield Finding("fail", "tables", f"{message}: run the version that made them, or a later one")
    elif there != schema.head():
        message = f"revision {there}: the next start brings them to {schema.head()}"
        yield Finding("warn", "tables", f"{message}; take a backup before (matinee backup FILE)")
    else:
        yield Finding("ok", "tables", f"revision {there}, the newest")
        yield from _generation(db)


def _generation(db: Connection) -> Iterator[Finding]:
    live = generations.live_id(db)
    if live is None:
        yield Finding("warn", "generation", "none yet, popular movies are served: wait, or matinee retrain")
        return
    try:
        generations.load(db, live)
        yield Finding("ok", "generation", f"{live} is live and can be read")
    except FactorsError as error:
        yield Finding("fail", "generation", f"{live} is live, but {error}: activate another, or matinee retrain")


def _dataset(settings: Settings, filled: bool) -> Finding:
    name = settings.dataset or DATASET_NAMES[0]
    try:
        found = find_dataset(name, settings.state_dir, fallback=not settings.dataset)
        if found and not filled:
            read_dataset(found)  # as ingest will, which may refuse it
    except (OperatorError, OSError) as error:
        return Finding("fail", "dataset", str(error))
    if found is None:
        message = f"{name} is not here yet: the first start downloads it, or ./download_dataset.sh"
        return Finding("warn", "dataset", message)
    return Finding("ok", "dataset", str(found))


CHECKS: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    *(machine_checks.python, machine_checks.java, machine_checks.memory, machine_checks.disk),
    *(machine_checks.account, stores),
    *(machine_checks.port, machine_checks.exposure, machine_checks.spark),
)
