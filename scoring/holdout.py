"""Judging a generation on people it has never seen: some of their ratings given, the next ones to be foretold.

Everything goes the way a request goes, so what is judged is what is shown.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from scoring import metrics
from scoring.evaluation import LITTLE_KNOWN
from scoring.factors import Factors
from scoring.judgement import GIVEN, Judgement
from scoring.many import Rank, here, lists_of, of_each, popular_lists
from scoring.ratings import Floats, Ratings
from scoring.score import Taste, expected_rating, history
from scoring.splits import in_order

TESTED = 50  # how many of the ratings that follow the model is tested on
LENGTH = 10
MOST_JUDGED = 1000  # people: 7,000 lists are some 10 s of one core, and settle a difference in NDCG of .01


def judge(factors: Factors, ratings: Ratings, popularity: Floats, rank: Rank = here) -> Judgement:
    """Judge factors on the ratings of people who were not trained on.

    Args:
        ratings: all ratings of these people; films that the factors do not know are passed over.
        popularity: of each film of the factors [f], to compare with.
        rank: what makes the lists, if not this thread.
    """
    ordered = in_order(ratings.take(factors.rows(ratings.film)[1]))
    users = np.unique(ordered.user)
    people = of_each(ordered, users)
    columns = [_told(factors, people, n, popularity, rank) for n in GIVEN]
    measures = {name: np.stack([column[name] for column in columns], axis=1) for name in columns[0]}
    return Judgement(users=users, **measures, rated_films=int((factors.rating_count > 0).sum()))


def sample(ratings: Ratings, most: int = MOST_JUDGED) -> Ratings:
    """The ratings of at most so many of these people, the same ones whenever they are the same people."""
    users = np.unique(ratings.user)
    chosen = users[np.linspace(0, len(users) - 1, min(len(users), most)).round().astype(int)]
    return ratings.take(np.isin(ratings.user, chosen))


def _told(
    factors: Factors, people: list[Ratings], n: int, popularity: Floats, rank: Rank
) -> dict[str, npt.NDArray[Any]]:
    """The columns of a judgement for one n: what those get who have more than n ratings, told the first n."""
    able = np.flatnonzero([len(theirs) > n for theirs in people])
    given = [people[i].take(np.arange(n)) for i in able]
    tested = [people[i].take(np.arange(n, min(n + TESTED, len(people[i])))) for i in able]
    lists = lists_of(factors, given, LENGTH, rank)
    popular = popular_lists(factors.films, popularity, [part.film for part in given], LENGTH)
    relevant = [part.film[part.rating >= metrics.RELEVANT] for part in tested]
    hit, sizes = metrics.hits(lists, relevant), metrics.sizes(relevant)
    errors = [_errors(factors, told, asked) for told, asked in zip(given, tested, strict=True)]
    nobody = history(factors, factors.films[:0], factors.rating_mean[:0])
    means = expected_rating(Taste(factors, nobody), np.arange(len(factors.films))).astype(np.float64)
    impersonal = [means[factors.rows(asked.film)[0]] - asked.rating for asked in tested]
    known = np.append(factors.rating_count, LITTLE_KNOWN)[np.searchsorted(factors.films, lists)]
    found = {
        "lists": lists,
        "ndcg": metrics.ndcg(hit, sizes),
        "recall": metrics.recall(hit, sizes),
        "hit": metrics.hit_rate(hit, sizes),
        "popular": metrics.ndcg(metrics.hits(popular, relevant), sizes),
        "squares": np.array([error @ error for error in errors], np.float64),
        "impersonal": np.array([error @ error for error in impersonal], np.float64),
        "tested": np.array([len(error) for error in errors], np.float64),
        "little_known": ((known < LITTLE_KNOWN) & (lists != metrics.EMPTY)).sum(axis=1).astype(np.float64),
    }
    return {name: _spread(values, able, len(people), _WITHOUT.get(name, 0.0)) for name, values in found.items()}


_WITHOUT = {"lists": metrics.EMPTY, **dict.fromkeys(("ndcg", "recall", "hit", "popular"), np.nan)}


def _spread(values: npt.NDArray[Any], at: npt.NDArray[np.intp], size: int, otherwise: float) -> npt.NDArray[Any]:
    spread = np.full((size, *values.shape[1:]), otherwise, values.dtype)
    spread[at] = values
    return spread


def _errors(factors: Factors, told: Ratings, asked: Ratings) -> npt.NDArray[np.float64]:
    taste = Taste(factors, history(factors, told.film, told.rating))
    shown = expected_rating(taste, factors.rows(asked.film)[0]).astype(np.float64)
    return shown - asked.rating
