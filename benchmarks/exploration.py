"""Simulate how soon exploration collects ratings for new movies.

    python benchmarks/exploration.py --dataset FOLDER [--explore .1]

Fifty good movies of a dataset (at least 50 ratings, a mean of 4) lose their ratings and so are new. The users of the
dataset view lists of ten (with the attention of simulated_users.py), watch half of the movies they view, and rate them
by the prediction of a generation trained on the whole dataset plus noise of .8. A training run follows each round.
The lists are those of /api/v1, without HTTP. Prints the number of new movies with 25 ratings after each round, the
number of liked movies per list, and the NDCG@10 of held-out users by the first generation. Movies with fewer than 25
ratings are removed at the start, so that only new ones are explored; --tail keeps them.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.append(str(Path(__file__).resolve().parent.parent))

import numpy as np
from groups import members_of, ndcg_of
from simulated_users import ATTENTION, WATCHES

from engine import Engine
from evaluation.splits import split_held_out
from movielens.reader import content_of, read_dataset, read_movies
from ranking.batch_lists import count_ratings, ratings_by_user
from ranking.content import Features, with_content
from ranking.exploration import drawn_movies, explore
from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.ratings import HIGHEST, LOWEST, Floats, Ints, Ratings, Rows, concatenate
from settings import Settings

NEW, PLACES, WANTED = 50, 10, 25
NOISE, DAYS = 0.8, 20


@dataclass(frozen=True)
class World:
    """The initial data of the service, and the true ratings.

    Attributes:
        movies: ids; features: of each movie; new: the rows of the new movies.
        ratings: of the simulated users; held_out: of the held-out users.
        truth: the ratings that the simulated users would give [users, f].
    """

    movies: Ints
    features: Features
    new: Rows
    ratings: Ratings
    held_out: Ratings
    truth: Floats


def train(engine: Engine, ratings: Ratings, movies: Ints, features: Features) -> Factors:
    """Return the factors of a training run."""
    model = engine.settings.model
    factors = engine.train(ratings, movies, model, lambda phase, done: None)
    return with_content(factors, features, count_ratings(ratings, movies, model.like_threshold))


def world_of(engine: Engine, folder: Path, tail: bool) -> World:
    """Return a MovieLens dataset in which fifty good movies are new."""
    every, movies = read_dataset(folder)
    ratings, held_out = split_held_out(every)
    if not tail:
        movies = movies[count_ratings(ratings, movies, 0) >= WANTED]
        ratings, held_out = (part.take(np.isin(part.movie, movies)) for part in (ratings, held_out))
    about = {movie.movie_id: content_of(movie) for movie in read_movies(folder)[0]}
    features = [about[movie] for movie in movies.tolist()]
    factors = train(engine, ratings, movies, features)
    good = np.flatnonzero((factors.rating_count >= 50) & (factors.rating_mean >= 4))
    new = np.random.default_rng(1).choice(good, NEW, replace=False)
    ranker, users = Ranker(factors), np.unique(ratings.user)
    rankings = [ranking_for(ranker, one.movie, one.rating, one.at) for one in ratings_by_user(ratings, users)]
    truth = np.stack([ranking.expected(np.arange(len(movies))) for ranking in rankings])
    known, judged = (part.take(~np.isin(part.movie, movies[new])) for part in (ratings, held_out))
    return World(movies, features, new, known, judged, truth)


def shown(ranker: Ranker, history: Ratings, share: float, seed: str) -> Rows:
    """Return the rows of a user's list."""
    ranking = ranking_for(ranker, history.movie, history.rating, history.at)
    if not share:
        return ranking.best(PLACES)
    return explore(ranking.best, partial(drawn_movies, ranker, ranking, None), share, PLACES, seed)[0]


def visit(world: World, ranker: Ranker, history: Ratings, user: int, share: float, seed: str) -> Ratings:
    """Return the ratings that a user gives to one list."""
    rng = np.random.default_rng([user, *seed.encode()])
    rows = shown(ranker, history, share, seed)
    rated = rows[(rng.random(len(rows)) < ATTENTION ** np.arange(len(rows))) & (rng.random(len(rows)) < WATCHES)]
    rating = np.round(2 * (world.truth[user, rated] + rng.normal(0, NOISE, len(rated)))) / 2
    at = np.full(len(rated), history.at.max() + 60)
    users = np.full(len(rated), history.user[0])
    return Ratings(users, world.movies[rated], rating.clip(LOWEST, HIGHEST).astype(np.float32), at)


def simulate(engine: Engine, world: World, share: float, rounds: int, lists: int) -> None:
    """Simulate all rounds and print the progress of the new movies."""
    ratings, users = world.ratings, np.unique(world.ratings.user)
    for number in range(1, rounds + 1):
        factors = train(engine, ratings, world.movies, world.features)
        ranker, histories = Ranker(factors), ratings_by_user(ratings, users)
        if number == 1:
            print(f"explore {share}: NDCG@10 {held_out_ndcg(ranker, world.held_out, share):.4f}")
        new: list[Ratings] = []
        for at in range(lists):
            user = at % len(users)
            rated = visit(world, ranker, histories[user], user, share, f"{number} {at}")
            histories[user] = concatenate(histories[user], rated)
            new.append(rated)
        ratings = concatenate(ratings, *new)
        found = concatenate(*new)
        count = count_ratings(ratings, world.movies, 0)[world.new]
        print(
            f"after {number * lists:,} lists: {(count >= WANTED).sum()} of {NEW} new movies have {WANTED} ratings, "
            f"median {np.median(count):.0f}; {(found.rating >= 4).sum() / lists:.3f} liked a list",
            flush=True,
        )


def held_out_ndcg(ranker: Ranker, held_out: Ratings, share: float) -> float:
    """Return the mean NDCG@10 over held-out users and days."""
    members = members_of(held_out)
    days = range(DAYS if share else 1)
    return float(
        np.mean(
            [
                ndcg_of(ranker.factors.movies[shown(ranker, given, share, f"{at} {day}")], [(given, liked)])
                for at, (given, liked) in enumerate(members)
                for day in days
            ]
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="the folder of a MovieLens set")
    parser.add_argument("--explore", default="0,.05,.1", help="probabilities (default 0,.05,.1)")
    parser.add_argument("--rounds", type=int, default=5, help="training runs (default 5)")
    parser.add_argument("--lists", type=int, default=5000, help="lists between two of them (default 5000)")
    parser.add_argument("--tail", action="store_true", help="keep the movies with few ratings")
    parser.add_argument("--state", type=Path, required=True, help="a folder for Spark's files")
    arguments = parser.parse_args()
    engine = Engine(Settings(state_dir=arguments.state))
    world = world_of(engine, arguments.dataset, arguments.tail)
    for share in arguments.explore.split(","):
        simulate(engine, world, float(share), arguments.rounds, arguments.lists)
    engine.stop()


if __name__ == "__main__":
    main()
