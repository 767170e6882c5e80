"""What all commands share: a result as text or JSON, an exit status, and help like a manual's page."""

import functools
import inspect
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from settings import setting_rows

log = logging.getLogger(__name__)

DONE, FAILED, USAGE_ERROR, NOT_PUBLISHED = 0, 1, 2, 3
EXIT_STATUS_HELP = {
    DONE: "Done.",
    FAILED: "It could not be done; one line on standard error says why and what to do.",
    USAGE_ERROR: "The command line or a setting is wrong; standard error names it.",
}
WIDTH = 98  # of the manual; click indents it by two
COMMON_SETTINGS = ("DATABASE_URL", "MATINEE_STATE_DIR", "MATINEE_LOG_LEVEL", "MATINEE_LOG_FORMAT")


@dataclass(frozen=True)
class CommandResult:
    """The result of a command: a text for people, the same for JSON, and the exit status."""

    text: str
    facts: Any
    status: int = DONE


def command(
    name: str | None = None,
    *,
    examples: Sequence[tuple[str, str]],
    ends: Mapping[int, str] | None = None,
    reads: Sequence[str] = (),
) -> Callable[[Callable[..., CommandResult]], click.Command]:
    """Make a command of a function that takes a `Context` and returns its result.

    Its help ends with a manual's sections.

    Args:
        examples: command lines, each with what it does.
        ends: what an exit status means here, beside or instead of `EXIT_STATUS_HELP`.
        reads: the settings that matter to it, beside `COMMON_SETTINGS`.
    """

    def made(answer: Callable[..., CommandResult]) -> click.Command:
        @click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
        @functools.wraps(answer)
        def run(*arguments: Any, as_json: bool, **options: Any) -> None:
            context = click.get_current_context()
            result = answer(context.obj(), *arguments, **options)  # the settings are read only now: help needs none
            # nothing else goes to standard output
            click.echo(json.dumps(result.facts, indent=1, default=_json) if as_json else result.text)
            context.exit(result.status)

        epilog = _manual(examples, {**EXIT_STATUS_HELP, **(ends or {})}, (*reads, *COMMON_SETTINGS))
        return click.command(name, short_help=first_sentence(inspect.getdoc(answer) or ""), epilog=epilog)(run)

    return made


def group(name: str, text: str, *commands: click.Command) -> click.Group:
    """Return a command that consists of others; the first sentence of its help stands in lists of commands."""
    return click.Group(name, commands=commands, help=text, short_help=first_sentence(text))


def log_change(change: str) -> None:
    """Log what an operator has changed with a command."""
    log.info("%s, by the command line", change)


def first_sentence(text: str) -> str:
    """Return the first sentence of a help text, for lists of commands: click would cut it short."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].removesuffix(".") + "."


def _manual(examples: Sequence[tuple[str, str]], ends: Mapping[int, str], reads: Sequence[str]) -> str:
    """Return the sections of a manual that click does not know, as lines that it leaves as they are."""
    helps = {row[0]: row[2] for row in setting_rows()}
    sections = {
        "Examples": examples,
        "Exit status": [(str(status), what) for status, what in sorted(ends.items())],
        "Environment": [(name, helps[name]) for name in reads],
    }
    formatter = click.HelpFormatter(width=WIDTH)
    for title, rows in sections.items():
        with formatter.section(title):
            formatter.write_dl(rows)
    return "\n\n".join(f"\b\n{section}" for section in formatter.getvalue().strip().split("\n\n"))


def _json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
