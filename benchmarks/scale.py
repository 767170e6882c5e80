"""Scale: a full retrain with publishing, for made-up sets up to ml-32m's size; its time, its memory and its quality.

    python benchmarks/scale.py [--sizes 100000,1000000,3000000,10000000,32000000] [--users 100000] [--folder FOLDER]

Each size runs in a process of its own, with its own PostgreSQL and Spark: ingest, then one retrain by the service's
own trainer that publishes the lists of our users. Memory is the most that all processes together held. The folder
keeps the sets for the next time. Results: results/scale.json, results/scale.svg and a table. The exit status is 1 if a
retrain took longer than twelve minutes, or more than 8 GiB.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))

from generate import Size, write_set
from scale_plot import plot

HERE = Path(__file__).resolve().parent
SIZES = (100_000, 1_000_000, 3_000_000, 10_000_000, 32_000_000)
OUR_USERS = 100_000
PERIOD_SECONDS, MOST_MEGABYTES = 12 * 60, 8 * 1024
COLUMNS = (
    "ratings",
    "movies",
    "users",
    "ingest s",
    "retrain s",
    "CPU s",
    "peak MB",
    "NDCG@10",
    "popularity",
    "taste met",
)


def measured(ratings: int, users: int, folder: Path) -> dict[str, Any]:
    """What one size took, measured in a process of its own; its set is made first if it is not there."""
    size = Size.like_movielens(ratings)
    sets = folder / f"made-{ratings}"
    if not (sets / "complete").exists():
        write_set(sets, size)
        (sets / "complete").touch()
    command = [sys.executable, str(HERE / "scale_one_size.py"), str(sets), str(ratings), "--users", str(users)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(runs: list[dict[str, Any]]) -> str:
    """The runs as a Markdown table, the smallest first."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(_shown(run[name]) for name in COLUMNS) + " |" for run in runs]
    return "\n".join(lines)


def kept(out: Path, new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The new runs and those of other sizes that are in the file already, the smallest first."""
    old = json.loads(out.read_text())["runs"] if out.exists() else []
    by_size = {run["ratings"]: run for run in [*old, *new]}
    return [by_size[ratings] for ratings in sorted(by_size)]


def _shown(value: float) -> str:
    return f"{value:,.3f}" if isinstance(value, float) and value < 1 else f"{value:,.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of ratings, with commas")
    parser.add_argument("--users", type=int, default=OUR_USERS, help="of our own users (default 100,000)")
    parser.add_argument("--folder", type=Path, help="where to keep the made-up sets (default: nowhere)")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results/scale.json", help="the JSON to write; the plot beside it"
    )
    given = parser.parse_args()
    machine = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="matinee-scale-") as scratch:
        for ratings in map(int, given.sizes.split(",")):
            now = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}
            runs.append(measured(ratings, given.users, given.folder or Path(scratch)) | now)
            every = kept(given.out, runs)
            given.out.write_text(json.dumps({"runs": every}, indent=1) + "\n")
            given.out.with_suffix(".svg").write_text(plot(every))
            print(table(every), flush=True)
    fits = all(run["retrain s"] <= PERIOD_SECONDS and run["peak MB"] <= MOST_MEGABYTES for run in runs)
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
