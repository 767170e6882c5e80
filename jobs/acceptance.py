"""Whether a trained generation may serve: evaluated on held-out users, beside the live generation."""

from typing import Any

import numpy as np

from catalogue.movie_table import MovieTable
from evaluation import offline_metrics
from evaluation.diversity_curve import diversity_curve
from evaluation.gate import ListChange, Verdict, verdict
from evaluation.held_out import EVALUATED_LIST_LENGTH, evaluate_held_out, sample_users
from ranking.batch_lists import build_lists, rank_locally, ratings_by_user
from ranking.factors import Factors, FactorsError
from ranking.ratings import Ratings

COMPARED_USERS = 200  # trained users whose lists are compared with the live ones


def judge_candidate(
    candidate: Factors, live: Factors | None, train_ratings: Ratings, held_out: Ratings, movies: MovieTable
) -> tuple[Verdict, dict[str, Any]]:
    """Return the verdict on a candidate, and its basis as JSON.

    Args:
        train_ratings: what it was trained on; the lists of these users must not change beyond reason.
        held_out: ratings of users it was not trained on, on the same clock.
        movies: the catalogue, for their genres.
    """
    try:
        candidate.check()
    except FactorsError as error:
        return Verdict(False, f"{error}; what served before goes on serving"), {}
    users = sample_users(held_out)
    found = evaluate_held_out(candidate, train_ratings, users)
    curve = diversity_curve(candidate, train_ratings, users, movies.genre_shares_of(candidate.movies))
    summary = {"candidate": found.summary(), "diversity": curve}
    if live is None:
        return verdict(found), summary
    before = evaluate_held_out(live, train_ratings, users)
    summary["live"] = before.summary()
    return verdict(found, before, list_change(candidate, live, train_ratings)), summary


def list_change(candidate: Factors, live: Factors, train_ratings: Ratings) -> ListChange | None:
    """Return how much the lists of trained users changed; None if other settings are meant to change them."""
    if candidate.model != live.model:
        return None
    some = sample_users(train_ratings, COMPARED_USERS)
    given = ratings_by_user(some, np.unique(some.user))
    overlap = offline_metrics.overlap(
        *(build_lists(factors, given, EVALUATED_LIST_LENGTH, rank_locally) for factors in (live, candidate))
    )
    return ListChange(overlap, changed_share(candidate, live))


def changed_share(candidate: Factors, live: Factors) -> float:
    """Return the share of the candidate's ratings, 0 to 1, by which its counts of ratings differ from the live ones.

    Movie by movie, so that as many new ratings as withdrawn ones are not taken for none.
    """
    movies = np.union1d(candidate.movies, live.movies)
    count = np.zeros((2, len(movies)), np.int64)
    for row, factors in zip(count, (candidate, live), strict=True):
        row[np.searchsorted(movies, factors.movies)] = factors.rating_count
    return min(1.0, float(np.abs(count[0] - count[1]).sum()) / max(int(count[0].sum()), 1))
