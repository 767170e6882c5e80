"""Evaluation protocols that train on a part of the ratings and test on the rest; deterministic for a seed.

Training and ranking use the settings of the service. `calendar` splits all users at the same days; `temporal`, `random`
and `strong` have users of every year. Protocols for new users and movies are in `jobs/cold_start_protocols.py`.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from engine import Engine
from evaluation import offline_metrics
from evaluation.baselines import bias_predictions, ease_lists
from evaluation.offline_metrics import Values
from evaluation.protocol_result import LONGEST, ProtocolResult, Row, list_quality, mean
from evaluation.splits import HELD_OUT_SHARE, folds, history_positions, latest_mask, random_split, sort_by_user_and_time
from ranking.batch_lists import build_lists, count_ratings, popular_lists, ratings_by_user
from ranking.factors import Factors
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.ratings import Floats, Ints, Ratings, hash_to_unit_interval
from ranking.score import NEUTRAL_RATING
from settings import ModelSettings

MATINEE = "Matinee"
TEST_SHARE = 0.2
LEAST_LIKES, STRONG_PLACES = 5, 100
# quantiles, of users by first rating or of ratings, that are the days before which ratings are in the training split
CALENDAR_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)


def temporal(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Train on each user's first 80 % and test the lists on the movies rated 4 or more in their last 20 %."""
    ordered = sort_by_user_and_time(ratings)
    test = latest_mask(ordered, TEST_SHARE)
    train, test_ratings = ordered.take(~test), ordered.take(test)
    model = replace(model, seed=seed)
    factors = engine.train(train, movies, model)
    mix = replace(factors, model=replace(model, neighbour_weight=0.0))
    users, relevant = relevant_movies(test_ratings)
    given = ratings_by_user(train, users)
    lists = {
        MATINEE: build_lists(factors, given, LONGEST, engine.lists),
        "without neighbours": build_lists(mix, given, LONGEST, engine.lists),
        "EASE on ratings": ease_lists(train, given, LONGEST, NEUTRAL_RATING, 400.0),
        "popularity": popular_lists(movies, count_ratings(train, movies, 0), given, LONGEST),
        "popularity of ratings >= 4": popular_lists(movies, count_ratings(train, movies, 4), given, LONGEST),
    }
    facts = {"users judged": len(users), "ratings": len(ratings), "movies": len(movies), **cuts(train, test_ratings)}
    return replace(ranked("temporal", seed, lists, relevant, factors), facts=facts)


def cuts(train: Ratings, test: Ratings) -> dict[str, int]:
    """Return the number of users whose split falls within one second, where the order of ratings is random."""
    users, last = np.unique(train.user, return_inverse=True)
    latest = np.zeros(len(users), np.int64)
    np.maximum.at(latest, last, train.at)
    known = np.isin(test.user, users)
    user, at = np.searchsorted(users, test.user[known]), test.at[known]
    return {"cuts inside one second": len(np.unique(user[at == latest[user]]))}


