"""The commands that back up the database and restore it."""

from pathlib import Path

import click

from commands.context import FILE, Context, new_file
from commands.framework import CommandResult, command
from jobs import backup as job
from jobs.backup import Manifest


@command(
    examples=[
        ("matinee backup /backups/$(date +%F).matinee", "Every night, from cron or a timer."),
        ("matinee backup before.matinee && matinee restore --check before.matinee", "Before an upgrade."),
    ]
)
@click.argument("file", type=new_file)
def backup(context: Context, file: Path) -> CommandResult:
    """Write everything in the database, as it is at one moment, to FILE, beside a running service or without one.

    FILE holds users, ratings, idempotency keys, lists, generations with their factors, which generation is live, runs,
    and the newest ids. It appears once it is complete, compressed, with a checksum; only its owner may read it. It is
    written by pg_dump, which comes with the embedded PostgreSQL. It does not hold the dataset, which is the folder or
    name in MATINEE_DATASET, nor other tables in the same database. Tables of an earlier revision are kept as they are,
    so that a backup can be taken with the new version before it upgrades them.
    """
    with context.unmigrated_database() as database:
        return _summary(job.backup(database, file), file, "holds")


@command(
    examples=[
        ("DATABASE_URL=postgresql://.../new matinee restore 2026-05-01.matinee", "Into a database made for it."),
        ("matinee restore --check 2026-05-01.matinee", "Only see whether it could be restored."),
    ]
)
@click.argument("file", type=FILE)
@click.option("--check", is_flag=True, help="Read the whole file and its checksum, and no database.")
def restore(context: Context, file: Path, check: bool) -> CommandResult:
    """Fill an empty database with FILE, a backup, whole or not at all.

    A database that holds any row of Matinee is refused. Other tables in it stay as they are; if a view or a foreign key
    of theirs depends on our empty tables, and these are of another revision than the backup, restore names it and
    changes nothing. A backup of an earlier version is brought to the newest revision; one of a later version, a damaged
    one, or one of the first edition is refused. The service then goes on where the backup was taken: with the same
    lists and ids, and without giving an id again that was given before the backup.
    """
    if check:
        return _summary(job.check(file), file, "is whole; it holds")
    with context.unmigrated_database(create=True) as database:
        return _summary(job.restore(database, file), file, "is restored:")


def _summary(manifest: Manifest, file: Path, verb: str) -> CommandResult:
    rows = manifest.rows
    text = (
        f"{file} {verb} {rows['users']:,} users, {rows['views']:,} ratings, {rows['generations']:,} generations "
        f"and {rows['movies']:,} movies, as of {manifest.taken_at}, revision {manifest.revision}"
    )
    facts = {"file": str(file), "taken_at": manifest.taken_at, "revision": manifest.revision, "rows": rows}
    return CommandResult(text, facts)
