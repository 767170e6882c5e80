"""The protocol for movies without ratings: a tenth of the movies lose theirs and are ranked by what they are about."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from catalogue.movie import split_genres
from engine import Engine
from evaluation import offline_metrics
from evaluation.protocol_result import ProtocolResult
from evaluation.splits import sort_by_user_and_time
from jobs.protocols import MATINEE, relevant_movies
from movielens.reader import MovieLensMovie, content_of
from ranking.batch_lists import count_ratings, histories_of, ratings_by_user
from ranking.content import with_content
from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.ratings import PADDING, Floats, Ints, Mask, Ratings
from ranking.top_n import top_n
from ranking.user_batch import user_batches
from settings import ModelSettings

COLD_SHARE, PLACES = 0.1, 10


def cold(
    engine: Engine,
    ratings: Ratings,
    catalogue: Sequence[MovieLensMovie],
    model: ModelSettings,
    seed: int,
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
        MATINEE: _lists(factors, given, among),
        "genre average": _best(movies, [average] * len(given), among),
        "genre profile": _best(movies, profiles, among),
    }
    facts = {"users judged": len(users), "movies": len(movies), "movies without ratings": len(chosen)}
    return replace(_measured(lists, relevant, seed), facts=facts)


def _measured(lists: Mapping[str, Ints], relevant: Sequence[Ints], seed: int) -> ProtocolResult:
    sizes = offline_metrics.sizes(relevant)
    hit = {name: offline_metrics.hits(found, relevant) for name, found in lists.items()}
    ndcg = {name: offline_metrics.ndcg(found, sizes) for name, found in hit.items()}
    rows = {
        name: {
            "NDCG@10": float(np.mean(ndcg[name])),
            "Recall@10": float(np.mean(offline_metrics.recall(found, sizes))),
            "hit rate@10": float(np.mean(offline_metrics.hit_rate(found, sizes))),
        }
        for name, found in hit.items()
    }
    # the users differ from seed to seed, so the intervals are of each seed, and their ends are averaged
    return replace(ProtocolResult("cold", (seed,), rows, {}, ndcg).with_differences(), ndcg={})


def _lists(factors: Factors, given: Sequence[Ratings], among: Mask) -> Ints:
    ranker, lists = Ranker(factors), np.full((len(given), PLACES), PADDING, np.int32)
    for some, batch in user_batches(factors, histories_of(given)):
        rows, there = ranker.top_n(ranker.fold_in(batch, ranker.neighbour_terms(batch)), PLACES, among)
        lists[some] = np.where(there, factors.movies[rows], PADDING)
    return lists


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
