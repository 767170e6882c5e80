"""Evaluate lists for groups: python benchmarks/groups.py --factors FILE --dataset FOLDER [--groups 800]

FILE comes from `spark-submit engine.py --ratings FOLDER --out FILE`, which trains without the held-out users, of whom
the groups consist. Each member gives the first half of their ratings, at most 50, and is tested on the movies rated 4
or more later. Prints a Markdown table: mean NDCG@10 and NDCG@10 of the least happy member, by rule and for the list of
the first member alone, and the milliseconds in one thread for ten movies with all expected ratings and reasons,
without PostgreSQL and HTTP.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.append(str(Path(__file__).resolve().parent.parent))

import numpy as np

from evaluation import offline_metrics
from evaluation.offline_metrics import Values
from evaluation.splits import sort_by_user_and_time, split_held_out
from movielens.reader import read_dataset
from ranking.batch_lists import histories_of, ratings_by_user
from ranking.factors import Factors
from ranking.groups import FoldedInGroupRanking, Rule
from ranking.ranker import Ranker
from ranking.ratings import Ints, Ratings, Rows
from ranking.top_n import top_n

SIZES, LONGEST_HISTORY, PLACES = (2, 4, 8), 50, 10
OWN = "the first member's own list"
Member = tuple[Ratings, Ints]
"""The given ratings of a member, and the movies that the member likes later."""


def members_of(ratings: Ratings) -> list[Member]:
    """Return the users with likes in the second half of their ratings."""
    ordered = sort_by_user_and_time(ratings)
    found = []
    for history in ratings_by_user(ordered, np.unique(ordered.user)):
        given = min(LONGEST_HISTORY, len(history) // 2)
        later = history.take(np.arange(given, len(history)))
        liked = later.movie[later.rating >= offline_metrics.RELEVANT]
        if given and len(liked):
            found.append((history.take(np.arange(given)), liked))
    return found


def group_lists(ranker: Ranker, group: Sequence[Member]) -> tuple[dict[str, Rows], dict[str, float]]:
    """Return the lists of a group by rule, and the seconds for each."""
    histories, every = histories_of([given for given, _ in group]), np.ones(len(ranker.factors.movies), bool)
    lists: dict[str, Rows] = {}
    seconds: dict[str, float] = {}
    rules: tuple[Rule, ...] = get_args(Rule)
    for rule in rules:
        began = time.perf_counter()
        ranking = FoldedInGroupRanking(ranker, histories)
        rows = ranking.best(PLACES, rule, every)
        ranking.expected(rows)
        for member in range(len(group)):
            ranking.reasons(member, rows)
        lists[rule], seconds[rule] = rows, time.perf_counter() - began
    lists[OWN] = top_n(ranking.z[0], PLACES, ranking.seen, ranker.factors.well_known)
    return lists, seconds


def ndcg_of(movies: Ints, group: Sequence[Member]) -> Values:
    """Return the NDCG@10 of a list for each member."""
    liked = [later for _, later in group]
    hit = offline_metrics.hits(np.tile(movies, (len(group), 1)), liked)
    return offline_metrics.ndcg(hit, offline_metrics.sizes(liked))


def measure_groups(factors: Factors, members: Sequence[Member], size: int, groups: int) -> list[str]:
    """Return the rows of the table for random groups of this size."""
    rng, ranker = np.random.default_rng(size), Ranker(factors)
    happiness: dict[str, list[tuple[float, float]]] = {}
    milliseconds: dict[str, list[float]] = {}
    for _ in range(groups):
        group = [members[at] for at in rng.choice(len(members), size, replace=False)]
        lists, seconds = group_lists(ranker, group)
        for name, rows in lists.items():
            ndcg = ndcg_of(factors.movies[rows], group)
            happiness.setdefault(name, []).append((float(ndcg.mean()), float(ndcg.min())))
            milliseconds.setdefault(name, []).append(1000 * seconds.get(name, np.nan))
    table = []
    for name, found in happiness.items():
        mean, least = np.mean(found, axis=0)
        took = float(np.median(milliseconds[name]))
        table.append(f"| {size} | {name} | {mean:.4f} | {least:.4f} | {'' if np.isnan(took) else f'{took:.1f}'} |")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", type=Path, required=True, help="a generation file that engine.py wrote")
    parser.add_argument("--dataset", type=Path, required=True, help="the folder that it was trained on")
    parser.add_argument("--groups", type=int, default=800, help="random groups of each size (default 800)")
    arguments = parser.parse_args()
    factors = Factors.from_bytes(arguments.factors.read_bytes())
    members = members_of(split_held_out(read_dataset(arguments.dataset)[0])[1])
    print("| members | list | NDCG@10, mean | NDCG@10, least happy | ms |\n|---|---|---|---|---|")
    for size in SIZES:
        print("\n".join(measure_groups(factors, members, size, arguments.groups)), flush=True)


if __name__ == "__main__":
    main()
