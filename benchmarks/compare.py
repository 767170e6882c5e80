"""Compare Matinee with other recommenders on one MovieLens folder: python benchmarks/compare.py FOLDER [--seeds 1,2,3]

Prints a Markdown table and then the raw numbers as JSON. Every model sees the first 80 % of each user's ratings and
ranks the whole catalogue for what that user rated 4 or more in the last 20 %.
"""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import rivals

from engine import Engine
from jobs.evaluate import TEST_SHARE, relevant_films
from runtime.movielens import read_set
from scoring.evaluation import LONGEST, Result, Row, list_quality, mean
from scoring.many import counted, lists_of, of_each
from scoring.ratings import Ints, Ratings
from scoring.splits import in_order, latest
from scoring.top_n import top_n
from settings import load

SHOWN = ("NDCG@10", "Recall@10", "Recall@20", "hit rate@10", "coverage@10", "under 25 ratings", "seconds")


class Contest:
    """One split of one set, and the lists of any model judged on it."""

    def __init__(self, ratings: Ratings, films: Ints) -> None:
        ordered = in_order(ratings)
        test = latest(ordered, TEST_SHARE)
        self.train, self.films = ordered.take(~test), films
        self.users, self.relevant = relevant_films(ordered.take(test))
        self.given = of_each(self.train, self.users)
        self.count = counted(self.train, films, 0).astype(np.int32)
        self._seedless: dict[str, dict[str, float]] = {}

    def ours(self, engine: Engine, seed: int) -> dict[str, float]:
        model = replace(engine.settings.model, seed=seed)
        began = time.perf_counter()
        factors = engine.train(self.train, self.films, model, lambda phase, done: None)
        lists = lists_of(factors, self.given, LONGEST, engine.lists)
        return self._judged(lists, time.perf_counter() - began)

    def rival(self, name: str, seed: int) -> dict[str, float]:
        if name not in self._seedless:
            row = self._fitted(name, seed)
            if name not in rivals.SEEDLESS:
                return row
            self._seedless[name] = row
        return self._seedless[name]

    def _fitted(self, name: str, seed: int) -> dict[str, float]:
        users, user = np.unique(self.train.user, return_inverse=True)
        film = np.searchsorted(self.films, self.train.film)
        began = time.perf_counter()
        scores = rivals.ALL[name](self.train, user, film, len(self.films), seed)
        every = np.ones(len(self.films), bool)
        best = [
            top_n(scores(row), LONGEST, np.searchsorted(self.films, given.film), every)
            for row, given in zip(np.searchsorted(users, self.users), self.given, strict=True)
        ]
        return self._judged(self.films[np.stack(best)], time.perf_counter() - began)

    def _judged(self, lists: Ints, seconds: float) -> dict[str, float]:
        return list_quality(lists, self.relevant, self.films, self.count) | {"seconds": seconds}


def compared(folder: Path, seeds: list[int]) -> list[Result]:
    """One result a seed; a rival whose library is missing is left out."""
    ratings, films = read_set(folder)
    contest, engine = Contest(ratings, films), Engine(load())
    engine.start()
    try:
        return [_one(contest, engine, seed) for seed in seeds]
    finally:
        engine.stop()


def _one(contest: Contest, engine: Engine, seed: int) -> Result:
    rows: dict[str, Row] = {}
    for name in rivals.ALL:
        try:
            rows[name] = contest.rival(name, seed)
        except ImportError as missing:
            print(f"{name} is left out: {missing}. pip install -r benchmarks/requirements.txt", file=sys.stderr)
    rows["Matinee"] = contest.ours(engine, seed)
    return Result("temporal", (seed,), rows, {"users judged": len(contest.users), "films": len(contest.films)})


def markdown(result: Result) -> str:
    """The result as a Markdown table."""
    lines = [f"| model | {' | '.join(SHOWN)} |", "|---" * (len(SHOWN) + 1) + "|"]
    for name, row in result.rows.items():
        cells = [f"{row[measure]:.1f}" if measure == "seconds" else f"{row[measure]:.4f}" for measure in SHOWN]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder that holds a MovieLens set")
    parser.add_argument("--seeds", default="1,2,3", help="random seeds, the table being the mean (default 1,2,3)")
    arguments = parser.parse_args()
    results = compared(arguments.folder, [int(seed) for seed in arguments.seeds.split(",")])
    print(markdown(mean(results)))
    machine = {"machine": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    print(json.dumps(machine | {"runs": [result.to_json() for result in results]}, indent=1))


if __name__ == "__main__":
    main()
