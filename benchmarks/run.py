"""Run the benchmark suite: measure all parts, or the named parts, on this machine.

    python benchmarks/run.py [NAMES...] [--quick] [--out FOLDER]
    python benchmarks/run.py compare BEFORE AFTER

Writes run.json and run.md to the folder and adds a line to the history. The exit status is 1 if a part failed;
`compare` exits with 1 if a number became worse by more than noise. Identify a run by its folder, its number in the
history or its commit.
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
from run_history import BenchmarkRun, compare_runs, describe_run, find_run, report, write_run

RESULTS = Path(__file__).resolve().parent / "results"
HISTORY = RESULTS / "history.jsonl"
PARTS = {  # each part's module, which has a function measure(quick: bool) -> Measurements
    "read": "reading",
    "read_after_write": "reading_after_writing",
    "write": "writing",
    "during_retrain": "during_retrain",
    "freshness": "freshness",
    "restart": "restarting",
    "page": "page_load",
    "retrain": "retraining",
    "publish": "publish",
    "processes": "two_processes",
    "memory": "memory_at_rest",
    "metrics": "metrics_overhead",
    "libraries": "libraries",
}


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["compare"]:
        return compare(arguments[1:])
    args = _parser().parse_args(arguments)
    about = describe_run(args.quick)
    parts, failed = measure_parts(args.names or list(PARTS), args.quick)
    run = BenchmarkRun(about, parts)
    write_run(run, args.out or RESULTS / "latest", args.history)
    print(report(run))
    for name in failed:
        print(f"{name} failed; the traceback is above", file=sys.stderr)
    return 1 if failed else 0


def measure_parts(names: Sequence[str], quick: bool) -> tuple[dict[str, Measurements], list[str]]:
    """Return the measurements of each part and the names of failed parts; a failure does not stop the others."""
    parts: dict[str, Measurements] = {}
    failed = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            measure: Callable[[bool], Measurements] = importlib.import_module(PARTS[name]).measure
            parts[name] = measure(quick)
        except Exception:  # noqa: BLE001 - one part must not stop the others
            traceback.print_exc()
            failed.append(name)
    return parts, failed


def compare(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py compare", description="Compare two runs, number by number.")
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--history", type=Path, default=HISTORY)
    # argparse parses -1 as a number, because no option of this parser looks like a number
    args = parser.parse_args(arguments)
    try:
        runs = find_run(args.before, args.history), find_run(args.after, args.history)
    except LookupError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    text, worse = compare_runs(*runs)
    print(text)
    print(f"\n{worse or 'none'} of them became worse by more than noise")
    return 1 if worse else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*PARTS, []], metavar="NAME", help=f"one of {', '.join(PARTS)}")
    parser.add_argument(
        "--quick", action="store_true", help="small inputs and few repeats: shows that it works, not how fast"
    )
    parser.add_argument("--out", type=Path, help="folder for run.json and run.md (default results/latest)")
    parser.add_argument("--history", type=Path, default=HISTORY, help="file that gets a line for each run")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwind, so that started processes are stopped
    sys.exit(main(sys.argv[1:]))
