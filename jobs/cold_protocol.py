"""The protocol for movies without ratings: a tenth of the movies lose theirs and are ranked by what they are about."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from catalogue.movie import split_genres
from engine import Engine
from evaluation.protocol_result import ProtocolResult
from evaluation.splits import sort_by_user_and_time
from jobs.protocols import MATINEE, ranked, relevant_movies
from movielens.reader import MovieLensMovie, content_of
from ranking.batch_lists import build_lists, count_ratings, rank_locally, ratings_by_user
from ranking.content import with_content
from ranking.ratings import Floats, Ints, Mask, Ratings
from ranking.top_n import top_n
from settings import ModelSettings

COLD_SHARE, PLACES = 0.1, 10
SHOWN = ("NDCG@10", "Recall@10", "hit rate@10")


def cold(
    engine: Engine, ratings: Ratings, catalogue: Sequence[MovieLensMovie], model: ModelSettings, seed: int
) -> ProtocolResult:
    """Train without the ratings of a tenth of the movies, rank these alone for what users rated 4 or more.

    Beside two baselines: movies whose genres have the most likes a movie, and movies of the genres of the user's likes.
    """
    movies, rated = np.array([movie.movie_id for movie in catalogue], np.int32), np.unique(ratings.movie)
    chosen = np.random.default_rng(seed).choice(rated, round(COLD_SHARE * len(rated)), replace=False)
    among, removed = np.isin(movies, chosen), np.isin(ratings.movie, chosen)
    train = sort_by_user_and_time(ratings.take(~removed))
    factors = engine.train(train, movies, replace(model, seed=seed))
    likes, genres = count_ratings(train, movies, model.like_threshold), _genres(catalogue)
    factors = with_content(factors, [content_of(movie) for movie in catalogue], likes)
    users, relevant = relevant_movies(ratings.take(removed))
    given = ratings_by_user(train, users)
    average = genres @ (likes @ genres / np.maximum(genres.sum(axis=0), 1))
    profiles = [genres @ _profile(part, movies, genres, model.like_threshold) for part in given]
    lists = {
        MATINEE: build_lists(factors, given, PLACES, partial(rank_locally, among=among)),
        "genre average": _best(movies, [average] * len(given), among),
        "genre profile": _best(movies, profiles, among),
    }
    facts = {"users judged": len(users), "movies": len(movies), "movies without ratings": len(chosen)}
    found = ranked("cold", seed, lists, relevant, factors)
    # the users differ from seed to seed, so the intervals are of each seed, and their ends are averaged
    rows = {name: {shown: row[shown] for shown in SHOWN} for name, row in found.rows.items()}
    return replace(replace(found, rows=rows, facts=facts).with_differences(), ndcg={})


def _best(movies: Ints, scores: Sequence[Floats], among: Mask) -> Ints:
    nothing = np.empty(0, np.intp)
    return np.stack([movies[top_n(score, PLACES, nothing, among, among)] for score in scores])


def _genres(catalogue: Sequence[MovieLensMovie]) -> Floats:
    """Return the share of each genre in each movie [f, G]; zeros for a movie without genres."""
    listed = [split_genres(movie.genres) for movie in catalogue]
    names = sorted({name for movie in listed for name in movie})
    having = np.array([[name in movie for name in names] for movie in listed], np.float32)
    return np.asarray(having / np.maximum(having.sum(axis=1, keepdims=True), 1), np.float32)


def _profile(given: Ratings, movies: Ints, genres: Floats, least: float) -> Floats:
    """Return the mean genres of the movies that a user likes [G]."""
    liked = genres[np.searchsorted(movies, given.movie[given.rating >= least])]
    return np.asarray(liked.sum(axis=0) / max(len(liked), 1), np.float32)
