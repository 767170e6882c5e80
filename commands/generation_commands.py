"""Commands that change what is served."""

from pathlib import Path

import click

from commands.context import FILE, Context
from commands.framework import NOT_PUBLISHED, CommandResult, command
from ranking.factors import Factors
from storage import generations as stored
from storage import runs, schema

PUBLISHED_OUTCOMES = ("published", "unchanged")
NOT_PUBLISHED_HELP = {
    NOT_PUBLISHED: "A training was done and rejected by the gate, or another one is under way: nothing changed."
}
TRAINING_SETTINGS = ("MATINEE_DATASET", "MATINEE_SPARK_MASTER", "MATINEE_SPARK_DRIVER_MEMORY")


def trained(outcome: str) -> CommandResult:
    """How a training went, with the exit status that says so."""
    return CommandResult(outcome, {"outcome": outcome}, 0 if outcome in PUBLISHED_OUTCOMES else NOT_PUBLISHED)


@command(
    examples=[
        ("matinee migrate", "Do before a start what the start would do."),
        ("matinee migrate base --yes", "Drop every table with all that is in it."),
    ]
)
@click.argument("revision", default=schema.HEAD)
@click.option("--yes", is_flag=True, help="With base: do not ask.")
@click.pass_obj
def migrate(context: Context, revision: str, yes: bool) -> CommandResult:
    """Bring the tables to REVISION: head, a later revision's id, or base, which drops them all.

    The service does this by itself when it starts. An earlier revision is refused: a backup is the way back.
    """
    if revision == schema.BASE and not yes:
        click.confirm("Drop every table, with all users and ratings? This cannot be undone.", abort=True)
    with context.unmigrated_database() as database:
        database.migrate(revision)
        with database.snapshot() as db:
            there = schema.current(db)
    return CommandResult(f"the tables are of revision {there}" if there else "there are no tables", {"revision": there})


@command(
    examples=[("MATINEE_DATASET=ml-32m matinee ingest", "Fetch the large set and fill a new database from it.")],
    reads=("MATINEE_DATASET",),
)
@click.pass_obj
def ingest(context: Context) -> CommandResult:
    """Fill the catalogue from the dataset, if it is empty; the service does it at its first start."""
    from jobs.ingest import init_movie_table

    with context.database() as database:
        init_movie_table(database, context.settings)
        with database.statement() as db:
            found = runs.ingest_details(db) or {}
    return CommandResult(f"the catalogue holds the {found.get('films', 0):,} movies of {found.get('dataset')}", found)


@command(
    examples=[("matinee train", "Train and publish."), ("matinee --params tuned.env train", "With tuned settings.")],
    ends=NOT_PUBLISHED_HELP,
    reads=TRAINING_SETTINGS,
)
@click.pass_obj
def train(context: Context) -> CommandResult:
    """Do one training with all that is known now and publish it, without the service.

    It prints published, rejected (worse than what is served), unchanged (nothing new to learn from) or busy. A running
    service picks the new generation up by itself.
    """
    with context.trainer() as trainer:
        return trained(trainer.retrain())


@command(
    examples=[("matinee load factors.npz", "Publish what engine.py has trained on another machine.")],
    ends=NOT_PUBLISHED_HELP,
    reads=TRAINING_SETTINGS,
)
@click.argument("file", type=FILE)
@click.pass_obj
def load(context: Context, file: Path) -> CommandResult:
    """Bring in FILE, a generation that engine.py has trained, through the same gate as any training."""
    factors = Factors.from_bytes(file.read_bytes())
    with context.trainer() as trainer:
        return trained(trainer.load(factors))


@command(
    examples=[
        ("matinee generations", "The newest twenty."),
        ("matinee generations --json --limit 1", "All that is recorded of the last training."),
    ]
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@click.pass_obj
def generations(context: Context, limit: int) -> CommandResult:
    """List the trainings and their verdicts; * marks the one that is served, - those that are no longer kept."""
    with context.database() as database, database.statement() as db:
        rows = stored.recent(db, limit)
    lines = []
    for row in rows:
        mark = "*" if row.live else " " if row.kept else "-"
        lines.append(f"{mark} {row.id:>5}  {row.created_at:%Y-%m-%d %H:%M:%S}  {row.verdict:<8}  {row.reason}")
    return CommandResult("\n".join(lines) or "there has been no training", [dict(row._mapping) for row in rows])


@command(examples=[("matinee activate 3", "Go back to generation 3."), ("matinee generations", "See which there are.")])
@click.argument("generation", type=int)
@click.pass_obj
def activate(context: Context, generation: int) -> CommandResult:
    """Serve GENERATION from now on, back or forward; running services follow within seconds.

    The next training that is accepted takes its place: MATINEE_RETRAIN_MINUTES=0 keeps it. A generation that is damaged
    or was stored by a version whose format this one does not read is refused, and nothing changes.
    """
    with context.database() as database, database.background_transaction() as db:
        stored.load(db, generation)  # factors that cannot be read must not go live
        stored.flip(db, generation)
    return CommandResult(f"generation {generation} is live", {"generation": generation})
