"""How long a search takes: python benchmarks/search.py [--dataset FOLDER] [--movies 87000] [--searches 2000]

Each search is a whole request to the application, with a real PostgreSQL behind it. Without a dataset the titles are
made up, of words as unequally frequent as those of a language are. Prints a Markdown table.
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

WORDS = 45_000  # about as many as the titles of 87,000 movies are made of
LETTERS = "eeeeeaaaaiiiooonnnrrrssttttllhhdcmupgbfywkv"
GENRES = ("Action", "Comedy", "Drama", "Horror|Thriller", "(no genres listed)")
Kind = Callable[[random.Random, str], str]


def made_up(count: int, lot: random.Random) -> list[MovieLensMovie]:
    """So many movies that never were."""
    words = list({"".join(lot.choices(LETTERS, k=lot.randint(2, 12))) for _ in range(WORDS)})
    often = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    return [
        MovieLensMovie(
            movie,
            " ".join(lot.choices(words, cum_weights=often, k=lot.randint(1, 7))).title(),
            lot.choice(GENRES),
            lot.randint(1900, 2025),
        )
        for movie in range(1, count + 1)
    ]


def some_words(lot: random.Random, title: str) -> str:
    words = title.split()
    return " ".join(lot.sample(words, max(1, len(words) * 2 // 3)))


def with_a_typo(lot: random.Random, title: str) -> str:
    at = lot.randrange(max(1, len(title) - 1))
    return title[:at] + title[at + 1 : at + 2] + title[at : at + 1] + title[at + 2 :]


KINDS: dict[str, Kind] = {
    "the whole title": lambda lot, title: title,
    "some of its words, in any order": some_words,
    "with a typo": with_a_typo,
    "its first two letters": lambda lot, title: title[:2],
    "half of it": lambda lot, title: title[: len(title) // 2],
    "200 characters": lambda lot, title: (f"{title} " * 200)[:200],
    "of a genre, by rating": lambda lot, title: f"{title.split()[0]}&genre=drama&sort=rating",
    "nothing typed": lambda lot, title: "",
}


def measured(client: FlaskClient, kind: Kind, titles: Sequence[str], count: int) -> list[float]:
    """The milliseconds that each of so many searches took."""
    lot, took = random.Random(2), []  # noqa: S311 - nothing here is a secret
    for title in lot.choices(titles, k=count):
        query = kind(lot, title.replace("&", " "))
        began = time.perf_counter()
        answer = client.get(f"/api/v1/movies?q={query}")
        took.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    return took


def fill(database: Database, catalogue: Sequence[MovieLensMovie]) -> None:
    database.migrate()
    rows = [
        (movie.movie_id, movie.title, movie.genres, movie.year, 90_000 // place, 3.0 * (90_000 // place), 0, 3.0)
        for place, movie in enumerate(catalogue, start=1)
    ]
    with database.background_transaction() as db:
        movies.fill(db, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a search takes.")
    parser.add_argument("--dataset", type=Path, help="a MovieLens folder; without it the titles are made up")
    parser.add_argument("--movies", type=int, default=87_000, help="how many titles to make up")
    parser.add_argument("--searches", type=int, default=2000, help="how many searches of each kind")
    given = parser.parse_args()
    lot = random.Random(1)  # noqa: S311
    movies = read_movies(given.dataset)[0] if given.dataset else made_up(given.movies, lot)
    health = Health()
    for part in ("database", "catalogue", "generation"):
        health.report(part, "ready")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # for PostgreSQL, which root runs as somebody else
        with EmbeddedPostgres(Path(folder)) as url:
            database = Database(url, threads=1)
            fill(database, movies)
            client = create_app(Recommender(database), health, Settings()).test_client()
            report(client, [movie.title for movie in movies], given.searches)
            database.close()


def report(client: FlaskClient, titles: Sequence[str], count: int) -> None:
    began = time.perf_counter()
    client.get("/api/v1/movies?q=first")
    print(f"{len(titles)} movies, {count} searches of each kind; the first took {time.perf_counter() - began:.2f} s\n")
    print("| typed | p50 ms | p99 ms |\n|---|---|---|")
    for name, kind in KINDS.items():
        p50, p99 = np.percentile(measured(client, kind, titles, count), [50, 99])
        print(f"| {name} | {p50:.1f} | {p99:.1f} |")


if __name__ == "__main__":
    main()
