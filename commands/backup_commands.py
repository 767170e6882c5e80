"""Commands that keep everything, and bring it back."""

from pathlib import Path

import click

from commands.context import FILE, NEW_FILE, Context
from commands.framework import CommandResult, command
from jobs import backup as job
from jobs.backup import Manifest


@command(
    examples=[
        ("matinee backup /backups/$(date +%F).matinee", "Every night, from cron or a timer."),
        ("matinee backup before.matinee && matinee restore --check before.matinee", "Before an upgrade."),
    ]
)
@click.argument("file", type=NEW_FILE)
@click.pass_obj
def backup(context: Context, file: Path) -> CommandResult:
    """Write everything in the database, as of one moment, to FILE, beside a running service or without one.

    Users, ratings, idempotency keys, lists, generations with their factors, which one is live, runs, and the newest id
    that was given. FILE is there once it is complete, compressed, with a checksum for each table; only its owner may
    read it. The dataset is not in it: the folder or name in MATINEE_DATASET is the other half; nor are tables of
    somebody else. Those of an earlier revision are kept as they are, so that a backup can be taken with the new version
    before it upgrades them.
    """
    with context.unmigrated_database() as database:
        return _told(job.backup(database, file), file, "holds")


@command(
    examples=[
        ("DATABASE_URL=postgresql://.../new matinee restore 2026-05-01.matinee", "Into a database made for it."),
        ("matinee restore --check 2026-05-01.matinee", "Only see whether it could be restored."),
    ]
)
@click.argument("file", type=FILE)
@click.option("--check", is_flag=True, help="Read the whole file and its checksums, and no database.")
@click.pass_obj
def restore(context: Context, file: Path, check: bool) -> CommandResult:
    """Fill an empty database with FILE, a backup, whole or not at all.

    A database with a row of ours in it is refused; tables of somebody else stay as they are, and where a view or a
    foreign key of theirs depends on empty tables of ours that are of another revision, it is named and nothing is
    changed. A backup of an earlier version is brought to the newest revision; one of a later version, or a damaged
    one, is refused. The service then goes on where the backup was taken: the same lists, the same ids, none of those
    given before the backup given again.
    """
    if check:
        return _told(job.check(file), file, "is whole; it holds")
    with context.unmigrated_database() as database:
        return _told(job.restore(database, file), file, "is restored:")


def _told(manifest: Manifest, file: Path, verb: str) -> CommandResult:
    counts = {table.name: table.rows for table in manifest.tables}
    text = (
        f"{file} {verb} {counts['users']:,} users, {counts['views']:,} ratings, {counts['generations']:,} generations "
        f"and {counts['movies']:,} movies, as of {manifest.taken_at}, revision {manifest.revision}"
    )
    facts = {"file": str(file), "taken_at": manifest.taken_at, "revision": manifest.revision, "rows": counts}
    return CommandResult(text, facts)
