"""Protocols that train a model on a part of the ratings and judge it on the rest; the same for the same seed.

Everything is trained and ranked with the settings that serve, the clock in popularity included, though the people whom
`temporal`, `random`, `new_users` and `steadiness` judge are of every year; `newcomers` goes by the calendar.
"""

from dataclasses import replace

import numpy as np

from engine import Engine, Progress
from scoring import metrics
from scoring.baselines import als_predictions, bias_predictions
from scoring.evaluation import LONGEST, Result, Row, list_quality
from scoring.factors import Factors
from scoring.holdout import judge
from scoring.judgement import GIVEN, Judgement, joined
from scoring.many import counted, lists_of, of_each, popular_lists
from scoring.ratings import Floats, Ints, Ratings, concatenate
from scoring.score import Taste, expected_rating, history
from scoring.splits import at_random, folds, in_order, latest, places
from settings import ModelSettings

TEST_SHARE = 0.2
FOLDS = 6
NEWCOMERS = (0.5, 0.6, 0.7, 0.8, 0.9)  # of the people, by their first rating: where the calendar is cut
TOLD = GIVEN.index(20)  # where in a judgement those stand who told 20 ratings


def temporal(
    engine: Engine, ratings: Ratings, films: Ints, model: ModelSettings, seed: int, progress: Progress
) -> Result:
    """Train on each user's first 80 %, rank for what they rated 4 or more in their last 20 %."""
    ordered = in_order(ratings)
    test = latest(ordered, TEST_SHARE)
    train, test_ratings = ordered.take(~test), ordered.take(test)
    model = replace(model, seed=seed)
    factors = engine.train(train, films, model, progress)
    mix = replace(factors, model=replace(model, neighbour_weight=0.0))
    users, relevant = relevant_films(test_ratings)
    given = of_each(train, users)
    seen = [part.film for part in given]

    def quality(lists: Ints) -> dict[str, float]:
        return list_quality(lists, relevant, films, factors.rating_count)

    rows: dict[str, Row] = {
        "Matinee": quality(lists_of(factors, given, LONGEST, engine.lists)),
        "without neighbours": quality(lists_of(mix, given, LONGEST, engine.lists)),
        "popularity": quality(popular_lists(films, counted(train, films, 0), seen, LONGEST)),
        "popularity of ratings >= 4": quality(popular_lists(films, counted(train, films, 4), seen, LONGEST)),
    }
    facts = {"users judged": len(users), "ratings": len(ratings), "films": len(films)}
    return Result("temporal", (seed,), rows, facts)


def random(
    engine: Engine, ratings: Ratings, films: Ints, model: ModelSettings, seed: int, progress: Progress
) -> Result:
    """Train on 80 % of the ratings; the error of the shown rating on 10 %, of users and films that were trained on."""
    split = at_random(len(ratings), seed)
    train, test = in_order(ratings.take(split.train)), ratings.take(split.test)
    test = test.take(np.isin(test.user, train.user) & np.isin(test.film, train.film))
    factors = engine.train(train, films, replace(model, seed=seed), progress)
    predictions = {
        "Matinee": shown_ratings(factors, train, test),
        "three biases": bias_predictions(train, test),
        "ALS, rank 8, lambda .1": als_predictions(train, test, seed),
    }
    rows = {
        name: {"RMSE": metrics.rmse(predicted, test.rating), "MAE": metrics.mae(predicted, test.rating)}
        for name, predicted in predictions.items()
    }
    facts = {"ratings judged": len(test), "cold ratings left out": int(split.test.sum()) - len(test)}
    return Result("random", (seed,), rows, facts)


def new_users(
    engine: Engine, ratings: Ratings, films: Ints, model: ModelSettings, seed: int, progress: Progress
) -> Result:
    """Train without a sixth of the users, tell the model their first n ratings, test on the next 50; six times."""
    model = replace(model, seed=seed)
    judged = []
    for fold in folds(np.unique(ratings.user), FOLDS, seed):
        theirs = np.isin(ratings.user, fold)
        judged.append(_judged(engine, in_order(ratings.take(~theirs)), ratings.take(theirs), films, model, progress))
    return Result("new-users", (seed,), by_given(joined(judged)), {"users": len(np.unique(ratings.user))})


