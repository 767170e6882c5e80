"""What operators do by hand: `python cli.py COMMAND --help`."""

import sys
from pathlib import Path

import runtime.one_thread  # noqa: F401 - before numpy is loaded

# isort: split
import click

import settings as settings_module
from commands import measure, operate, people, transfer
from commands.context import FILE, Context, TrainingError
from runtime.java import JavaError
from runtime.logs import log_to_stderr
from runtime.postgres import PostgresError
from runtime.report import DatasetError
from scoring.factors import FactorsError
from settings import SettingsError
from storage.errors import (
    DatabaseUnavailableError,
    NothingServedError,
    TakenIdError,
    UnknownGenerationError,
    UnknownUserError,
)

MENDABLE = (
    DatabaseUnavailableError,
    DatasetError,
    FactorsError,
    JavaError,
    NothingServedError,
    OSError,
    PostgresError,
    TakenIdError,
    TrainingError,
    UnknownGenerationError,
    UnknownUserError,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--params", type=FILE, help="Settings that win over all others: a file that tune has written.")
@click.pass_context
def cli(context: click.Context, params: Path | None) -> None:
    """Operate Matinee. Settings come from the environment and .env, as they do for the server."""
    try:
        context.obj = Context(settings_module.load(params=params))
    except SettingsError as error:
        click.echo(f"matinee: {error}", err=True)
        context.exit(2)
    log_to_stderr(context.obj.settings.log_level, context.obj.settings.log_format)


for command in (
    *(operate.migrate, operate.ingest, operate.train, operate.load, operate.generations, operate.activate),
    *(measure.evaluate, measure.tune, measure.report),
    people.erase,
    *(transfer.import_, transfer.export),
):
    cli.add_command(command)


def main() -> None:
    """Run a command; what an operator can mend is one line on stderr and exit status 1."""
    try:
        cli()
    except MENDABLE as error:
        click.echo(f"matinee: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
