"""Measure the time of a search: python benchmarks/search.py [--dataset FOLDER] [--movies 87000] [--searches 2000]

Each search is a whole request to the application with a real PostgreSQL. Without a dataset the titles are random, of
words whose frequencies follow Zipf's law. Prints a Markdown table.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from flask.testing import FlaskClient

from app import create_app
from embedded.postgres import EmbeddedPostgres
from health import Health
from movielens.reader import MovieLensMovie, read_movies
from recommender import Recommender
from settings import Settings
from storage import movies
from storage.database import Database

WORDS = 45_000  # about the number of distinct words in the titles of 87,000 movies
LETTERS = "eeeeeaaaaiiiooonnnrrrssttttllhhdcmupgbfywkv"
GENRES = ("Action", "Comedy", "Drama", "Horror|Thriller", "(no genres listed)")
Kind = Callable[[random.Random, str], str]


def random_movies(count: int, rng: random.Random) -> list[MovieLensMovie]:
    """Return movies with random titles, genres and years."""
    words = list({"".join(rng.choices(LETTERS, k=rng.randint(2, 12))) for _ in range(WORDS)})
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    return [
        MovieLensMovie(
            movie,
            " ".join(rng.choices(words, cum_weights=weights, k=rng.randint(1, 7))).title(),
            rng.choice(GENRES),
            rng.randint(1900, 2025),
        )
        for movie in range(1, count + 1)
    ]


def some_words(rng: random.Random, title: str) -> str:
    words = title.split()
    return " ".join(rng.sample(words, max(1, len(words) * 2 // 3)))


def with_a_typo(rng: random.Random, title: str) -> str:
    at = rng.randrange(max(1, len(title) - 1))
    return title[:at] + title[at + 1 : at + 2] + title[at : at + 1] + title[at + 2 :]


KINDS: dict[str, Kind] = {
    "the whole title": lambda rng, title: title,
    "some of its words, in any order": some_words,
    "with a typo": with_a_typo,
    "its first two letters": lambda rng, title: title[:2],
    "half of it": lambda rng, title: title[: len(title) // 2],
    "200 characters": lambda rng, title: (f"{title} " * 200)[:200],
    "of a genre, by rating": lambda rng, title: f"{title.split()[0]}&genre=drama&sort=rating",
    "an empty query": lambda rng, title: "",
}


def search_times(client: FlaskClient, kind: Kind, titles: Sequence[str], count: int) -> list[float]:
    """Return the milliseconds of each of `count` searches."""
    rng, milliseconds = random.Random(2), []  # noqa: S311 - nothing here is a secret
    for title in rng.choices(titles, k=count):
        query = kind(rng, title.replace("&", " "))
        began = time.perf_counter()
        answer = client.get(f"/api/v1/movies?q={query}")
        milliseconds.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    return milliseconds


def fill(database: Database, catalogue: Sequence[MovieLensMovie]) -> None:
    database.migrate()
    rows = [
        (movie.movie_id, movie.title, movie.genres, movie.year, 90_000 // place, 3.0 * (90_000 // place), 0, 3.0)
        for place, movie in enumerate(catalogue, start=1)
    ]
    with database.background_transaction() as db:
        movies.fill(db, ((*row, None, None, None, None) for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the time of a search.")
    parser.add_argument("--dataset", type=Path, help="a MovieLens folder; without it the titles are random")
    parser.add_argument("--movies", type=int, default=87_000, help="number of random titles")
    parser.add_argument("--searches", type=int, default=2000, help="searches of each kind")
    args = parser.parse_args()
    rng = random.Random(1)  # noqa: S311
    movies = read_movies(args.dataset)[0] if args.dataset else random_movies(args.movies, rng)
    health = Health()
    for part in ("database", "catalogue", "generation"):
        health.report(part, "ready")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        with EmbeddedPostgres(Path(folder)) as url:
            database = Database(url, threads=1)
            fill(database, movies)
            client = create_app(Recommender(database), health, Settings()).test_client()
            report(client, [movie.title for movie in movies], args.searches)
            database.close()


def report(client: FlaskClient, titles: Sequence[str], count: int) -> None:
    began = time.perf_counter()
    client.get("/api/v1/movies?q=first")
    print(f"{len(titles)} movies, {count} searches of each kind; the first took {time.perf_counter() - began:.2f} s\n")
    print("| query | p50 ms | p99 ms |\n|---|---|---|")
    for name, kind in KINDS.items():
        p50, p99 = np.percentile(search_times(client, kind, titles, count), [50, 99])
        print(f"| {name} | {p50:.1f} | {p99:.1f} |")


if __name__ == "__main__":
    main()
