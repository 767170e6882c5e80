"""What operators do by hand: `matinee COMMAND --help`, or `python cli.py COMMAND --help`, which is the same."""

import sys
from pathlib import Path

import runtime.one_thread  # noqa: F401 - before numpy is loaded

# isort: split
import click

import settings as settings_module
from commands import backup, doctor, measure, operate, people, retrain, status, transfer
from commands.context import FILE, Context, TrainingError
from commands.service import RefusedError
from runtime.java import JavaError
from runtime.logs import log_to_stderr
from runtime.postgres import PostgresError
from runtime.report import DatasetError
from scoring.factors import FactorsError
from settings import SettingsError
from storage.errors import (
    BackupError,
    DatabaseUnavailableError,
    DowngradeRefusedError,
    NotEmptyError,
    NothingServedError,
    TakenIdError,
    UnknownGenerationError,
    UnknownUserError,
)

MENDABLE = (
    BackupError,
    DatabaseUnavailableError,
    DatasetError,
    DowngradeRefusedError,
    FactorsError,
    JavaError,
    NotEmptyError,
    NothingServedError,
    OSError,
    PostgresError,
    RefusedError,
    TakenIdError,
    TrainingError,
    UnknownGenerationError,
    UnknownUserError,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--params", type=FILE, help="Settings that win over all others: a file that tune has written.")
@click.pass_context
def cli(context: click.Context, params: Path | None) -> None:
    """Operate Matinee: look at it, back it up, train it, and move people in and out.

    Settings come from the environment and .env, as they do for the service; the database is that of DATABASE_URL or
    the embedded one, which is shared with a running service or started for the command. Answers go to standard output,
    as JSON with --json; the log goes to standard error. `matinee COMMAND --help` tells of examples and exit status.
    """
    try:
        context.obj = Context(settings_module.load(params=params))
    except SettingsError as error:
        click.echo(f"matinee: {error}", err=True)
        context.exit(2)
    log_to_stderr(context.obj.settings.log_level, context.obj.settings.log_format)


for command in (
    *(status.status, doctor.doctor),
    *(backup.backup, backup.restore, operate.migrate, operate.ingest),
    *(operate.train, retrain.retrain, operate.load, operate.generations, operate.activate),
    *(measure.evaluate, measure.tune, measure.report),
    *(people.users, people.erase),
    *(transfer.import_, transfer.export),
):
    cli.add_command(command)


def main() -> None:
    """Run a command; what an operator can mend is one line on stderr and exit status 1."""
    try:
        cli(prog_name="matinee")
    except MENDABLE as error:
        click.echo(f"matinee: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
