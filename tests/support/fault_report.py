"""The long fault tests: `pytest --faults` runs them and nothing else, then prints what was injected and what held.

A test is long when it carries `pytest.mark.faults`. It tells the table of the summary, through pytest's own fixture
`record_property`, how many faults it injected ("faults") and what it found ("found").
"""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

COLUMNS = ("what was tried", "faults", "what was found", "held", "seconds")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--faults", action="store_true", help="run the long fault tests, and only these")
    group.addoption(
        "--faults-report",
        type=Path,
        metavar="FILE",
        help="write their table to a file: JSON, or Markdown if it ends in .md",
    )


def select_fault_tests(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long tests, or with --faults all others."""
    long = [item for item in items if item.get_closest_marker("faults")]
    quick = [item for item in items if not item.get_closest_marker("faults")]
    items[:], left_out = (long, quick) if config.getoption("--faults") else (quick, long)
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--faults"):
        return
    rows = list(_rows(report for reports in terminalreporter.stats.values() for report in reports))
    if not rows:
        return
    terminalreporter.section("faults injected and what held")
    terminalreporter.write_line(markdown(rows))
    if file := config.getoption("--faults-report"):
        file.write_text(markdown(rows) if file.suffix == ".md" else _as_json(rows))
        terminalreporter.write_line(f"written to {file}")


@dataclass(frozen=True)
class Row:
    """One long test: its name as a sentence, how many faults it injected, what it found, and whether that is right."""

    test: str
    tried: str
    faults: int | None
    found: str
    held: bool
    seconds: float


def _rows(reports: Iterable[object]) -> Iterable[Row]:
    """A row for each long test that ran; one whose preparation failed did not hold either."""
    for report in reports:
        if isinstance(report, pytest.TestReport) and (report.when == "call" or report.failed) and not report.skipped:
            told: dict[str, Any] = dict(report.user_properties)
            name = report.nodeid.partition("::")[2].removeprefix("test_").replace("_", " ")
            found = str(told.get("found", "")) if report.passed else _reason(report)
            yield Row(report.nodeid, name, told.get("faults"), found, report.passed, round(report.duration, 1))


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(getattr(crash, "message", report.longrepr)).strip().partition("\n")[0][:200]


def markdown(rows: Iterable[Row]) -> str:
    """The table as Markdown, with the date and the machine."""
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}\n", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        found, held = row.found.replace("|", "/"), "yes" if row.held else "**no**"
        lines.append(f"| {row.tried} | {row.faults or ''} | {found} | {held} | {row.seconds:.0f} |")
    return "\n".join(lines) + "\n"


def _as_json(rows: Iterable[Row]) -> str:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"at": when, "machine": _machine(), "rows": [asdict(row) for row in rows]}, indent=1) + "\n"


def _machine() -> str:
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    size = f"{os.cpu_count()} cores, {gigabytes:.0f} GB"
    return f"{platform.system()} {platform.machine()}, {size}, Python {platform.python_version()}"
