"""The long fault tests: `pytest --faults` runs only these, and prints a table of the injected faults and the results.

A long test has the mark `pytest.mark.faults`. Through pytest's fixture `record_property` it reports how many faults it
injected ("faults") and what it found ("found").
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

COLUMNS = ("test", "faults", "result", "passed", "seconds")


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
    terminalreporter.section("injected faults and results")
    terminalreporter.write_line(markdown(rows))
    if file := config.getoption("--faults-report"):
        file.write_text(markdown(rows) if file.suffix == ".md" else _as_json(rows))
        terminalreporter.write_line(f"written to {file}")


@dataclass(frozen=True)
class Row:
    """One long test: its name as a sentence, how many faults it injected, what it found, and whether it passed."""

    test: str
    tried: str
    faults: int | None
    found: str
    passed: bool
    seconds: float


def _rows(reports: Iterable[object]) -> Iterable[Row]:
    """Yield a row for each long test that ran; one whose setup failed counts as failed."""
    for report in reports:
        if isinstance(report, pytest.TestReport) and (report.when == "call" or report.failed) and not report.skipped:
            properties: dict[str, Any] = dict(report.user_properties)
            name = report.nodeid.partition("::")[2].removeprefix("test_").replace("_", " ")
            found = str(properties.get("found", "")) if report.passed else _reason(report)
            yield Row(report.nodeid, name, properties.get("faults"), found, report.passed, round(report.duration, 1))


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(getattr(crash, "message", report.longrepr)).strip().partition("\n")[0][:200]


def markdown(rows: Iterable[Row]) -> str:
    """Return the table as Markdown, with the date and the machine."""
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}\n", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        found, passed = row.found.replace("|", "/"), "yes" if row.passed else "**no**"
        lines.append(f"| {row.tried} | {row.faults or ''} | {found} | {passed} | {row.seconds:.0f} |")
    return "\n".join(lines) + "\n"


def _as_json(rows: Iterable[Row]) -> str:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"at": when, "machine": _machine(), "rows": [asdict(row) for row in rows]}, indent=1) + "\n"


def _machine() -> str:
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    size = f"{os.cpu_count()} cores, {gigabytes:.0f} GB"
    return f"{platform.system()} {platform.machine()}, {size}, Python {platform.python_version()}"
