"""The cost of filtering a list: python benchmarks/filters.py [--movies 9700,87000] [--ratings 20]

Prints a Markdown table of microseconds in one thread, beside an unfiltered list: the medians of rounds in which every
list is computed once. The factors are random, since only their size matters. PostgreSQL and HTTP are left out: they
cost every list the same.
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
}


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
        3.5 * count,
        imdb_id=np.full(n, None),
        tmdb_id=np.zeros(n, np.int32),
        added_at=np.zeros(n, np.int64),
        withdrawn=np.zeros(n, bool),
    )


def measure_filters(movies: int, ratings: int, rounds: int) -> dict[str, float]:
    """Return the microseconds, by filter, for ten places and their reasons, for a user with so many ratings."""
    rng = np.random.default_rng(1)
    factors = random_factors(movies, rng)
    ranker = Ranker(factors)
    table = random_movie_table(factors, rng)
    live = LiveGeneration(1, ranker, table, datetime.now(UTC), datetime.now(UTC))
    rated = np.sort(rng.choice(movies // 10, ratings, replace=False) + 1).astype(np.int32)
    rating, at = (rng.integers(1, 11, ratings) / 2).astype(np.float32), np.arange(ratings)

    def compute_list(filters: Filters) -> None:
        user = UserContext(live, table, table, ranking_for(ranker, rated, rating, at), 1, ratings)
        user.places(ListRequest(filters=filters))

    seconds: dict[str, list[float]] = {name: [] for name in FILTERS}
    for _ in range(rounds):
        for name, filters in FILTERS.items():
            began = time.perf_counter()
            compute_list(filters)
            seconds[name].append(time.perf_counter() - began)
    return {name: float(np.median(times)) * 1e6 for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--movies", default="9700,87000", help="sizes of the catalogue (default 9700,87000)")
    parser.add_argument("--ratings", type=int, default=20, help="ratings of the user (default 20)")
    parser.add_argument("--rounds", type=int, default=200, help="lists of each kind (default 200)")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.movies.split(",")]
    columns = [measure_filters(size, arguments.ratings, arguments.rounds) for size in sizes]
    print("| filter | " + " | ".join(f"{size:,} movies, µs | relative" for size in sizes) + " |")
    print("|---" * (1 + 2 * len(sizes)) + "|")
    for name in FILTERS:
        cells = [f"{column[name]:,.0f} | {column[name] / column[UNFILTERED]:.2f}" for column in columns]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
