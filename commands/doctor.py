"""The command that looks for problems and says what to do."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

from commands import machine_checks
from commands.context import Context
from commands.database_checks import stores
from commands.framework import DONE, FAILED, CommandResult, command
from commands.machine_checks import Finding

Check = Callable[[Context], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    *(machine_checks.python, machine_checks.java, machine_checks.memory, machine_checks.disk),
    *(machine_checks.account, stores),
    *(machine_checks.port, machine_checks.exposure, machine_checks.spark),
)


@command(
    examples=[
        ("matinee doctor", "Before the first start, and when something is wrong."),
        ("matinee doctor --json | jq '.[] | select(.level != \"ok\")'", "Only what needs attention."),
    ],
    ends={
        DONE: "Nothing keeps the service from working; a warn may be worth a look.",
        FAILED: "A line is a fail.",
    },
    reads=("MATINEE_HOST", "MATINEE_PORT", "MATINEE_DATASET", "MATINEE_SPARK_MASTER", "MATINEE_SPARK_DRIVER_MEMORY"),
)
def doctor(context: Context) -> CommandResult:
    """Check Python, packages, Java, memory, disk, database, dataset, port, keys and Spark, and say what to do.

    A setting that cannot be used ends it first, with exit status 2. Nothing is downloaded and no table is changed.
    Without a running service an embedded PostgreSQL that exists is started for as long as this takes.
    """
    found = [finding for check in CHECKS for finding in _findings(check, context)]
    lines = [f"{finding.level:<5} {finding.what:<11} {finding.text}" for finding in found]
    failed = any(finding.level == "fail" for finding in found)
    return CommandResult("\n".join(lines), [asdict(finding) for finding in found], FAILED if failed else DONE)


def _findings(check: Check, context: Context) -> Iterator[Finding]:
    """Yield the findings of a check, or that the system does not let it look."""
    try:
        yield from check(context)
    except OSError as error:
        yield Finding("fail", check.__name__, f"{error}; run matinee as the service's user, or correct what it names")
