"""Measure time, memory and quality of a full retrain with publishing, on synthetic datasets up to the size of ml-32m.

    python benchmarks/scale.py [--sizes 100000,1000000,3000000,10000000,32000000] [--users 100000] [--folder FOLDER]

Each size runs in a separate process, with its own PostgreSQL and Spark: it ingests the dataset, then the service's
trainer retrains once and publishes the lists of the service's users. Memory is the peak of all processes together. The
folder keeps the datasets for the next run. Writes results/scale.json and results/scale.svg, and prints a table. The
exit status is 1 if a retrain takes longer than twelve minutes or more than 8 GiB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))

from generate import Size, write_dataset
from run_history import time_and_machine
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
    "preference captured",
)


def measure_size(ratings: int, users: int, folder: Path) -> dict[str, Any]:
    """Return the cost and quality of one size, measured in a separate process; generate its dataset if needed."""
    size = Size.like_movielens(ratings)
    dataset = folder / f"synthetic-{ratings}"
    if not (dataset / "complete").exists():
        write_dataset(dataset, size)
        (dataset / "complete").touch()
    command = [sys.executable, str(HERE / "scale_one_size.py"), str(dataset), str(ratings), "--users", str(users)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(runs: list[dict[str, Any]]) -> str:
    """Return the runs as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(_shown(run[name]) for name in COLUMNS) + " |" for run in runs]
    return "\n".join(lines)


def merge_runs(out: Path, new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the new runs and the file's runs of other sizes, the smallest first."""
    old = json.loads(out.read_text())["runs"] if out.exists() else []
    by_size = {run["ratings"]: run for run in [*old, *new]}
    return [by_size[ratings] for ratings in sorted(by_size)]


def _shown(value: float) -> str:
    return f"{value:,.3f}" if isinstance(value, float) and value < 1 else f"{value:,.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of ratings, separated by commas")
    parser.add_argument("--users", type=int, default=OUR_USERS, help="number of our users (default 100,000)")
    parser.add_argument("--folder", type=Path, help="where to keep the datasets (default: nowhere)")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results/scale.json", help="JSON file to write, with the plot beside it"
    )
    args = parser.parse_args()
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="matinee-scale-") as scratch:
        for ratings in map(int, args.sizes.split(",")):
            now = time_and_machine()
            runs.append(measure_size(ratings, args.users, args.folder or Path(scratch)) | now)
            every = merge_runs(args.out, runs)
            args.out.write_text(json.dumps({"runs": every}, indent=1) + "\n")
            args.out.with_suffix(".svg").write_text(plot(every))
            print(table(every), flush=True)
    fits = all(run["retrain s"] <= PERIOD_SECONDS and run["peak MB"] <= MOST_MEGABYTES for run in runs)
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
