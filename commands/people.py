"""Commands about the people whose ratings are stored."""

import click

from commands.context import Context
from storage import users

LEFT = """\
The next training knows nothing of them: it is due at the next tick, or now with `cli.py train`. Generations that are
stored go on with what everybody's ratings together have taught them, the live one until another is published.
Backups, and the ids in the log, are yours to look after."""


@click.command()
@click.argument("user_id", type=click.IntRange(1, 2**31 - 1))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def erase(context: Context, user_id: int, yes: bool) -> None:
    """Remove USER_ID with everything stored about them, for good; the id is never given to anyone else."""
    if not yes:
        click.confirm(f"Erase user {user_id} and all their ratings? This cannot be undone.", abort=True)
    with context.database() as database, database.unhurried() as db:
        gone = users.delete(db, user_id)
    views = "1 view" if gone.views == 1 else f"{gone.views} views"
    rows = f"{views}, {gone.listed} places of lists, {gone.foretold} comparisons with what was foretold"
    click.echo(f"user {user_id} is erased: {rows}.\n{LEFT}")
