"""Run the operators' commands: `matinee COMMAND --help`, or the same as `python cli.py COMMAND --help`."""
# ruff: noqa: E402 - the handler of Ctrl-C goes first

import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from types import FrameType

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
INTERRUPTS = signal.getsignal(signal.SIGINT)
if __name__ == "__main__" and signal.default_int_handler == INTERRUPTS:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback

import click

import settings as settings_module
from commands import (
    backup_commands,
    doctor,
    evaluation_commands,
    experiment_commands,
    generation_commands,
    mcp_command,
    movie_commands,
    status,
    training_commands,
    transfer_commands,
    user_commands,
)
from commands.context import FILE, Context
from commands.framework import FAILED, USAGE_ERROR
from settings import OperatorError, SettingsError
from system.logs import log_to_stderr

SHUTDOWN_SECONDS = 20.0  # time for an orderly end of Spark and an embedded PostgreSQL


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True})
@click.option("--params", type=FILE, help="A file of settings, as tune writes it; they override all others.")
@click.pass_context
def cli(context: click.Context, params: Path | None) -> None:
    """Operate Matinee: look at it, back it up, train it, and move users in and out.

    Settings come from the environment and .env, as for the service. The database is that of DATABASE_URL, or the
    embedded one, which is shared with a running service or started for the command. Results go to standard output, as
    JSON with --json; the log goes to standard error. `matinee COMMAND --help` shows examples and exit status.
    """
    context.obj = partial(_load_context, params)  # called by the command, because --help needs no settings


def _load_context(params: Path | None) -> Context:
    settings = settings_module.load(params=params)
    log_to_stderr(settings.log_level, settings.log_format)
    return Context(settings)


for command in (
    *(status.status, doctor.doctor),
    *(backup_commands.backup, backup_commands.restore, generation_commands.migrate, generation_commands.ingest),
    *(training_commands.train, training_commands.retrain, training_commands.load),
    *(generation_commands.generations, generation_commands.activate),
    *(evaluation_commands.evaluate, evaluation_commands.tune, evaluation_commands.report),
    *(user_commands.users, user_commands.erase),
    experiment_commands.experiment,
    *(transfer_commands.import_, transfer_commands.export, transfer_commands.lists, transfer_commands.embeddings),
    *(movie_commands.movies, movie_commands.catalogue),
    mcp_command.mcp,
):
    cli.add_command(command)


def main() -> None:
    """Run a command. An operator's error is one line on stderr with exit status 1, or 2 for a bad setting."""
    try:
        _exit_on_signals()
        cli(prog_name="matinee")
    except SettingsError as error:
        click.echo(f"matinee: {error}", err=True)
        sys.exit(USAGE_ERROR)
    except (OperatorError, OSError) as error:
        click.echo(f"matinee: {error}", err=True)
        sys.exit(FAILED)


def _exit_on_signals() -> None:
    """Turn stop signals into exceptions, so that a command cleans up, unless the parent process ignores them."""
    signal.signal(signal.SIGINT, INTERRUPTS)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _exit_on_signal)


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    signal.signal(number, lambda *_: None)  # `timeout` sends it twice, the second time during the cleanup
    status = 128 + number  # as shells report it
    forced_exit = threading.Timer(SHUTDOWN_SECONDS, os._exit, [status])  # Spark may swallow SystemExit
    forced_exit.daemon = True
    forced_exit.start()
    sys.exit(status)


if __name__ == "__main__":
    main()
