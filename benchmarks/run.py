"""The benchmark suite: all parts, or those that are named, side by side on this machine.

    python benchmarks/run.py [NAMES...] [--quick] [--out FOLDER]
    python benchmarks/run.py compare BEFORE AFTER

Writes run.json and run.md into the folder and adds a line to the history. The exit status is 1 if a part failed; of
`compare`, if a number became worse beyond noise. A run is named by its folder, its number in the history or its commit.
"""

import argparse
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.extend(str(Path(__file__).resolve().parent.parent / folder) for folder in ("tests/support", "."))

from measurements import Measurements
from run_history import BenchmarkRun, find, here, report, side_by_side, write

RESULTS = Path(__file__).resolve().parent / "results"
HISTORY = RESULTS / "history.jsonl"
PARTS = {  # the module of each part; it has a function measure(quick: bool) -> Measurements
    "read": "reading",
    "read_after_write": "reading_after_writing",
    "write": "writing",
    "during_retrain": "during_retrain",
    "freshness": "freshness",
    "restart": "restarting",
    "retrain": "retraining",
    "publish": "publish",
    "processes": "two_processes",
    "metrics": "metrics_overhead",
    "libraries": "libraries",
}


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["compare"]:
        return compare(arguments[1:])
    given = _parser().parse_args(arguments)
    about = here(given.quick)
    parts, failed = measured(given.names or list(PARTS), given.quick)
    run = BenchmarkRun(about, parts)
    write(run, given.out or RESULTS / "latest", given.history)
    print(report(run))
    for name in failed:
        print(f"{name} failed; what happened is on standard error", file=sys.stderr)
    return 1 if failed else 0


def measured(names: Sequence[str], quick: bool) -> tuple[dict[str, Measurements], list[str]]:
    """What each part found, and which failed; one that fails does not keep the others from being measured."""
    parts: dict[str, Measurements] = {}
    failed = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            measure: Callable[[bool], Measurements] = importlib.import_module(PARTS[name]).measure
            parts[name] = measure(quick)
        except Exception:  # noqa: BLE001 - whatever it is, it is shown
            traceback.print_exc()
            failed.append(name)
    return parts, failed


def compare(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py compare", description="Two runs, number by number.")
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--history", type=Path, default=HISTORY)
    # a number from the end of the history begins with a dash, which is no option here
    given = parser.parse_args(arguments)
    try:
        runs = find(given.before, given.history), find(given.after, given.history)
    except LookupError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    text, marks = side_by_side(*runs)
    print(text)
    print(f"\n{marks} of them became worse beyond noise" if marks else "\nnothing became worse beyond noise")
    return 1 if marks else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*PARTS, []], metavar="NAME", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="small and few: shows that it works, not how fast")
    parser.add_argument("--out", type=Path, help="the folder for run.json and run.md (default results/latest)")
    parser.add_argument("--history", type=Path, default=HISTORY, help="the file that gets a line for each run")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an orderly end, which ends what has been started as well
    sys.exit(main(sys.argv[1:]))
