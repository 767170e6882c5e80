"""What a filtered list costs beside an unfiltered one: python benchmarks/filters.py [--movies 9700,87000] [--ratings 20]

Prints a Markdown table of microseconds in one thread, medians of rounds in which every list is made once. The factors
are random, since only their size matters here; PostgreSQL and HTTP are left out, which cost every list the same.
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

from catalogue.movie_table import Filters, MovieTable
from catalogue.recommendations import ListRequest
from catalogue.user_context import LiveGeneration, UserContext
from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rankings import PersonalRanking
from settings import ModelSettings

GENRES = ("Drama", "Comedy", "Thriller", "Action", "Documentary", "Film-Noir")
SHARES = (0.4, 0.3, 0.12, 0.1, 0.07, 0.01)
ASKED = {
    "nothing": Filters(),
    "a frequent genre": Filters(("Drama",)),
    "a rare genre": Filters(("Film-Noir",)),
    "years": Filters(year_from=1990, year_to=1999),
    "100 ratings": Filters(min_ratings=100),
    "all of these": Filters(("Drama",), 1990, 1999, 100),
    "what no movie has": Filters(("Drama", "Film-Noir")),
}


def factors_of(movies: int, rng: np.random.Generator) -> Factors:
    """Random factors of the size that a training yields, a hundred neighbours a movie."""
    model = ModelSettings()
    V, Q = (rng.normal(size=(movies, k)).astype(np.float32) for k in (model.ranker_rank, model.rater_rank))
    eye, eye_r = (np.eye(k, dtype=np.float32) for k in (model.ranker_rank, model.rater_rank))
    count = np.sort(rng.pareto(0.6, movies) * 5).clip(0, 1e5).astype(np.int32)[::-1]
    entries = movies * model.neighbours
    return Factors(
        movies=np.arange(1, movies + 1, dtype=np.int32), V=V, m=V[:100].mean(axis=0), C=eye, Q=Q, C_r=eye_r, mu=3.5,
        movie_bias=np.zeros(movies, np.float32), rating_count=count, rating_mean=np.full(movies, 3.5, np.float32),
        popular=np.log1p(count).astype(np.float32), w_start=np.arange(0, entries + 1, model.neighbours),
        w_movie=rng.integers(0, movies, entries, np.int32), w=rng.normal(0, 0.02, entries).astype(np.float32),
        model=model,
    )  # fmt: skip


def table_of(factors: Factors, rng: np.random.Generator) -> MovieTable:
    """A movie for each row, of one or two genres."""
    n, count = len(factors.movies), factors.rating_count
    first, second = rng.choice(GENRES, (2, n), p=SHARES).tolist()
    genres = [a if a == b else f"{a}|{b}" for a, b in zip(first, second, strict=True)]
    years = rng.integers(1920, 2024, n).astype(np.int16)
    titles, expected = [f"Movie {row}" for row in range(n)], np.full(n, factors.mu, np.float32)
    return MovieTable(factors.movies, titles, genres, years, count, count // 2, expected, count.astype(np.float32))


def measured(movies: int, ratings: int, rounds: int) -> dict[str, float]:
    """Microseconds for the first ten, with their reasons, of someone with so many ratings, by what was asked for."""
    rng = np.random.default_rng(1)
    factors = factors_of(movies, rng)
    ranker = Ranker(factors)
    table = table_of(factors, rng)
    live = LiveGeneration(1, ranker, table, datetime.now(UTC), datetime.now(UTC))
    rated = np.sort(rng.choice(movies // 10, ratings, replace=False) + 1).astype(np.int32)
    rating = (rng.integers(1, 11, ratings) / 2).astype(np.float32)

    def make(filters: Filters) -> None:
        viewer = UserContext(live, table, table, PersonalRanking(ranker, rated, rating), 1, ratings)
        viewer.places(ListRequest(filters=filters))

    took: dict[str, list[float]] = {name: [] for name in ASKED}
    for _ in range(rounds):
        for name, filters in ASKED.items():
            began = time.perf_counter()
            make(filters)
            took[name].append(time.perf_counter() - began)
    return {name: float(np.median(times)) * 1e6 for name, times in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--movies", default="9700,87000", help="sizes of the catalogue (default 9700,87000)")
    parser.add_argument("--ratings", type=int, default=20, help="ratings of the person (default 20)")
    parser.add_argument("--rounds", type=int, default=200, help="lists of each kind (default 200)")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.movies.split(",")]
    columns = [measured(size, arguments.ratings, arguments.rounds) for size in sizes]
    print("| asked for | " + " | ".join(f"{size:,} movies, µs | of unfiltered" for size in sizes) + " |")
    print("|---" * (1 + 2 * len(sizes)) + "|")
    for name in ASKED:
        cells = [f"{column[name]:,.0f} | {column[name] / column['nothing']:.2f}" for column in columns]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
