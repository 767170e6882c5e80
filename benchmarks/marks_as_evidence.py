"""Test whether marks improve fold-in: python benchmarks/marks_as_evidence.py FOLDER [--given 10,20,50]

Trains three times on two thirds of the users of a MovieLens dataset. Each user of the other third gives their first
ratings, some of which become marks: half of the ratings up to 2.5 become `hidden`, a third of the others `seen`. The
lists, without the marked movies, are tested on the next 50 ratings. Prints a Markdown table of NDCG@10 with each mark
ignored or used as a rating in the fold-in, and the paired difference to ignoring both.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import numpy as np

from engine import Engine
from evaluation.bootstrap import mean, paired_difference
from evaluation.held_out import split_histories
from evaluation.offline_metrics import RELEVANT, Values, hits, ndcg, sizes
from evaluation.splits import folds, sort_by_user_and_time
from movielens.reader import read_dataset
from ranking.batch_lists import ratings_by_user
from ranking.popularity import popularity_by_clock
from ranking.ranker import Ranker
from ranking.ratings import PADDING, Floats, Ints, Ratings
from ranking.user_batch import batch_of_one
from settings import load

FOLDS, LOW, PLACES = 3, 2.5, 10
HIDDEN_SHARE, SEEN_SHARE = 0.5, 1 / 3
# the ratings that stand for hidden and seen movies; None ignores them
TREATMENTS = {
    "no evidence": (None, None),
    "hidden as a rating of 2": (2.0, None),
    "hidden as .5": (0.5, None),
    "seen as 3": (None, 3.0),
    "seen as 3.5": (None, 3.5),
    "seen as 4": (None, 4.0),
    "hidden as 2, seen as 3.5": (2.0, 3.5),
    "the ratings themselves": (np.nan, np.nan),
}


def best_movies(ranker: Ranker, given: Ratings, marked: Ints, popularity: Floats) -> Ints:
    """Return the list of a user with these ratings and this popularity [f], without the marked movies."""
    among = ~np.isin(ranker.factors.movies, marked)
    batch = batch_of_one(ranker.factors, given.movie, given.rating, given.at)
    folded = ranker.fold_in(batch, ranker.neighbour_terms(batch))
    rows, there = ranker.top_n(folded, PLACES, among, popularity[None, :])
    return np.where(there[0], ranker.factors.movies[rows[0]], PADDING)


def measure_fold(ranker: Ranker, train: Ratings, test: Ratings, given: int, seed: int) -> list[Values]:
    """Return NDCG@10 by treatment for each user of `test` with more than `given` ratings."""
    rng, model, movies = np.random.default_rng(seed), ranker.factors.model, ranker.factors.movies
    histories = ratings_by_user(sort_by_user_and_time(test), np.unique(test.user))
    _, firsts, later, clocks = split_histories(histories, given)
    likes = train.take(train.rating >= model.like_threshold)
    rows = np.searchsorted(movies, likes.movie)
    popularity = popularity_by_clock(likes, rows, len(movies), clocks, model.half_life_days)
    lists: list[list[Ints]] = []
    for first, then in zip(firsts, popularity, strict=True):
        chance, low = rng.random(len(first)), first.rating <= LOW
        hidden, seen = low & (chance < HIDDEN_SHARE), ~low & (chance < SEEN_SHARE)
        if not (~hidden & ~seen).any():
            hidden[0] = seen[0] = False  # the fold-in needs a rating
        marked, own = first.movie[hidden | seen], []
        for as_hidden, as_seen in TREATMENTS.values():
            out = (hidden & (as_hidden is None)) | (seen & (as_seen is None))
            rating = first.rating.copy()
            for mask, value in ((hidden, as_hidden), (seen, as_seen)):
                if value is not None and not np.isnan(value):
                    rating[mask] = value
            own.append(best_movies(ranker, replace(first, rating=rating).take(~out), marked, then))
        lists.append(own)
    relevant = [part.movie[part.rating >= RELEVANT] for part in later]
    return [ndcg(hits(np.stack(of), relevant), sizes(relevant)) for of in zip(*lists, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder that holds a MovieLens set")
    parser.add_argument("--given", default="10,20,50", help="numbers of given ratings (default 10,20,50)")
    arguments = parser.parse_args()
    ratings, movies = read_dataset(arguments.folder)
    counts = [int(count) for count in arguments.given.split(",")]
    engine, found = Engine(load()), {count: list[list[Values]]() for count in counts}
    try:
        for seed, users in enumerate(folds(np.unique(ratings.user), FOLDS, 1)):
            out = np.isin(ratings.user, users)
            train, test = ratings.take(~out), ratings.take(out)
            model = engine.settings.model_for(len(train))
            ranker = Ranker(engine.train(train, movies, model, lambda phase, done: None))
            for count in counts:
                found[count].append(measure_fold(ranker, train, test, count, seed))
    finally:
        engine.stop()
    print("| given | marks | users | NDCG@10 | less that of no evidence |\n|---|---|---|---|---|")
    for count in counts:
        every = [np.concatenate(parts) for parts in zip(*found[count], strict=True)]
        for name, values in zip(TREATMENTS, every, strict=True):
            gain = paired_difference(values, every[0])
            shown = f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
            print(f"| {count} | {name} | {(~np.isnan(values)).sum()} | {mean(values).value:.4f} | {shown} |")


if __name__ == "__main__":
    main()
