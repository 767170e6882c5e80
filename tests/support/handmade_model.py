"""A handmade catalogue and handmade factors, whose correct recommendations are known without training."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import Connection

from ranking.content import with_content
from ranking.factors import Factors
from recommender import Recommender
from settings import ModelSettings
from storage import generations, impressions, movies, recommendations, user_ratings, users
from storage.database import Database
from storage.impressions import Event, Impression, ShownList

MOVIES = 40
# ids like MovieLens's: with gaps, and larger than the number of movies
IDS = [25900 + 3 * n for n in range(MOVIES)]
EVEN, ODD = IDS[0::2], IDS[1::2]


def fill_catalogue(database: Database) -> None:
    """Store forty movies; earlier movies are more popular."""
    rows = [
        (movie, f"Movie {n}", "Comedy|Drama" if n % 2 else "Action", 1950 + n, 100, 350.0, 90 - n, 4.5 - n / 20)
        for n, movie in enumerate(IDS)
    ]
    with database.background_transaction() as db:
        fill_movies(db, rows)


def fill_movies(db: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Store movies as an earlier version did: without histogram, ids elsewhere and tags."""
    movies.fill(db, ((*row, None, None, None, None) for row in rows))


def movie_json(movie_id: int, title: str, genres: list[str], year: int | None) -> dict[str, object]:
    """Return a movie without ids elsewhere as /api/v1 shows it."""
    identity = {"imdb_id": None, "tmdb_id": None, "display_title": title}
    return {"movie_id": movie_id, "title": title, "genres": genres, "year": year} | identity


def two_tastes(seed: int = 0, movies: list[int] = IDS) -> Factors:
    """Return factors by which a user who likes movies in even rows likes all of them, and the same for odd rows.

    `seed` only changes the order within a parity.
    """
    rng = np.random.default_rng(seed)
    n = len(movies)
    parity = np.arange(n) % 2
    V = np.zeros((n, 2), np.float32)
    V[np.arange(n), parity] = 1.0 + 0.05 * rng.random(n)
    eye = np.eye(2, dtype=np.float32)
    return Factors(
        movies=np.array(movies, np.int32), V=V, m=np.full(2, 0.5, np.float32), C=eye, Q=V, C_r=eye, mu=3.5,
        movie_bias=np.zeros(n, np.float32), rating_count=np.full(n, 50, np.int32),
        rating_mean=np.full(n, 3.5, np.float32), popular=rng.random(n).astype(np.float32),
        w_start=np.zeros(n + 1, np.int64), w_movie=np.zeros(0, np.int32), w=np.zeros(0, np.float32),
        model=ModelSettings(ranker_rank=2, rater_rank=2),
    )  # fmt: skip


def with_genres(factors: Factors) -> Factors:
    """Return factors by which a new Action movie is like those in even rows, and a comedy like the others."""
    features = [["genre Comedy"] if n % 2 else ["genre Action"] for n in range(len(factors.movies))]
    return with_content(factors, features, factors.rating_count.astype(np.float32))


def store_generation(database: Database, factors: Factors) -> int:
    """Store a generation without making it live."""
    record = generations.GenerationRecord(None, "accepted", "made by hand", "made by hand", {})
    with database.transaction() as db:
        return generations.add(db, factors, record)


def flip(database: Database, generation_id: int) -> None:
    with database.statement() as db:
        generations.flip(db, generation_id)


def publish(recommender: Recommender, factors: Factors) -> int:
    """Store a generation, make it live, and serve it."""
    generation_id = store_generation(recommender.database, factors)
    flip(recommender.database, generation_id)
    recommender.model.refresh()
    return generation_id


def store_list(recommender: Recommender, user: int) -> None:
    """Store the list that a user gets, as a training run does, so that the next read takes it from the table."""
    assert recommender.model.live is not None
    items = recommender.recommend(user).items
    movies = np.array([item.movie.movie_id for item in items], np.int32)
    expected = np.array([item.expected_rating for item in items], np.float32)
    with recommender.database.transaction() as db:
        catalogue, history = recommendations.history(db, user)
        users_of = np.full(len(items), user, np.int32)
        versions = np.full(len(items), history.version)
        recommendations.store_lists(db, recommender.model.live.id, users_of, versions, movies, expected, catalogue)
    recommender.forget(user)


def show_and_open(database: Database, user: int) -> None:
    """Store that a user was shown a list and opened its first movie."""
    now = datetime.now(UTC)
    shown = Impression(str(uuid4()), now, user, "v1", ShownList(1, tuple(IDS[:2]), [4.5, 4.0]))
    with database.transaction() as db:
        impressions.make_partitions(db, [now.date()])
        impressions.add(db, [shown])
        impressions.add_events(db, [Event(shown.list_id, IDS[0], "opened", now)])


def new_user(database: Database, ratings: dict[int, float] | None = None) -> int:
    """Create a user with these ratings, by movie, in this order, and return the id."""
    with database.statement() as db:
        user = users.create(db)
        for movie, rating in (ratings or {}).items():
            user_ratings.put(db, user, movie, rating)
    return user


def view(database: Database, user: int, movie: int, rating: float) -> None:
    with database.statement() as db:
        user_ratings.put(db, user, movie, rating)
