"""A catalogue, ratings and factors of any size, made up: what counts here is how many there are."""

from pathlib import Path

import numpy as np
from filters import factors_of
from sqlalchemy import Connection, text

from catalogue.recommendations import LIST_LENGTH
from ranking.batch_lists import rank_locally
from storage import generations, recommendations, snapshot
from storage.database import Database

A_DAY = 86_400
GENRES = ("Drama", "Comedy", "Thriller|Action", "Documentary", "Film-Noir|Drama")
_PEOPLE = text("""
    INSERT INTO users (history_version)
    SELECT CAST(:ratings AS integer) FROM generate_series(1, CAST(:people AS integer)) RETURNING id
""")
# spread over the catalogue's first tenth, which is what people rate
_VIEWS = text("""
    INSERT INTO views (user_id, movie_id, rating, version)
    SELECT id, 1 + (id * 37 + n * GREATEST(1, CAST(:movies AS integer) / 10 / CAST(:ratings AS integer)))
        % (CAST(:movies AS integer) / 10), (1 + (id * 7 + n * 3) % 10) / 2.0, n
    FROM unnest(CAST(:users AS integer[])) AS people (id), generate_series(1, CAST(:ratings AS integer)) AS n
    ON CONFLICT DO NOTHING
""")


def write_dataset(folder: Path, movies: int, people: int, each: int) -> Path:
    """A MovieLens folder of so many movies and people, with so many ratings each: long-tailed, of two tastes."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    lines = [f'{n},"Movie {n} ({1930 + n % 90})",{GENRES[n % len(GENRES)]}\n' for n in range(1, movies + 1)]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(lines))
    with (folder / "ratings.csv").open("w") as file:
        file.write("userId,movieId,rating,timestamp\n")
        for user in range(1, people + 1):
            movie = np.unique((movies * rng.power(0.3, 2 * each)).astype(int)[:each]) + 1
            rating = np.where(movie % 2 == user % 2, 4.0, 2.5) + rng.integers(-2, 3, len(movie)) / 2
            columns = zip(movie.tolist(), rating.clip(0.5, 5).tolist(), strict=True)
            file.writelines(f"{user},{f},{r:.1f},{1_500_000_000 + A_DAY * user + f}\n" for f, r in columns)
    return folder


def add_users(db: Connection, people: int, ratings: int, movies: int) -> list[int]:
    """The ids of so many new users with so many ratings each."""
    users = list(db.execute(_PEOPLE, {"people": people, "ratings": ratings}).scalars())
    db.execute(_VIEWS, {"users": users, "ratings": ratings, "movies": movies})
    return users


def publish_factors(database: Database, movies: int) -> None:
    """Make random factors the live generation, with the list of everybody."""
    factors = factors_of(movies, np.random.default_rng(1))
    record = generations.GenerationRecord(None, "accepted", "made up", "made up", {})
    with database.snapshot() as db:
        taken = snapshot.take(db)
    user, movie, expected = rank_locally(factors, taken.histories, LIST_LENGTH)
    versions = taken.versions[np.searchsorted(taken.users, user)]
    with database.background_transaction() as db:
        generation = generations.add(db, factors, record)
        recommendations.store_lists(db, generation, user, versions, movie, expected)
        generations.flip(db, generation)
