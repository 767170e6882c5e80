"""Train one model of `compare.py` in this process, and print its costs as JSON on the last line.

python benchmarks/compare_one_model.py SPLIT MODULE FUNCTION SEED LISTS
"""

import importlib
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
import numpy as np
from compare_interface import LeftOutError, Split, Train, Trained
from footprint import cpu_seconds, peak_megabytes

from evaluation.protocol_result import LONGEST

MEASURED_SECONDS = 1.0


def run(train: Train, split: Split, seed: int, lists: Path) -> dict[str, float]:
    """Train twice, write the list of every user to a file, and return the costs and lists a second."""
    _, first, _ = _timed(lambda: train(split, seed))
    memory = peak_megabytes(os.getpid())
    trained, again, cpu = _timed(lambda: train(split, seed))
    np.save(lists, [trained.recommend(row, LONGEST) for row in range(len(split.users))])
    return {"first s": first, "train s": again, "CPU s": cpu, "peak MB": memory} | list_rates(trained, len(split.users))


def list_rates(trained: Trained, users: int) -> dict[str, float]:
    """Return the lists a second of each way, in one thread."""
    found = {}
    for way, one in trained.list_one.items():
        found[f"one {way} /s"] = _a_second(partial(_in_turn, one, itertools.cycle(range(users))))
    for way, every in trained.list_all.items():
        found[f"all {way} /s"] = users * _a_second(every)
    return found


def _in_turn(one: Callable[[int], object], rows: Iterator[int]) -> object:
    return one(next(rows))


def _a_second(function: Callable[[], object]) -> float:
    """Return the calls of a function a second, after one call to warm up."""
    function()
    times, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < MEASURED_SECONDS:
        function()
        times += 1
    return times / took


def _timed(function: Callable[[], Trained]) -> tuple[Trained, float, float]:
    """Return the result, the seconds and the CPU seconds."""
    began, cpu = time.perf_counter(), cpu_seconds(os.getpid())
    result = function()
    return result, time.perf_counter() - began, cpu_seconds(os.getpid()) - cpu


def main() -> None:
    split, module, function, seed, lists = sys.argv[1:]
    try:
        train: Train = getattr(importlib.import_module(module), function)
        print(json.dumps(run(train, Split.load(Path(split)), int(seed), Path(lists))))
    except (ImportError, LeftOutError) as reason:
        print(json.dumps({"left out": str(reason)}))


if __name__ == "__main__":
    main()
