"""One model of `compare.py`, trained in this process; prints what that took as JSON on the last line.

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
from footprint import cpu_seconds, most_held

from evaluation.protocol_result import LONGEST

MEASURED_SECONDS = 1.0


def run(train: Train, split: Split, seed: int, lists: Path) -> dict[str, float]:
    """Train twice, write everybody's list into a file, and see how fast lists are made."""
    _, first, _ = _timed(lambda: train(split, seed))
    memory = most_held(os.getpid())
    trained, again, cpu = _timed(lambda: train(split, seed))
    np.save(lists, [trained.listed(row, LONGEST) for row in range(len(split.users))])
    return {"first s": first, "train s": again, "CPU s": cpu, "peak MB": memory} | rates(trained, len(split.users))


def rates(trained: Trained, people: int) -> dict[str, float]:
    """Lists a second in each way, from one thread."""
    found = {}
    for way, one in trained.one.items():
        found[f"one {way} /s"] = _a_second(partial(_in_turn, one, itertools.cycle(range(people))))
    for way, every in trained.every.items():
        found[f"all {way} /s"] = people * _a_second(every)
    return found


def _in_turn(one: Callable[[int], object], rows: Iterator[int]) -> object:
    return one(next(rows))


def _a_second(act: Callable[[], object]) -> float:
    """How often a second something can be done that has been done before."""
    act()
    times, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < MEASURED_SECONDS:
        act()
        times += 1
    return times / took


def _timed(act: Callable[[], Trained]) -> tuple[Trained, float, float]:
    """What was made, and the seconds and CPU seconds it took."""
    began, cpu = time.perf_counter(), cpu_seconds(os.getpid())
    made = act()
    return made, time.perf_counter() - began, cpu_seconds(os.getpid()) - cpu


def main() -> None:
    split, module, function, seed, lists = sys.argv[1:]
    try:
        train: Train = getattr(importlib.import_module(module), function)
        print(json.dumps(run(train, Split.load(Path(split)), int(seed), Path(lists))))
    except (ImportError, LeftOutError) as reason:
        print(json.dumps({"left out": str(reason)}))


if __name__ == "__main__":
    main()
