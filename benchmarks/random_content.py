"""Create a random catalogue, ratings and factors, for benchmarks in which only their size matters."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from movielens_folder import write_folder
from sqlalchemy import Connection, text

from catalogue.recommendations import LIST_LENGTH
from ranking.batch_lists import rank_locally
from ranking.factors import Factors
from settings import ModelSettings
from storage import generations, recommendations, snapshot
from storage.database import Database

DAY_SECONDS = 86_400
GENRES = ("Drama", "Comedy", "Thriller|Action", "Documentary", "Film-Noir|Drama")
RECORD = generations.GenerationRecord(None, "accepted", "random factors", "random factors", {})
_ADD_USERS = text("""
    INSERT INTO users (history_version)
    SELECT CAST(:ratings AS integer) FROM generate_series(1, CAST(:count AS integer)) RETURNING id
""")
# spread over the first tenth of the catalogue: most movies have few ratings, as in MovieLens
_ADD_VIEWS = text("""
    INSERT INTO views (user_id, movie_id, rating, version)
    SELECT id, 1 + (id * 37 + n * GREATEST(1, CAST(:movies AS integer) / 10 / CAST(:ratings AS integer)))
        % (CAST(:movies AS integer) / 10), (1 + (id * 7 + n * 3) % 10) / 2.0, n
    FROM unnest(CAST(:users AS integer[])) AS new (id), generate_series(1, CAST(:ratings AS integer)) AS n
    ON CONFLICT DO NOTHING
""")


def write_dataset(folder: Path, movies: int, users: int, ratings_each: int) -> Path:
    """Write a MovieLens folder with long-tailed popularity and users with one of two tastes."""
    titles = (f'{n},"Movie {n} ({1930 + n % 90})",{GENRES[n % len(GENRES)]}\n' for n in range(1, movies + 1))
    return write_folder(folder, titles, _rating_lines(movies, users, ratings_each))


def _rating_lines(movies: int, users: int, ratings_each: int) -> Iterator[str]:
    rng = np.random.default_rng(1)
    for user in range(1, users + 1):
        movie = np.unique((movies * rng.power(0.3, 2 * ratings_each)).astype(int)[:ratings_each]) + 1
        rating = np.where(movie % 2 == user % 2, 4.0, 2.5) + rng.integers(-2, 3, len(movie)) / 2
        for m, r in zip(movie.tolist(), rating.clip(0.5, 5).tolist(), strict=True):
            yield f"{user},{m},{r:.1f},{1_500_000_000 + DAY_SECONDS * user + m}\n"


def add_users(db: Connection, count: int, ratings: int, movies: int) -> list[int]:
    """Add `count` users with `ratings` ratings each, and return their ids."""
    users = list(db.execute(_ADD_USERS, {"count": count, "ratings": ratings}).scalars())
    db.execute(_ADD_VIEWS, {"users": users, "ratings": ratings, "movies": movies})
    return users


def random_factors(movies: int, rng: np.random.Generator) -> Factors:
    """Return random factors of the size of a training run's, with a hundred neighbours for each movie."""
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


def publish_factors(database: Database, movies: int) -> None:
    """Make random factors the live generation, with a stored list for each user."""
    factors = random_factors(movies, np.random.default_rng(1))
    with database.snapshot() as db:
        taken = snapshot.take(db)
    user, movie, expected = rank_locally(factors, taken.histories, LIST_LENGTH)
    versions = taken.versions[np.searchsorted(taken.users, user)]
    with database.background_transaction() as db:
        generation = generations.add(db, factors, RECORD)
        recommendations.store_lists(db, generation, user, versions, movie, expected)
        generations.flip(db, generation)
