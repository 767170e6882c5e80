"""The checks of `doctor` on database and dataset; nothing is changed."""

from collections.abc import Iterator

from sqlalchemy import Connection

from commands.context import Context
from commands.machine_checks import Finding
from movielens.dataset import DATASET_NAMES, find_dataset
from movielens.reader import fingerprint, read_dataset
from ranking.factors import FactorsError
from settings import OperatorError, Settings
from storage import generations, inspection, runs, schema
from storage.database import SPARE_CONNECTIONS
from storage.errors import DatabaseRefusedError

TRAINER_CONNECTIONS = 2 + SPARE_CONNECTIONS  # connections of the process that trains


def stores(context: Context) -> Iterator[Finding]:
    """Check the database and its contents, then the dataset, which has to be the catalogue's."""
    catalogue_source = None
    if not context.has_postgres:
        yield Finding("ok", "database", "none yet: the first start of the service makes an embedded one")
    else:
        try:
            with context.unmigrated_database() as database, database.snapshot() as db:
                yield from _server(db, context.settings)
                yield from _tables(db)
                catalogue_source = _filled_from(db)
        except DatabaseRefusedError as error:  # which says what to do
            yield Finding("fail", "database", str(error))
        except (OperatorError, OSError) as error:
            yield Finding("fail", "database", f"{error}; see that it runs and that DATABASE_URL names it")
    yield from _dataset(context.settings, catalogue_source)


def _server(db: Connection, settings: Settings) -> Iterator[Finding]:
    seen = inspection.server_properties(db)
    wanted = settings.processes * (settings.threads + SPARE_CONNECTIONS) + TRAINER_CONNECTIONS
    problems = {
        f"version {seen.version} is too old: use PostgreSQL 13 or newer": seen.version_num
        < inspection.OLDEST_SERVER_VERSION,
        "our role may not make tables: GRANT CREATE ON SCHEMA public to it": not seen.may_create,
        "it is a standby, or read-only, and takes no writes: name the primary in DATABASE_URL": not seen.writable,
    }
    for problem in (text for text, found in problems.items() if found):
        yield Finding("fail", "database", problem)
    if seen.connections < wanted:
        advice = "raise its max_connections or lower MATINEE_THREADS or MATINEE_PROCESSES"
        yield Finding(
            "warn", "database", f"it takes {seen.connections} connections, this service may want {wanted}: {advice}"
        )
    if not any(problems.values()):
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
        yield Finding(
            "warn", "generation", "none yet, popular movies are served: wait for a training, or matinee retrain"
        )
        return
    try:
        generations.load(db, live)
        yield Finding("ok", "generation", f"{live} is live and can be read")
    except FactorsError as error:
        yield Finding(
            "fail", "generation", f"{live} is live, but {error}: matinee activate another, or matinee retrain"
        )


def _filled_from(db: Connection) -> dict[str, str] | None:
    return runs.ingest_details(db) if schema.current(db) in schema.revisions() else None


def _dataset(settings: Settings, catalogue_source: dict[str, str] | None) -> Iterator[Finding]:
    name = settings.dataset or DATASET_NAMES[0]
    try:
        found = find_dataset(name, settings.state_dir, fallback=not settings.dataset)
        mark = fingerprint(found) if found else None
        if found and catalogue_source is None:
            read_dataset(found)  # as ingest will, which may refuse it
    except (OperatorError, OSError) as error:
        yield Finding("fail", "dataset", str(error))
        return
    if catalogue_source and (mark is None and settings.dataset and name != catalogue_source["dataset"]):
        mark = name  # not here yet, but of another name
    if mark is None:
        yield Finding(
            "warn", "dataset", f"{name} is not here yet: the first start downloads it, or ./download_dataset.sh"
        )
    elif catalogue_source and mark != catalogue_source["fingerprint"]:
        message = (
            f"the catalogue was filled from {catalogue_source['dataset']}, and {found or name} is a different dataset"
        )
        advice = "trainings use the first; set MATINEE_DATASET to it, or run `matinee catalogue update`"
        yield Finding("fail", "dataset", f"{message}: {advice}")
    else:
        yield Finding("ok", "dataset", str(found))
