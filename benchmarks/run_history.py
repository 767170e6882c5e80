"""The runs of the suite: each as a folder of its own, and as one line of the history; and two of them side by side."""

import importlib.metadata
import json
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measurements import Measurement, Measurements, shown, table

from settings import ROOT

LIBRARIES = ("pyspark", "numpy", "scipy", "pyarrow", "cheroot", "CherryPy", "Flask", "SQLAlchemy", "psycopg2-binary")
NOISE = 0.10  # a change by less is never called one


@dataclass(frozen=True)
class BenchmarkRun:
    """One run of the suite: where and when, and what each part found."""

    about: dict[str, Any]
    parts: dict[str, Measurements]

    @property
    def name(self) -> str:
        return f"{self.about['began']} {self.about['commit']}"

    def to_json(self) -> dict[str, Any]:
        parts = {part: {name: f.to_json() for name, f in found.items()} for part, found in self.parts.items()}
        return {"about": self.about, "parts": parts}

    @classmethod
    def from_json(cls, read: dict[str, Any]) -> "BenchmarkRun":
        parts = {part: {name: Measurement(**f) for name, f in found.items()} for part, found in read["parts"].items()}
        return cls(read["about"], parts)


def here(quick: bool) -> dict[str, Any]:
    """The machine, the moment and the code of a run that begins now."""
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


def write(run: BenchmarkRun, folder: Path, history: Path) -> None:
    """Write a run as run.json and run.md into a folder, and as one more line of the history."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run.to_json(), indent=1) + "\n")
    (folder / "run.md").write_text(report(run))
    with history.open("a") as lines:
        lines.write(json.dumps(run.to_json()) + "\n")


def report(run: BenchmarkRun) -> str:
    """A run as Markdown."""
    about = run.about
    quick = " A quick run: the numbers are rough." if about["quick"] else ""
    where = f"{about['processor']}, {about['cpus']} CPUs, {about['memory_gb']} GB, {about['system']}"
    return (
        f"{about['began']}, commit {about['commit']}; {where}; Python {about['python']}.{quick}\n\n{table(run.parts)}\n"
    )


def find(name: str, history: Path) -> BenchmarkRun:
    """A run by its folder or run.json, by its number in the history (-1 is the last), or by the commit it ran on.

    Raises `LookupError`.
    """
    file = Path(name) / "run.json" if Path(name).is_dir() else Path(name)
    if file.is_file():
        return BenchmarkRun.from_json(json.loads(file.read_text()))
    runs = (
        [BenchmarkRun.from_json(json.loads(line)) for line in history.read_text().splitlines()]
        if history.exists()
        else []
    )
    if name.removeprefix("-").isdecimal() and len(name) < 5:
        if -len(runs) <= int(name) < len(runs):
            return runs[int(name)]
        raise LookupError(f"the history has {len(runs)} runs, and no number {name}")
    found = [run for run in runs if run.about["commit"].startswith(name)]
    if not found:
        raise LookupError(f"{name} is neither a folder with a run.json nor a number or a commit in {history}")
    return found[-1]


def worse(before: Measurement, after: Measurement) -> bool:
    """Whether a number became worse by more than chance: than the noise and than half of either spread."""
    if after.better is None or not before.value:
        return False
    change = after.value / before.value - 1
    beyond = max(NOISE, before.spread / 2, after.spread / 2)
    return change > beyond if after.better == "less" else change < -beyond


def side_by_side(before: BenchmarkRun, after: BenchmarkRun) -> tuple[str, int]:
    """Two runs as one Markdown table of the numbers that both have, and how many of them became worse."""
    lines = [
        f"| part | measured | {before.name} | {after.name} | ratio | |",
        "|---|---|---|---|---|---|",
    ]
    marks = 0
    for part, found in after.parts.items():
        for name, figure in found.items():
            old = before.parts.get(part, {}).get(name)
            if old is not None:
                marks += worse(old, figure)
                lines.append(_pair(part, name, old, figure))
    return "\n".join(lines), marks


def _pair(part: str, name: str, old: Measurement, new: Measurement) -> str:
    change = f"{new.value / old.value:.2f}" if old.value else ""
    mark = "**worse**" if worse(old, new) else "better" if worse(new, old) else ""
    return f"| {part} | {name} | {shown(old.value, old.unit)} | {shown(new.value, new.unit)} | {change} | {mark} |"


def _processor() -> str:
    named = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return named[0].partition(":")[2].strip() if named else platform.machine()


def _commit() -> str:
    """The commit that is checked out, with a + if files differ from it."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return told or "unknown"
