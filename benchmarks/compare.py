"""Compare Matinee with other recommenders on one MovieLens folder: python benchmarks/compare.py FOLDER [--seeds 1,2,3]

Prints two Markdown tables, quality and cost; --out writes the raw numbers as JSON. Every model trains on the first 80 %
of each user's ratings and ranks the whole catalogue; movies that the user rated 4 or more in the last 20 % are
relevant. All models share the split and the order of ties. The last three columns are Matinee's NDCG@10 minus the
model's, with its paired 95 % interval. Each model trains twice in its own process; the first time includes the start of
its libraries.
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
from compare_interface import FOLDED_IN, LIST_LENGTH, TRAINED, Split
from run_history import describe_run

from evaluation import offline_metrics
from evaluation.offline_metrics import Values
from evaluation.protocol_result import FIRST_LESS_THIS, ProtocolResult, Row, list_quality, mean
from evaluation.splits import latest_mask, sort_by_user_and_time
from jobs.protocols import TEST_SHARE, relevant_movies
from movielens.reader import read_dataset
from ranking.batch_lists import count_ratings

HERE = Path(__file__).resolve().parent
DIFFERENCE = (FIRST_LESS_THIS, "low", "high")
QUALITY = ("NDCG@10", "Recall@10", "Recall@20", "hit rate@10", "coverage@10", "under 25 ratings", *DIFFERENCE)
COST = (
    "first s",
    "train s",
    "CPU s",
    "peak MB",
    *(f"{some} {way} /s" for some in ("one", "all") for way in (FOLDED_IN, TRAINED)),
)


@dataclass(frozen=True)
class ComparedModel:
    """The function that trains a model, and whether its result is independent of the random seed."""

    module: str
    function: str
    seedless: bool = False


OURS = "Matinee"
MODELS = {
    OURS: ComparedModel("spark_models", "matinee"),
    "Spark's ALS r8 λ.1 by predicted rating": ComparedModel("spark_models", "explicit_als"),
    "Spark's implicit ALS, our ranker's settings": ComparedModel("spark_models", "implicit_als"),
    "implicit's ALS, its defaults": ComparedModel("library_models", "implicit_als"),
    "implicit's ALS, tuned": ComparedModel("library_models", "implicit_als_tuned"),
    "LensKit's ALS, its defaults": ComparedModel("library_models", "lenskit_als"),
    "LensKit's ALS, tuned": ComparedModel("library_models", "lenskit_als_tuned"),
    "LensKit's item-kNN, its defaults": ComparedModel("library_models", "lenskit_knn", seedless=True),
    "item-kNN": ComparedModel("numpy_models", "item_knn", seedless=True),
    "EASE on likes": ComparedModel("numpy_models", "ease_on_likes", seedless=True),
    "EASE on ratings": ComparedModel("numpy_models", "ease_on_ratings", seedless=True),
    "popularity": ComparedModel("numpy_models", "popularity", seedless=True),
}


Measured = tuple[Row, Values]


class Comparison:
    """One split of one dataset: models train on one part, and their lists are evaluated on the other."""

    def __init__(self, dataset: Path, scratch: Path) -> None:
        ratings, movies = read_dataset(dataset)
        ordered = sort_by_user_and_time(ratings)
        test = latest_mask(ordered, TEST_SHARE)
        self.split, self.scratch = Split(ordered.take(~test), movies), scratch
        self.split.save(scratch / "split.npz")
        self.users, self.relevant = relevant_movies(ordered.take(test))
        self.count = count_ratings(self.split.train, movies, 0).astype(np.int32)
        self._seedless: dict[str, Measured] = {}

    def measure(self, name: str, seed: int) -> Measured | None:
        """Return the measures of a model and its NDCG@10 by user; print the reason and return None if left out."""
        if name in self._seedless:
            return self._seedless[name]
        print(f"{name}, seed {seed} ...", file=sys.stderr)
        cost = self._train(MODELS[name], seed)
        if "left out" in cost:
            print(f"{name} is left out: {cost['left out']}", file=sys.stderr)
            return None
        quality, ndcg = self._quality()
        measured = quality | cost, ndcg
        if MODELS[name].seedless:
            self._seedless[name] = measured
        return measured

    def _train(self, model: ComparedModel, seed: int) -> dict[str, float]:
        """Run `compare_one_model.py` and return the costs that it prints. It writes the lists to a file."""
        arguments = [self.scratch / "split.npz", model.module, model.function, seed, self.scratch / "lists.npy"]
        command = [sys.executable, str(HERE / "compare_one_model.py"), *map(str, arguments)]
        environ = os.environ | {"MATINEE_STATE_DIR": str(self.scratch / "state")}
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
        cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return cost

    def _quality(self) -> tuple[dict[str, float], Values]:
        test_rows = np.searchsorted(self.split.users, self.users)
        lists = np.load(self.scratch / "lists.npy")[test_rows]
        hit = offline_metrics.hits(lists[:, :LIST_LENGTH], self.relevant)
        ndcg = offline_metrics.ndcg(hit, offline_metrics.sizes(self.relevant))
        return list_quality(lists, self.relevant, self.split.movies, self.count), ndcg


def compare_models(dataset: Path, seeds: Sequence[int], names: Sequence[str] = tuple(MODELS)) -> list[ProtocolResult]:
    """Return one result for each seed. A model is left out if its library is missing or the dataset is too large."""
    with tempfile.TemporaryDirectory(prefix="matinee-compare-") as scratch:
        comparison = Comparison(dataset, Path(scratch))
        facts = {"test users": len(comparison.users), "movies": len(comparison.split.movies)}
        facts["training ratings"] = len(comparison.split.train)
        results = []
        for seed in seeds:
            measured = {name: comparison.measure(name, seed) for name in names}
            found = {name: of_one for name, of_one in measured.items() if of_one is not None}
            rows = {name: row for name, (row, _) in found.items()}
            ndcg = {name: values for name, (_, values) in found.items()}
            results.append(ProtocolResult("temporal", (seed,), rows, facts, ndcg))
        return results


def markdown(result: ProtocolResult, columns: Sequence[str]) -> str:
    """Return these measures of a result as a Markdown table."""
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
    parser.add_argument("folder", type=Path, help="a MovieLens folder")
    parser.add_argument("--seeds", default="1,2,3", help="random seeds; the tables show the mean (default 1,2,3)")
    parser.add_argument("--out", type=Path, help="file for the raw numbers of every run")
    args = parser.parse_args()
    about = describe_run(quick=False)
    results = compare_models(args.folder, [int(seed) for seed in args.seeds.split(",")])
    if args.out:
        args.out.write_text(json.dumps({"about": about, "runs": [run.to_json() for run in results]}, indent=1) + "\n")
    print(markdown(mean(results), QUALITY), markdown(mean(results), COST), sep="\n\n")


if __name__ == "__main__":
    main()