def calendar(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Train on the ratings before a day and test on the movies rated 4 or more in the next period; five times."""
    results, judged = [], 0
    for share in CALENDAR_SHARES:
        day, end = np.quantile(ratings.at, [share, min(1.0, share + 0.1)])
        train = sort_by_user_and_time(ratings.take(ratings.at < day))
        factors = engine.train(train, movies, replace(model, seed=seed))
        users, relevant = relevant_movies(ratings.take((ratings.at >= day) & (ratings.at <= end)))
        given = ratings_by_user(train, users)
        lists = {
            MATINEE: build_lists(factors, given, LONGEST, engine.lists),
            "recent likes": popular_lists(movies, factors.popular, given, LONGEST),
            "popularity": popular_lists(movies, count_ratings(train, movies, 0), given, LONGEST),
        }
        results.append(ranked("calendar", seed, lists, relevant, factors))
        judged += len(users)
    ndcg = {label: np.concatenate([result.ndcg[label] for result in results]) for label in results[0].ndcg}
    rows = mean([replace(result, ndcg={}) for result in results]).rows
    return ProtocolResult("calendar", (seed,), rows, {"users judged": judged}, ndcg)


def strong(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Train without a tenth of the users, give 80 % of the likes of each, and test on the other 20 %.

    Liang et al., "Variational Autoencoders for Collaborative Filtering" (2018): only ratings of 4 and more, of users
    with at least five; Recall@20 and @50 over min(k, number of relevant movies), and NDCG@100.
    """
    train, given_ratings, tested = strong_split(ratings, seed)
    factors = engine.train(train, movies, replace(model, seed=seed))
    users, relevant = relevant_movies(tested)
    given = ratings_by_user(given_ratings, users)
    lists = {
        MATINEE: build_lists(factors, given, STRONG_PLACES, engine.lists),
        "EASE on likes": ease_lists(liked(train), [liked(part) for part in given], STRONG_PLACES, 0.0, 200.0),
        "popularity": popular_lists(movies, count_ratings(train, movies, 0), given, STRONG_PLACES),
    }
    sizes, rows = offline_metrics.sizes(relevant), dict[str, Row]()
    for name, listed in lists.items():
        if listed is not None:
            hit = offline_metrics.hits(listed, relevant)
            found = {k: float(np.mean(hit[:, :k].sum(axis=1) / np.minimum(sizes, k))) for k in (20, 50)}
            ndcg = float(np.mean(offline_metrics.ndcg(hit, sizes)))
            rows[name] = {"Recall@20": found[20], "Recall@50": found[50], "NDCG@100": ndcg}
    return ProtocolResult("strong", (seed,), rows, {"users judged": len(users), "movies": len(movies)})


def strong_split(ratings: Ratings, seed: int) -> tuple[Ratings, Ratings, Ratings]:
    """Return the training likes (nine tenths of the users), and the given and the test likes of the other users."""
    likes = ratings.take(ratings.rating >= offline_metrics.RELEVANT)
    _, user, count = np.unique(likes.user, return_inverse=True, return_counts=True)
    likes = likes.take(count[user] >= LEAST_LIKES)
    out = np.isin(likes.user, folds(np.unique(likes.user), round(1 / HELD_OUT_SHARE), seed)[0])
    train, held_out = sort_by_user_and_time(likes.take(~out)), likes.take(out)
    # at random and not by time, as in the paper
    held_out = held_out.take(np.lexsort((hash_to_unit_interval(held_out.movie), held_out.user)))
    place, count = history_positions(held_out)
    test = place >= count - np.ceil(TEST_SHARE * count)
    return train, held_out.take(~test), held_out.take(test & np.isin(held_out.movie, train.movie))


def liked(ratings: Ratings) -> Ratings:
    """Return the ratings as likes of 1."""
    return replace(ratings, rating=np.ones(len(ratings), np.float32))


def ranked(
    name: str, seed: int, lists: Mapping[str, Ints | None], relevant: list[Ints], factors: Factors
) -> ProtocolResult:
    """Return the quality of each model's lists, with NDCG@10 of each user."""
    sizes, rows, ndcg = offline_metrics.sizes(relevant), dict[str, Row](), dict[str, Values]()
    for label, found in lists.items():
        if found is not None:
            rows[label] = list_quality(found, relevant, factors.movies, factors.rating_count)
            ndcg[label] = offline_metrics.ndcg(offline_metrics.hits(found, relevant)[:, :10], sizes)
    return ProtocolResult(name, (seed,), rows, {}, ndcg)


def random(engine: Engine, ratings: Ratings, movies: Ints, model: ModelSettings, seed: int) -> ProtocolResult:
    """Train on 80 % of the ratings and measure the error on a test split of 10 %, without new users and movies."""
    trained, tested = random_split(len(ratings), seed)
    train, test = sort_by_user_and_time(ratings.take(trained)), ratings.take(tested)
    test = test.take(np.isin(test.user, train.user) & np.isin(test.movie, train.movie))
    factors = engine.train(train, movies, replace(model, seed=seed))
    predictions = {MATINEE: shown_ratings(factors, train, test), "three biases": bias_predictions(train, test)}
    rows = {
        name: {"RMSE": offline_metrics.rmse(predicted, test.rating), "MAE": offline_metrics.mae(predicted, test.rating)}
        for name, predicted in predictions.items()
    }
    facts = {"ratings judged": len(test), "cold ratings left out": int(tested.sum()) - len(test)}
    return ProtocolResult("random", (seed,), rows, facts)


def implicit(engine: Engine, train: Ratings, test: Ratings, model: ModelSettings, seed: int) -> ProtocolResult:
    """Measure Recall@20 and NDCG@20 on given pairs as LightGCN's code does: training items are never listed."""
    movies, train = np.unique(np.concatenate([train.movie, test.movie])), sort_by_user_and_time(train)
    factors = engine.train(train, movies, replace(model, seed=seed))
    users, relevant = relevant_movies(test)
    given = ratings_by_user(train, users)
    lists = {
        MATINEE: build_lists(factors, given, LONGEST, engine.lists),
        "popularity": popular_lists(movies, count_ratings(train, movies, 0), given, LONGEST),
    }
    found = ranked("implicit", seed, lists, relevant, factors).rows
    rows = {name: {measure: row[measure] for measure in ("Recall@20", "NDCG@20")} for name, row in found.items()}
    facts = {"users judged": len(users), "items": len(movies), "pairs trained on": len(train), "pairs": len(test)}
    return ProtocolResult("implicit", (seed,), rows, facts)


def relevant_movies(test: Ratings) -> tuple[Ints, list[Ints]]:
    """Return the users with ratings of 4 or more, and the movies of these ratings for each user."""
    loved = test.take(np.flatnonzero(test.rating >= offline_metrics.RELEVANT))
    users = np.unique(loved.user)
    return users, [part.movie for part in ratings_by_user(loved, users)]


def shown_ratings(factors: Factors, train: Ratings, test: Ratings) -> Floats:
    """Return the expected rating for each rating in `test`, given the users' ratings in `train`."""
    ranker, predicted = Ranker(factors), np.zeros(len(test), np.float32)
    users, user = np.unique(test.user, return_inverse=True)
    places = np.split(np.argsort(user, kind="stable"), np.cumsum(np.bincount(user))[:-1])
    for at, given in zip(places, ratings_by_user(train, users), strict=True):
        rows, _ = factors.rows(test.movie[at])
        predicted[at] = ranking_for(ranker, given.movie, given.rating, given.at).expected(rows)
    return predicted
