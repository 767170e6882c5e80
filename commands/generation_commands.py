"""Commands about tables, the catalogue and generations."""

import click

from commands.context import Context
from commands.framework import CommandResult, command, log_change
from movielens.line_report import DatasetError
from storage import generations as stored
from storage import runs, schema


@command(
    examples=[
        ("matinee migrate", "Do before a start what the start would do."),
        ("matinee migrate base --yes", "Drop every table with all that is in it."),
    ]
)
@click.argument("revision", default=schema.HEAD)
@click.option("--yes", is_flag=True, help="With base: do not ask.")
def migrate(context: Context, revision: str, yes: bool) -> CommandResult:
    """Bring the tables to REVISION: head, a later revision's id, or base, which drops them all.

    The service does this by itself when it starts. An earlier revision is refused: a backup is the way back.
    """
    if revision == schema.BASE and not yes:
        click.confirm("Drop every table, with all users and ratings? This cannot be undone.", abort=True)
    with context.unmigrated_database(create=True) as database:
        database.migrate(revision)
        with database.snapshot() as db:
            there = schema.current(db)
    return CommandResult(f"the tables are of revision {there}" if there else "there are no tables", {"revision": there})


@command(
    examples=[("MATINEE_DATASET=ml-32m matinee ingest", "Fetch the large set and fill a new database from it.")],
    reads=("MATINEE_DATASET",),
)
def ingest(context: Context) -> CommandResult:
    """Fill the catalogue from the dataset if it is empty, as the service does at its first start.

    It fails where the catalogue was filled from a different dataset.
    """
    from jobs.changes import dataset_difference
    from jobs.ingest import init_movie_table

    with context.database(create=True) as database:
        init_movie_table(database, context.settings)
        if difference := dataset_difference(database, context.settings):
            raise DatasetError(difference)
        with database.statement() as db:
            found = runs.ingest_details(db) or {}
    return CommandResult(f"the catalogue holds the {found.get('films', 0):,} movies of {found.get('dataset')}", found)


@command(
    examples=[
        ("matinee generations", "The newest twenty."),
        ("matinee generations --json --limit 1", "All that is recorded of the last training."),
    ]
)
@click.option("--limit", type=click.IntRange(1), default=20, help="How many, newest first.")
def generations(context: Context, limit: int) -> CommandResult:
    """List trainings and verdicts; * marks the live one, - those no longer stored."""
    with context.database() as database, database.statement() as db:
        rows = stored.recent(db, limit)
    lines = []
    for row in rows:
        mark = "*" if row.live else " " if row.kept else "-"
        held = "held; " if row.held else ""
        lines.append(f"{mark} {row.id:>5}  {row.created_at:%Y-%m-%d %H:%M:%S}  {row.verdict:<8}  {held}{row.reason}")
    return CommandResult("\n".join(lines) or "there has been no training", [dict(row._mapping) for row in rows])


@command(
    examples=[
        ("matinee activate 3", "Go back to generation 3 and hold it."),
        ("matinee activate --release", "Let trainings replace the live generation again."),
    ]
)
@click.argument("generation", type=click.IntRange(1, 2**31 - 1), required=False)
@click.option("--release", is_flag=True, help="Instead of a generation: end the hold.")
@click.option("--no-hold", is_flag=True, help="Serve it only until the next accepted training.")
def activate(context: Context, generation: int | None, release: bool, no_hold: bool) -> CommandResult:
    """Serve GENERATION, older or newer, and hold it until --release; running services follow within seconds.

    Trainings go on meanwhile; what they make is stored and not served. A generation that is damaged, or that was stored
    in a format that this version does not read, is refused, and nothing changes.
    """
    if release == (generation is not None):
        raise click.UsageError("give a GENERATION, or --release")
    if generation is None:
        return _release(context)
    with context.database() as database, database.background_transaction() as db:
        stored.load(db, generation)  # factors that cannot be read must not go live
        before = stored.activate(db, generation, hold=not no_hold)
    log_change(f"generation {generation} is live{'' if no_hold else ' and held'}, instead of {before or 'none'}")
    how = "until the next accepted training" if no_hold else "and held: `matinee activate --release` ends that"
    return CommandResult(f"generation {generation} is live {how}", {"generation": generation, "held": not no_hold})


def _release(context: Context) -> CommandResult:
    with context.database() as database, database.background_transaction() as db:
        generation = stored.release(db)
    if generation is None:
        return CommandResult("no generation was held", {"generation": None, "held": False})
    log_change(f"generation {generation} is no longer held")
    message = f"generation {generation} stays live until the next accepted training"
    return CommandResult(message, {"generation": generation, "held": False})