def newcomers(
    engine: Engine, ratings: Ratings, films: Ints, model: ModelSettings, seed: int, progress: Progress
) -> Result:
    """Train on what was known on a day, judge on the tenth of the users who came next; five times."""
    model = replace(model, seed=seed)
    users, user = np.unique(ratings.user, return_inverse=True)
    came = np.full(len(users), np.iinfo(np.int64).max)
    np.minimum.at(came, user, ratings.at)
    judged = []
    for share in NEWCOMERS:
        day, end = np.quantile(came, [share, min(1.0, share + 0.1)])
        theirs = ratings.take((came[user] >= day) & (came[user] <= end))
        known = in_order(ratings.take(ratings.at < day))
        judged.append(_judged(engine, known, theirs, films, model, progress))
    return Result("newcomers", (seed,), by_given(joined(judged)), {"users": sum(len(j.users) for j in judged)})


def steadiness(
    engine: Engine, ratings: Ratings, films: Ints, model: ModelSettings, seed: int, progress: Progress
) -> Result:
    """What is lost between retrains, and how far two of them differ that only chance sets apart.

    A sixth of the users tell 20 ratings to a model that was trained without them, and to one trained with these 20;
    both are tested on the next 50. The others get lists from two models of different seeds.
    """
    model = replace(model, seed=seed)
    theirs = np.isin(ratings.user, folds(np.unique(ratings.user), FOLDS, seed)[0])
    new, known = in_order(ratings.take(theirs)), in_order(ratings.take(~theirs))
    told = new.take(places(new)[0] < GIVEN[TOLD])
    folded_in = engine.train(known, films, model, progress)
    retrained = engine.train(in_order(concatenate(known, told)), films, model, progress)
    other = engine.train(known, films, replace(model, seed=seed + 1), progress)
    popular = counted(known, films, 0)
    measures = [judge(factors, new, popular, engine.lists).measures(TOLD) for factors in (folded_in, retrained)]
    given = of_each(known, np.unique(known.user))
    lists = [lists_of(factors, given, LONGEST // 2, engine.lists) for factors in (folded_in, other)]
    shown = ("NDCG@10", "RMSE")
    rows: dict[str, Row] = {
        "folded in": {name: measures[0][name] for name in shown},
        "retrained": {name: measures[1][name] for name in shown},
        "difference": {name: measures[0][name] - measures[1][name] for name in shown},
        "two seeds": {"overlap@10": metrics.overlap(*lists)},
    }
    return Result("steadiness", (seed,), rows, {"new users": int(measures[0]["users"]), "known users": len(given)})


def implicit(
    engine: Engine, train: Ratings, test: Ratings, model: ModelSettings, seed: int, progress: Progress
) -> Result:
    """Recall@20 and NDCG@20 on given pairs, as LightGCN's code defines them: items trained on are never listed."""
    films = np.unique(np.concatenate([train.film, test.film]))
    factors = engine.train(in_order(train), films, replace(model, seed=seed), progress)
    users, relevant = relevant_films(test)
    given = of_each(in_order(train), users)
    ours = lists_of(factors, given, LONGEST, engine.lists)
    popular = popular_lists(films, counted(train, films, 0), [part.film for part in given], LONGEST)
    rows = {
        name: {measure: quality[measure] for measure in ("Recall@20", "NDCG@20")}
        for name, lists in (("Matinee", ours), ("popularity", popular))
        for quality in (list_quality(lists, relevant, films, factors.rating_count),)
    }
    facts = {"users judged": len(users), "items": len(films), "pairs trained on": len(train), "pairs": len(test)}
    return Result("implicit", (seed,), rows, facts)


def relevant_films(test: Ratings) -> tuple[Ints, list[Ints]]:
    """The users who rated something 4 or more, and what."""
    loved = test.take(np.flatnonzero(test.rating >= metrics.RELEVANT))
    users = np.unique(loved.user)
    return users, [part.film for part in of_each(loved, users)]


def shown_ratings(factors: Factors, train: Ratings, test: Ratings) -> Floats:
    """The rating shown to each user of `test` for each film there, knowing what they rated in `train`."""
    predicted = np.zeros(len(test), np.float32)
    users, user = np.unique(test.user, return_inverse=True)
    places = np.split(np.argsort(user, kind="stable"), np.cumsum(np.bincount(user))[:-1])
    for at, given in zip(places, of_each(train, users), strict=True):
        taste = Taste(factors, history(factors, given.film, given.rating))
        predicted[at] = expected_rating(taste, factors.rows(test.film[at])[0])
    return predicted


def by_given(judgement: Judgement) -> dict[str, Row]:
    """The measures of a judgement, a row for each number of ratings given."""
    return {f"n = {n}": judgement.measures(at) for at, n in enumerate(GIVEN)}


def _judged(
    engine: Engine, train: Ratings, test: Ratings, films: Ints, model: ModelSettings, progress: Progress
) -> Judgement:
    factors = engine.train(train, films, model, progress)
    return judge(factors, test, counted(train, films, 0), engine.lists)
