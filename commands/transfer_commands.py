"""Commands that move people and their ratings in and out."""

import re
from dataclasses import asdict
from pathlib import Path

import click

from commands.context import FILE, NEW_FILE, Context
from commands.framework import CommandResult, command

SOURCE = re.compile(r"[!-~]{1,32}", re.ASCII)


def _source(context: click.Context, option: click.Parameter, value: str) -> str:
    if not SOURCE.fullmatch(value):
        raise click.BadParameter("give 1 to 32 letters, digits and signs of ASCII, without a space")
    return value


@command(
    "import",
    examples=[
        ("matinee import ratings.csv --source shop", "The shop's customers and what they rated."),
        ("matinee import all.jsonl.gz --keep-ids", "An export, into a database without users."),
    ],
    reads=("MATINEE_DATASET",),
)
@click.argument("file", type=FILE)
@click.option(
    "--source",
    default="default",
    show_default=True,
    callback=_source,
    help="The system whose user ids the file has; files of one system name the same people.",
)
@click.option("--keep-ids", is_flag=True, help="The ids are ours, from an export; for a database without other users.")
@click.option("--skip-bad", is_flag=True, help="Pass over lines that are wrong, instead of stopping at the first.")
@click.pass_obj
def import_(context: Context, file: Path, source: str, keep_ids: bool, skip_bad: bool) -> CommandResult:
    """Store the people and ratings in FILE: .jsonl or .ndjson, or .csv with MovieLens's columns, also as .gz.

    A line of JSON is {"user_id", "movie_id", "rating", "rated_at"}, or {"user_id", "created_at"} for a person. Of two
    ratings of a movie by one person the later stays. Importing a file again does no harm, nor does an import that was
    cut off. People get ids of ours; the same ones are found again by their --source and their id there.
    """
    from jobs.import_events import import_events
    from jobs.ingest import init_movie_table

    with context.database() as database:
        init_movie_table(database, context.settings)
        found = import_events(database, file, None if keep_ids else source, skip_bad)
    return CommandResult(str(found), asdict(found))


@command(examples=[("matinee export all.jsonl.gz", "All people and ratings, for any other program.")])
@click.argument("file", type=NEW_FILE)
@click.pass_obj
def export(context: Context, file: Path) -> CommandResult:
    """Write all people and ratings, as of one moment, to FILE, as `import` reads it.

    A .csv has ratings alone, with times in whole seconds; a .jsonl has everybody, and exact times.
    """
    from jobs.export_events import export_events

    with context.database() as database:
        lines = export_events(database, file)
    return CommandResult(f"{lines:,} lines are in {file}", {"file": str(file), "lines": lines})
