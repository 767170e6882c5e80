"""Commands that export what the live generation has computed, for other programs."""

from pathlib import Path

import click

from commands.context import NEW_FILE, Context
from commands.framework import CommandResult, command

MOST_PLACES = 1000


@click.group(short_help="Export everybody's list of recommendations.")
def lists() -> None:
    """Export everybody's list of recommendations."""


@click.group(short_help="Export the vectors by which movies are ranked.")
def embeddings() -> None:
    """Export the vectors by which movies are ranked."""


@command("export", examples=[("matinee lists export lists.parquet --top 20", "Twenty movies for every user.")])
@click.argument("file", type=NEW_FILE)
@click.option(
    "--top", type=click.IntRange(1, MOST_PLACES), default=10, show_default=True, help="How many movies a user gets."
)
def export_lists(context: Context, file: Path, top: int) -> CommandResult:
    """Write every user's best movies by the live generation to FILE, as Parquet, as of one moment.

    Columns: user_id, rank, movie_id, expected_rating. The metadata of the file names the generation.
    """
    from jobs import export_parquet

    with context.database() as database:
        users = export_parquet.export_lists(database, file, top)
    return CommandResult(f"users whose lists are in {file}: {users:,}", {"file": str(file), "users": users})


@command("export", examples=[("matinee embeddings export movies.parquet", "Vectors for a vector index.")])
@click.argument("file", type=NEW_FILE)
def export_embeddings(context: Context, file: Path) -> CommandResult:
    """Write the movies' vectors of the live generation to FILE, as Parquet.

    Columns: movie_id, title, vector, rating_count. The metadata of the file has generation, dimensions and similarity.
    """
    from jobs import export_parquet

    with context.database() as database:
        movies = export_parquet.export_embeddings(database, file)
    return CommandResult(f"movies whose vectors are in {file}: {movies:,}", {"file": str(file), "movies": movies})


lists.add_command(export_lists)
embeddings.add_command(export_embeddings)
