"""Evaluation protocols for users and movies that are new to the model; deterministic for a seed.

Popularity for each held-out user is computed at the user's own time: see `evaluation.held_out`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from catalogue.movie import split_genres
from engine import Engine
from evaluation import offline_metrics
from evaluation.held_out import EvaluationSetting, evaluate_held_out
from evaluation.held_out_result import GIVEN_N, HeldOutResult, merge_results
from evaluation.protocol_result import LONGEST, ProtocolResult, Row
from evaluation.splits import folds, history_positions, sort_by_user_and_time
from jobs.protocols import CALENDAR_SHARES, MATINEE, ranked, relevant_movies
from movielens.reader import MovieLensMovie, content_of
from ranking.batch_lists import build_lists, count_ratings, rank_locally, ratings_by_user
from ranking.content import with_content
from ranking.ratings import Floats, Ints, Mask, Ratings, concatenate
from ranking.top_n import top_n
from settings import ModelSettings

FOLDS = 6
COLD_SHARE, PLACES = 0.1, 10
SHOWN = ("NDCG@10", "Recall@10", "hit rate@10")
GIVEN_20 = GIVEN_N.index(20)  # the column for 20 given ratings


def new_users(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Evaluate users in six folds: train on the other folds, give a user's first n ratings, test on the next 50."""
    model = replace(model, seed=seed)
    judged = []
    for fold in folds(np.unique(ratings.user), FOLDS, seed):
        in_fold = np.isin(ratings.user, fold)
        train = sort_by_user_and_time(ratings.take(~in_fold))
        judged.append(_judged(engine, train, ratings.take(in_fold), movies, model))
    facts = {"users": len(np.unique(ratings.user))}
    return ProtocolResult("new-users", (seed,), by_given(merge_results(judged)), facts)


def newcomers(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Train on the ratings before a day and test on the next tenth of the users by first rating; five times."""
    model = replace(model, seed=seed)
    users, user = np.unique(ratings.user, return_inverse=True)
    first_rating = np.full(len(users), np.iinfo(np.int64).max)
    np.minimum.at(first_rating, user, ratings.at)
    judged = []
    for share in CALENDAR_SHARES:
        day, end = np.quantile(first_rating, [share, min(1.0, share + 0.1)])
        test = ratings.take((first_rating[user] >= day) & (first_rating[user] <= end))
        train = sort_by_user_and_time(ratings.take(ratings.at < day))
        judged.append(_judged(engine, train, test, movies, model))
    facts = {"users": sum(len(j.users) for j in judged)}
    return ProtocolResult("newcomers", (seed,), by_given(merge_results(judged)), facts)


def steadiness(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Compare fold-in with a full training run, and the lists of models with two seeds.

    A sixth of the users give 20 ratings to a model that was trained without them and to one that was trained with
    these 20; both are tested on the next 50. The other users get lists from two models with different seeds.
    """
    model = replace(model, seed=seed)
    in_fold = np.isin(ratings.user, folds(np.unique(ratings.user), FOLDS, seed)[0])
    new, known = sort_by_user_and_time(ratings.take(in_fold)), sort_by_user_and_time(ratings.take(~in_fold))
    given_20 = new.take(history_positions(new)[0] < GIVEN_N[GIVEN_20])
    folded_in = engine.train(known, movies, model)
    retrained = engine.train(sort_by_user_and_time(concatenate(known, given_20)), movies, model)
    other = engine.train(known, movies, replace(model, seed=seed + 1))
    measures = [
        evaluate_held_out(EvaluationSetting(factors, known), new).measures(GIVEN_20)
        for factors in (folded_in, retrained)
    ]
    given = ratings_by_user(known, np.unique(known.user))
    lists = [build_lists(factors, given, LONGEST // 2, engine.lists) for factors in (folded_in, other)]
    shown = ("NDCG@10", "RMSE")
    rows: dict[str, Row] = {
        "folded in": {name: measures[0][name] for name in shown},
        "retrained": {name: measures[1][name] for name in shown},
        "difference": {name: measures[0][name] - measures[1][name] for name in shown},
        "two seeds": {"overlap@10": offline_metrics.overlap(*lists)},
    }
    facts = {"new users": int(measures[0]["users"]), "known users": len(given)}
    return ProtocolResult("steadiness", (seed,), rows, facts)


def by_given(judgement: HeldOutResult) -> dict[str, Row]:
    """Return the measures on held-out users, with a row for each number of given ratings."""
    return {f"n = {n}": judgement.measures(at) for at, n in enumerate(GIVEN_N)}


def _judged(engine: Engine, train: Ratings, test: Ratings, movies: Ints, model: ModelSettings) -> HeldOutResult:
    factors = engine.train(train, movies, model)
    return evaluate_held_out(EvaluationSetting(factors, train), test)


def cold(
    engine: Engine, ratings: Ratings, catalogue: Sequence[MovieLensMovie], model: ModelSettings, seed: int
) -> ProtocolResult:
    """Train without the ratings of a tenth of the movies, and test the ranking of these on the ratings of 4 or more.

    The baselines rank by the mean number of likes of a movie's genres, and by the genres of the user's likes.
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
    # each seed has other users, so each seed has its own intervals, and their bounds are averaged
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
