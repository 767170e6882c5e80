"""Compare Matinee with other recommenders on one MovieLens folder: python benchmarks/compare.py FOLDER [--seeds 1,2,3]

Prints two Markdown tables, how good the lists are and what they cost; --out takes the raw numbers as JSON. Every
model sees the first 80 % of each user's ratings and ranks the whole catalogue for what that user rated 4 or more in the
last 20 %. Each trains in a process of its own: twice, since the first time has to start whatever it runs on.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
import numpy as np
from compare_interface import Split
from run_history import here

from evaluation.protocol_result import ProtocolResult, Row, list_quality, mean
from evaluation.splits import latest_mask, sort_by_user_and_time
from jobs.protocols import TEST_SHARE, relevant_movies
from movielens.reader import read_dataset
from ranking.batch_lists import count_ratings

HERE = Path(__file__).resolve().parent
QUALITY = ("NDCG@10", "Recall@10", "Recall@20", "hit rate@10", "coverage@10", "under 25 ratings")
COST = ("first s", "train s", "CPU s", "peak MB", "one told /s", "one known /s", "all told /s", "all known /s")


@dataclass(frozen=True)
class Model:
    """Where the function is that trains a model, and whether the seed makes no difference to it."""

    module: str
    function: str
    seedless: bool = False


OURS = "Matinee"
MODELS = {
    OURS: Model("spark_models", "matinee"),
    "Spark's ALS r8 λ.1 by predicted rating (the seed)": Model("spark_models", "explicit_als"),
    "Spark's implicit ALS, our ranker's settings": Model("spark_models", "implicit_als"),
    "implicit's ALS, its defaults": Model("library_models", "implicit_als"),
    "implicit's ALS, tuned": Model("library_models", "implicit_als_tuned"),
    "LensKit's ALS, its defaults": Model("library_models", "lenskit_als"),
    "LensKit's ALS, tuned": Model("library_models", "lenskit_als_tuned"),
    "LensKit's item-kNN, its defaults": Model("library_models", "lenskit_knn", seedless=True),
    "item-kNN": Model("numpy_models", "item_knn", seedless=True),
    "EASE on likes": Model("numpy_models", "ease_on_likes", seedless=True),
    "EASE on ratings": Model("numpy_models", "ease_on_ratings", seedless=True),
    "popularity": Model("numpy_models", "popularity", seedless=True),
}


class Comparison:
    """One split of one set, of which a model sees what is to train on; and its lists, judged by the rest."""

    def __init__(self, dataset: Path, scratch: Path) -> None:
        ratings, movies = read_dataset(dataset)
        ordered = sort_by_user_and_time(ratings)
        test = latest_mask(ordered, TEST_SHARE)
        self.split, self.scratch = Split(ordered.take(~test), movies), scratch
        self.split.save(scratch / "split.npz")
        self.users, self.relevant = relevant_movies(ordered.take(test))
        self.count = count_ratings(self.split.train, movies, 0).astype(np.int32)
        self._seedless: dict[str, Row] = {}

    def row(self, name: str, seed: int) -> Row | None:
        """The measures of a model; None if it was left out, which is then told on standard error."""
        if name in self._seedless:
            return self._seedless[name]
        print(f"{name}, seed {seed} ...", file=sys.stderr)
        took = self._run(MODELS[name], seed)
        if "left out" in took:
            print(f"{name} is left out: {took['left out']}", file=sys.stderr)
            return None
        measured = self._judged() | took
        if MODELS[name].seedless:
            self._seedless[name] = measured
        return measured

    def _run(self, model: Model, seed: int) -> dict[str, float]:
        """What `compare_one_model.py` tells; the lists are in a file then."""
        given = [self.scratch / "split.npz", model.module, model.function, seed, self.scratch / "lists.npy"]
        command = [sys.executable, str(HERE / "compare_one_model.py"), *map(str, given)]
        environ = os.environ | {"MATINEE_STATE_DIR": str(self.scratch / "state")}
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
        told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return told

    def _judged(self) -> dict[str, float]:
        of_judged = np.searchsorted(self.split.users, self.users)
        lists = np.load(self.scratch / "lists.npy")[of_judged]
        return list_quality(lists, self.relevant, self.split.movies, self.count)


def compared(dataset: Path, seeds: Sequence[int], names: Sequence[str] = tuple(MODELS)) -> list[ProtocolResult]:
    """One result a seed; a model whose library is missing, or to which the set is too large, is left out."""
    with tempfile.TemporaryDirectory(prefix="matinee-compare-") as scratch:
        contest = Comparison(dataset, Path(scratch))
        facts = {"users judged": len(contest.users), "movies": len(contest.split.movies)}
        facts["ratings trained on"] = len(contest.split.train)
        results = []
        for seed in seeds:
            rows = {name: contest.row(name, seed) for name in names}
            found = {name: row for name, row in rows.items() if row is not None}
            results.append(ProtocolResult("temporal", (seed,), found, facts))
        return results


def markdown(result: ProtocolResult, columns: Sequence[str]) -> str:
    """These measures of a result as a Markdown table."""
    lines = [f"| model | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in result.rows.items():
        lines.append(f"| {name} | {' | '.join(_shown(measure, row.get(measure)) for measure in columns)} |")
    return "\n".join(lines)


def _shown(measure: str, value: float | None) -> str:
    if value is None:
        return "-"
    if measure in QUALITY:
        return f"{value:.4f}"
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder that holds a MovieLens set")
    parser.add_argument("--seeds", default="1,2,3", help="random seeds, the tables being the mean (default 1,2,3)")
    parser.add_argument("--out", type=Path, help="a file for the raw numbers of every run")
    given = parser.parse_args()
    about = here(quick=False)
    results = compared(given.folder, [int(seed) for seed in given.seeds.split(",")])
    if given.out:
        given.out.write_text(json.dumps({"about": about, "runs": [run.to_json() for run in results]}, indent=1) + "\n")
    print(markdown(mean(results), QUALITY), markdown(mean(results), COST), sep="\n\n")


if __name__ == "__main__":
    main()
