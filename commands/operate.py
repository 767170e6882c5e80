"""Commands that change what is served."""

from pathlib import Path

import click

from commands.context import CONNECTIONS, FILE, Context
from scoring.factors import Factors
from storage import generations as stored
from storage.database import Database


@click.command()
@click.argument("revision", default="head")
@click.pass_obj
def migrate(context: Context, revision: str) -> None:
    """Bring the tables to REVISION: head, a revision's id, or base, which drops them all."""
    with context.server() as url:
        database = Database(url, CONNECTIONS)
        database.migrate(revision)
        database.close()


@click.command()
@click.pass_obj
def ingest(context: Context) -> None:
    """Fill the catalogue from the dataset, if it is empty."""
    from jobs.ingest import init_movie_table

    with context.database() as database:
        init_movie_table(database, context.settings)


@click.command()
@click.pass_obj
def train(context: Context) -> None:
    """Do one training with all that is known now and publish it, without the server.

    A running server picks the new generation up by itself.
    """
    with context.trainer() as trainer:
        click.echo(trainer.retrain())


@click.command()
@click.argument("file", type=FILE)
@click.pass_obj
def load(context: Context, file: Path) -> None:
    """Bring in FILE, a generation that engine.py has trained, through the same gate as any training."""
    factors = Factors.from_bytes(file.read_bytes())
    with context.trainer() as trainer:
        click.echo(trainer.load(factors))


@click.command()
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@click.pass_obj
def generations(context: Context, limit: int) -> None:
    """List the trainings and their verdicts; * marks the one that is served, - those that are no longer kept."""
    with context.database() as database, database.statement() as db:
        for row in stored.recent(db, limit):
            mark = "*" if row.live else " " if row.kept else "-"
            click.echo(f"{mark} {row.id:>5}  {row.created_at:%Y-%m-%d %H:%M:%S}  {row.verdict:<8}  {row.reason}")


@click.command()
@click.argument("generation", type=int)
@click.pass_obj
def activate(context: Context, generation: int) -> None:
    """Serve GENERATION from now on, back or forward; running servers follow within seconds."""
    with context.database() as database, database.unhurried() as db:
        stored.load(db, generation)  # factors that cannot be read must not go live
        stored.flip(db, generation)
    click.echo(f"generation {generation} is live")
