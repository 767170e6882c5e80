"""What every command has in common: an answer for people or for programs, an exit status, and a page of help."""

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from settings import setting_rows

DONE, FAILED, USAGE_ERROR, NOT_PUBLISHED = 0, 1, 2, 3
EXIT_STATUS_HELP = {
    DONE: "Done.",
    FAILED: "It could not be done; one line on standard error says why and what to do.",
    USAGE_ERROR: "The command line or a setting is wrong; standard error names it.",
}
COMMON_SETTINGS = ("DATABASE_URL", "MATINEE_STATE_DIR", "MATINEE_LOG_LEVEL", "MATINEE_LOG_FORMAT")


@dataclass(frozen=True)
class CommandResult:
    """What a command has found: a text for people, the same as JSON has it, and the exit status."""

    text: str
    facts: Any
    status: int = DONE

    def show(self, as_json: bool) -> None:
        """Print it to standard output, where nothing else goes."""
        click.echo(json.dumps(self.facts, indent=1, default=_json) if as_json else self.text)


class FullHelpCommand(click.Command):
    """A command of which lists of commands say a whole sentence, where click would only say the start of one."""

    def get_short_help_str(self, limit: int = 0) -> str:
        """The first sentence of its help, on as many lines as it takes."""
        return super().get_short_help_str(sys.maxsize)


class CommandGroup(FullHelpCommand, click.Group):
    """A command that has commands of its own."""


class DocumentedCommand(FullHelpCommand):
    """A command whose help goes on, after the options, with examples, exit status and environment."""

    def __init__(
        self, *, examples: Sequence[tuple[str, str]], ends: Mapping[int, str], reads: Sequence[str], **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.examples, self.ends, self.reads = examples, {**EXIT_STATUS_HELP, **ends}, reads

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; what its group has prepared for it is only done now, since help needs no settings."""
        ctx.obj = ctx.obj()
        return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The sections of a manual that click does not know."""
        helps = {row[0]: row[2] for row in setting_rows()}
        with formatter.section("Examples"):
            formatter.write_dl(self.examples)
        with formatter.section("Exit status"):
            formatter.write_dl([(str(status), what) for status, what in sorted(self.ends.items())])
        with formatter.section("Environment"):
            formatter.write_dl([(name, helps[name]) for name in (*self.reads, *COMMON_SETTINGS)])


def command(
    name: str | None = None,
    *,
    examples: Sequence[tuple[str, str]],
    ends: Mapping[int, str] | None = None,
    reads: Sequence[str] = (),
) -> Callable[[Callable[..., CommandResult]], DocumentedCommand]:
    """Make a command of a function that returns its answer.

    Args:
        examples: command lines, each with what it does.
        ends: what an exit status means here beside, or in place of, `EXIT_STATUS_HELP`.
        reads: the settings that matter to it beside `COMMON_SETTINGS`.
    """

    def made(answer: Callable[..., CommandResult]) -> DocumentedCommand:
        @click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
        @functools.wraps(answer)
        def run(*arguments: Any, as_json: bool, **options: Any) -> None:
            told = answer(*arguments, **options)
            told.show(as_json)
            click.get_current_context().exit(told.status)

        return click.command(name, cls=DocumentedCommand, examples=examples, ends=ends or {}, reads=reads)(run)

    return made


def _json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
