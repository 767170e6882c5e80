"""Commands that import users and their ratings, and export them and what the live generation has computed."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from commands.context import FILE, Context, new_file
from commands.framework import CommandResult, command, group
from settings import LAST_USER_ID

MOST_PLACES = 1000
SOURCE = re.compile(r"[!-~]{1,32}", re.ASCII)


def _source(context: click.Context, option: click.Parameter, value: str) -> str:
    if not SOURCE.fullmatch(value):
        raise click.BadParameter("give 1 to 32 printable ASCII characters without a space")
    return value


@command(
    "import",
    examples=[
        ("matinee import ratings.csv --source shop", "The shop's customers and what they rated."),
        ("matinee import all.jsonl.gz --keep-ids", "An export, into a database without users."),
        ("matinee import letterboxd.zip --user 7", "What user 7 has watched elsewhere."),
    ],
    reads=("MATINEE_DATASET",),
)
@click.argument("file", type=FILE)
@click.option("--source", default="default", callback=_source, help="The system that the user ids come from.")
@click.option("--keep-ids", is_flag=True, help="Keep the ids of an export of ours, in a database without other users.")
@click.option("--skip-bad", is_flag=True, help="Skip bad lines instead of stopping at the first.")
@click.option(
    "--user", type=click.IntRange(1, LAST_USER_ID), help="Read FILE as this user's export of another service."
)
@click.option("--scale", type=click.Choice(["5", "10", "100"]), help="With --user: the best rating, if FILE lacks it.")
@click.option(
    "--unrated", type=click.Choice(["seen", "later"]), help="With --user: the mark of unrated movies, if FILE lacks it."
)
@click.option("--overwrite", is_flag=True, help="With --user: replace later ratings too.")
@click.option("--dry-run", is_flag=True, help="With --user: change nothing, and show what would be done.")
def import_(
    context: Context, /, file: Path, source: str, keep_ids: bool, skip_bad: bool, user: int | None, **history: Any
) -> CommandResult:
    """Store the users and ratings in FILE: .jsonl or .ndjson, or .csv with MovieLens's columns, also as .gz.

    A line of JSON is {"user_id", "movie_id", "rating", "rated_at"}, or {"user_id", "created_at"} for a user. A time is
    like 2026-01-31T12:00:00Z and at most a day ahead. Of two ratings of a movie by one user the later stays. Importing
    a file again does no harm, nor does an import that was cut off. Users get ids of ours; they are found again by their
    --source and their id there.

    With --user, FILE is an export of Letterboxd, IMDb, Trakt, TMDB, MovieLens.org, Criticker or Filmtipset, or a table
    with titles, years and ratings, as POST /api/v1/users/{id}/imports takes it.
    """
    if user is not None:
        return _import_history(context, file, user, **history)
    from jobs.import_users import import_users
    from jobs.ingest import init_movie_table

    with context.database(create=True) as database:
        init_movie_table(database, context.settings)
        found = import_users(database, file, None if keep_ids else source, skip_bad)
    return CommandResult(str(found), asdict(found))


def _import_history(
    context: Context, file: Path, user: int, scale: str | None, unrated: str | None, overwrite: bool, dry_run: bool
) -> CommandResult:
    """Store what a file says for a user, all or nothing; repeating it changes nothing."""
    from histories.files import LARGEST_FILE
    from histories.matching import plan_import
    from histories.reading import read_history
    from histories.rows import HistoryFileError
    from storage import history_import, movies

    with file.open("rb") as opened:
        data = opened.read(LARGEST_FILE + 1)
    try:
        history = read_history(data, int(scale) if scale else None, unrated)
    except HistoryFileError as error:
        raise HistoryFileError(f"{file}: {error}") from error
    with context.database() as database, database.background_transaction() as db:
        plan = plan_import(history, movies.table(db))
        ratings, marks = history_import.store(db, user, plan.ratings, plan.marks, overwrite, dry_run)
    facts: dict[str, Any] = {"format": history.format, "ratings": ratings._asdict(), "marks": marks._asdict()}
    facts |= {"rounded": history.rounded, "other": plan.other}
    facts["unmatched"] = [
        {"line": row.line, "title": row.title, "year": row.year, "reason": match.reason, "candidates": match.candidates}
        for row, match in plan.unmatched
    ]
    return CommandResult("\n".join(_history_lines(facts)), facts)


def _history_lines(facts: dict[str, Any]) -> Iterator[str]:
    rated, marked = (
        f"{name} created: {facts[name]['created']:,}, replaced: {facts[name]['replaced']:,}, "
        f"unchanged: {facts[name]['unchanged']:,}"
        for name in ("ratings", "marks")
    )
    ends = f"series and games: {facts['other']:,}; rows without a movie: {len(facts['unmatched']):,}"
    yield f"{facts['format']}: {rated}; {marked}; ratings rounded: {facts['rounded']:,}; {ends}"
    for row in facts["unmatched"]:
        yield f"line {row['line']}: {row['title'][:80]} ({row['year'] or 'no year'}): {row['reason']}"


@command(examples=[("matinee export all.jsonl.gz", "All users and ratings, for any other program.")])
@click.argument("file", type=new_file)
def export(context: Context, file: Path) -> CommandResult:
    """Write all users and ratings, as of one moment, to FILE, in a format that `import` reads.

    A .csv has only ratings, with times in whole seconds; a .jsonl has all users, and exact times.
    """
    from jobs.transfer_files import export_users

    with context.database() as database:
        lines = export_users(database, file)
    return CommandResult(f"lines written to {file}: {lines:,}", {"file": str(file), "lines": lines})


@command("export", examples=[("matinee lists export lists.parquet --top 20", "Twenty movies for every user.")])
@click.argument("file", type=new_file)
@click.option("--top", type=click.IntRange(1, MOST_PLACES), default=10, help="How many movies a user gets.")
def export_lists(context: Context, file: Path, top: int) -> CommandResult:
    """Write every user's best movies by the live generation to FILE, as Parquet, as of one moment.

    Columns: user_id, rank, movie_id, expected_rating. The metadata of the file names the generation.
    """
    from jobs import export_parquet

    with context.database() as database:
        users = export_parquet.export_lists(database, file, top)
    return CommandResult(f"users whose lists are in {file}: {users:,}", {"file": str(file), "users": users})


@command("export", examples=[("matinee embeddings export movies.parquet", "Vectors for a vector index.")])
@click.argument("file", type=new_file)
def export_embeddings(context: Context, file: Path) -> CommandResult:
    """Write the movies' vectors of the live generation to FILE, as Parquet.

    Columns: movie_id, title, vector, rating_count. The metadata of the file has generation, dimensions and similarity.
    """
    from jobs import export_parquet

    with context.database() as database:
        movies = export_parquet.export_embeddings(database, file)
    return CommandResult(f"movies whose vectors are in {file}: {movies:,}", {"file": str(file), "movies": movies})


lists = group("lists", "Export everybody's list of recommendations.", export_lists)
embeddings = group("embeddings", "Export the vectors by which movies are ranked.", export_embeddings)
