"""Commands about users."""

from typing import Any

import click
from sqlalchemy import Row

from commands.context import Context
from commands.framework import CommandResult, command, group, log_change
from settings import LAST_USER_ID
from storage import tokens
from storage import users as stored

SHOWN = 10  # ratings of a user; --json has all
AFTER_ERASURE = """\
The next training run does not use their ratings; it starts at the next check, or now with `matinee retrain`. Stored
generations keep what they learned from all users together; the live one serves until the next is published.
Backups, and the ids in the log, are yours to delete."""

USER_ID = click.IntRange(1, LAST_USER_ID)


@command(
    "list",
    examples=[("matinee users list", "The first fifty."), ("matinee users list --after 50", "The fifty after these.")],
)
@click.option("--after", type=click.IntRange(0, LAST_USER_ID), default=0, help="Only ids above this one.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many, by id.")
def list_users(context: Context, after: int, limit: int) -> CommandResult:
    """List users by id: when each joined, how many movies they have rated, and when they last rated one."""
    with context.database() as database, database.background_transaction() as db:
        rows = stored.page(db, after, limit)
    lines = [f"{'user':>10}  {'joined':<16}  {'ratings':>7}  last", *map(_line, rows)]
    if len(rows) == limit:
        lines.append(f"more: --after {rows[-1].user_id}")
    return CommandResult("\n".join(lines), [dict(row._mapping) for row in rows])


@command("count", examples=[("matinee users count", "One number.")])
def count_users(context: Context) -> CommandResult:
    """Print the number of users."""
    with context.database() as database, database.background_transaction() as db:
        found = stored.count(db)
    return CommandResult(str(found), {"users": found})


@command(
    "show",
    examples=[
        ("matinee users show 7", "A summary of user 7."),
        ("matinee users show 7 --json", "All that is stored about them, for a request for access."),
    ],
)
@click.argument("user_id", type=USER_ID)
def show_user(context: Context, user_id: int) -> CommandResult:
    """Show USER_ID: how many movies they have rated, and their newest ratings."""
    with context.database() as database, database.background_transaction() as db:
        held = stored.export(db, user_id)
    return CommandResult(_described(held), dict(held._mapping))


@command("token", examples=[("matinee users token 7", "Prints the secret, which is not stored.")])
@click.argument("user_id", type=USER_ID)
def create_token(context: Context, user_id: int) -> CommandResult:
    """Create a token that opens all routes of USER_ID, for a user who has none with MATINEE_USER_TOKENS=1."""
    with context.database() as database, database.background_transaction() as db:
        row, secret = tokens.create(db, user_id, "self", "matinee users token")
    return CommandResult(secret, {"user_id": user_id, "token_id": row.token_id, "token": secret})


@command(
    examples=[
        ("matinee erase 7", "Ask, then remove user 7."),
        ("matinee erase 7 --yes --json", "From a script; prints what was removed as JSON."),
    ]
)
@click.argument("user_id", type=USER_ID)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(context: Context, user_id: int, yes: bool) -> CommandResult:
    """Remove USER_ID with everything stored about them, for good; no other user ever gets the id."""
    if not yes:
        click.confirm(f"Erase user {user_id} and all their ratings? This cannot be undone.", abort=True, err=True)
    with context.database() as database, database.background_transaction() as db:
        gone = stored.delete(db, user_id)
    message = f"user {user_id} is erased: {gone}"
    log_change(message)
    return CommandResult(f"{message}.\n{AFTER_ERASURE}", {"user_id": user_id, **gone._asdict()})


def _line(row: Row[Any]) -> str:
    last = f"{row.last_at:%Y-%m-%d %H:%M}" if row.last_at else "-"
    return f"{row.user_id:>10}  {row.created_at:%Y-%m-%d %H:%M}  {row.rating_count:>7}  {last}"


def _described(held: Row[Any]) -> str:
    lines = [
        f"user {held.user_id}, joined {held.created_at:%Y-%m-%d %H:%M}",
        f"ratings: {len(held.ratings)}, places in lists: {len(held.recommendations)}, "
        f"predictions: {len(held.foretold)}",
    ]
    lines += [f"  {rated['rating']:.1f}  {rated['movie']['title']}" for rated in held.ratings[:SHOWN]]
    if len(held.ratings) > SHOWN:
        lines.append(f"  and {len(held.ratings) - SHOWN} earlier ones; --json shows all")
    return "\n".join(lines)


users = group(
    "users",
    "List and show users, and create their tokens; `erase` removes one.",
    *(list_users, count_users, show_user, create_token),
)
