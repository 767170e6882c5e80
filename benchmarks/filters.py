"""Measure the cost of filters: python benchmarks/filters.py [--movies 9700,87000] [--ratings 20]

Prints a table of CPU microseconds in one thread, and the difference of each filter to an unfiltered list: medians of
rounds in which every list is computed once. The factors are random, because only their size matters. PostgreSQL and
HTTP are left out, because they cost the same for every list.
"""

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.append(str(Path(__file__).resolve().parent.parent))

import numpy as np
from random_content import random_factors

from catalogue.live_generation import LiveGeneration
from catalogue.movie import Filters
from catalogue.movie_table import MovieTable
from catalogue.recommendations import ListRequest
from catalogue.user_context import UserContext
from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from storage.recommendations import RatingHistory

GENRES = ("Drama", "Comedy", "Thriller", "Action", "Documentary", "Film-Noir")
SHARES = (0.4, 0.3, 0.12, 0.1, 0.07, 0.01)
UNFILTERED = "no filter"
FILTERS = {
    UNFILTERED: Filters(),
    "a frequent genre": Filters(("Drama",)),
    "a rare genre": Filters(("Film-Noir",)),
    "years": Filters(year_from=1990, year_to=1999),
    "at least 100 ratings": Filters(min_ratings=100),
    "all of these": Filters(("Drama",), 1990, 1999, 100),
    "no movie matches": Filters(("Drama", "Film-Noir")),
    "any of three genres": Filters(any_genre=("Drama", "Comedy", "Thriller")),
    "none of three genres": Filters(not_genre=("Drama", "Comedy", "Thriller")),
    "added since": Filters(added_since=500),
}
SOME_IDS = 5000


def random_movie_table(factors: Factors, rng: np.random.Generator) -> MovieTable:
    """Return a movie for each row of the factors, with one or two genres."""
    n, count = len(factors.movies), factors.rating_count
    first, second = rng.choice(GENRES, (2, n), p=SHARES).tolist()
    genres = [a if a == b else f"{a}|{b}" for a, b in zip(first, second, strict=True)]
    years = rng.integers(1920, 2024, n).astype(np.int16)
    titles, expected = [f"Movie {row}" for row in range(n)], np.full(n, factors.mu, np.float32)
    return MovieTable(
        factors.movies,
        np.array(titles, object),
        np.array(genres, object),
        years,
        count,
        count // 2,
        expected,
        count.astype(np.float32),
        count * np.float64(3.5),
        imdb_id=np.full(n, None),
        tmdb_id=np.zeros(n, np.int32),
        added_at=rng.integers(0, 1000, n),
        withdrawn=np.zeros(n, bool),
    )


def measure_filters(movies: int, ratings: int, rounds: int) -> dict[str, float]:
    """Return the microseconds by filter for ten places with reasons, for a user with this number of ratings."""
    rng = np.random.default_rng(1)
    factors = random_factors(movies, rng)
    ranker, table = Ranker(factors), random_movie_table(factors, rng)
    live = LiveGeneration(1, ranker, table, datetime.now(UTC), datetime.now(UTC))
    rated = np.sort(rng.choice(movies // 10, ratings, replace=False) + 1).astype(np.int32)
    history = RatingHistory(1, rated, (rng.integers(1, 11, ratings) / 2).astype(np.float32), np.arange(ratings))
    some = rng.choice(table.movies, SOME_IDS, replace=False)
    marked, ids = history._replace(marked=some[:500], later=some[500:1000]), tuple(some.tolist())

    def compute_list(history: RatingHistory, wanted: ListRequest) -> None:
        ranking = ranking_for(ranker, history.movies, history.rating, history.at)
        user = UserContext(live, table, table, ranking, 1, ratings, 1, None, history.marked, history.later)
        user.places(wanted)

    asked = {name: (history, ListRequest(filters=filters)) for name, filters in FILTERS.items()} | {
        f"exclude {SOME_IDS:,} movies": (history, ListRequest(filters=Filters(exclude=ids))),
        f"among {SOME_IDS:,} movies": (history, ListRequest(filters=Filters(movie_ids=ids))),
        "500 movies seen or hidden": (marked, ListRequest()),
        "and without 500 for later": (marked, ListRequest(later="without")),
        "or only these": (marked, ListRequest(later="only")),
        "rated since, all ratings": (history, ListRequest()),
    }
    seconds: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, (held, wanted) in asked.items():
            began = time.thread_time()
            compute_list(held.since(0) if name.startswith("rated since") else held, wanted)
            seconds[name].append(time.thread_time() - began)
    return {name: float(np.median(times)) * 1e6 for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--movies", default="9700,87000", help="sizes of the catalogue (default 9700,87000)")
    parser.add_argument("--ratings", type=int, default=20, help="ratings of the user (default 20)")
    parser.add_argument("--rounds", type=int, default=200, help="lists of each kind (default 200)")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.movies.split(",")]
    columns = [measure_filters(size, arguments.ratings, arguments.rounds) for size in sizes]
    print("| filter | " + " | ".join(f"{size:,} movies, µs | added" for size in sizes) + " |")
    print("|---" * (1 + 2 * len(sizes)) + "|")
    for name in columns[0]:
        cells = [f"{column[name]:,.0f} | {column[name] - column[UNFILTERED]:+,.0f}" for column in columns]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
