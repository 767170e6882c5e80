"""Write, find and compare runs of the suite; each is a folder and a line of the history."""

import importlib.metadata
import json
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measurements import Measurement, Measurements, table, with_unit

from settings import ROOT

LIBRARIES = ("pyspark", "numpy", "scipy", "pyarrow", "cheroot", "CherryPy", "Flask", "SQLAlchemy", "psycopg2-binary")
NOISE = 0.10  # smaller changes are ignored


@dataclass(frozen=True)
class BenchmarkRun:
    """A run of the suite: time, machine and commit (`about`), and the measurements of each part."""

    about: dict[str, Any]
    parts: dict[str, Measurements]

    @property
    def name(self) -> str:
        return f"{self.about['began']} {self.about['commit']}"

    def to_json(self) -> dict[str, Any]:
        parts = {part: {name: one.to_json() for name, one in found.items()} for part, found in self.parts.items()}
        return {"about": self.about, "parts": parts}

    @classmethod
    def from_json(cls, read: dict[str, Any]) -> "BenchmarkRun":
        parts = {
            part: {name: Measurement(**one) for name, one in found.items()} for part, found in read["parts"].items()
        }
        return cls(read["about"], parts)


def describe_run(quick: bool) -> dict[str, Any]:
    """Return the time, the machine, the commit and the library versions of a run that begins now."""
    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "system": platform.platform(),
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "commit": _commit(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def time_and_machine() -> dict[str, str]:
    """Return the time and the machine as short texts, for a benchmark outside the suite."""
    machine = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}


def write_run(run: BenchmarkRun, folder: Path, history: Path) -> None:
    """Write a run as run.json and run.md to a folder, and append it to the history as one line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run.to_json(), indent=1) + "\n")
    (folder / "run.md").write_text(report(run))
    with history.open("a") as lines:
        lines.write(json.dumps(run.to_json()) + "\n")


def report(run: BenchmarkRun) -> str:
    """Return a run as Markdown."""
    about = run.about
    quick = " A quick run: the numbers are rough." if about["quick"] else ""
    where = f"{about['processor']}, {about['cpus']} CPUs, {about['memory_gb']} GB, {about['system']}"
    return (
        f"{about['began']}, commit {about['commit']}; {where}; Python {about['python']}.{quick}\n\n{table(run.parts)}\n"
    )


def find_run(name: str, history: Path) -> BenchmarkRun:
    """Return a run by its folder or run.json, by its number in the history (-1 is the last), or by its commit.

    Raises `LookupError`.
    """
    file = Path(name) / "run.json" if Path(name).is_dir() else Path(name)
    if file.is_file():
        return BenchmarkRun.from_json(json.loads(file.read_text()))
    lines = history.read_text().splitlines() if history.exists() else []
    runs = [BenchmarkRun.from_json(json.loads(line)) for line in lines]
    if name.removeprefix("-").isdecimal() and len(name) < 5:
        if -len(runs) <= int(name) < len(runs):
            return runs[int(name)]
        raise LookupError(f"the history has {len(runs)} runs, and no run number {name}")
    found = [run for run in runs if run.about["commit"].startswith(name)]
    if not found:
        raise LookupError(f"{name} is neither a folder with a run.json nor a number or a commit in {history}")
    return found[-1]


def is_worse(before: Measurement, after: Measurement) -> bool:
    """Return whether a number became worse by more than NOISE and by more than half of either spread."""
    if after.better is None or not before.value:
        return False
    change = after.value / before.value - 1
    noise = max(NOISE, before.spread / 2, after.spread / 2)
    return change > noise if after.better == "less" else change < -noise


def compare_runs(before: BenchmarkRun, after: BenchmarkRun) -> tuple[str, int]:
    """Return a Markdown table of the numbers of both runs, and how many became worse."""
    lines = [
        f"| part | measured | {before.name} | {after.name} | ratio | |",
        "|---|---|---|---|---|---|",
    ]
    worse = 0
    for part, found in after.parts.items():
        for name, new in found.items():
            old = before.parts.get(part, {}).get(name)
            if old is not None:
                worse += is_worse(old, new)
                lines.append(_row(part, name, old, new))
    return "\n".join(lines), worse


def _row(part: str, name: str, old: Measurement, new: Measurement) -> str:
    ratio = f"{new.value / old.value:.2f}" if old.value else ""
    mark = "**worse**" if is_worse(old, new) else "better" if is_worse(new, old) else ""
    values = f"{with_unit(old.value, old.unit)} | {with_unit(new.value, new.unit)}"
    return f"| {part} | {name} | {values} | {ratio} | {mark} |"


def _processor() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return models[0].partition(":")[2].strip() if models else platform.machine()


def _commit() -> str:
    """Return the checked-out commit, with a + if the working tree has changes."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
