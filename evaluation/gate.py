"""Decide whether a newly trained generation may replace the live one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation import bootstrap, offline_metrics
from evaluation.diversity_curve import diversity_curve
from evaluation.held_out import EVALUATED_LIST_LENGTH, EvaluationSetting, evaluate_held_out, sample_users
from evaluation.held_out_result import HeldOutResult, mean_per_user
from ranking.batch_lists import build_lists, rank_locally, ratings_by_user
from ranking.factors import Factors, FactorsError
from ranking.ratings import Floats, Ints, Ratings

COMPARED_USERS = 200  # training users whose lists are compared with the live ones
MIN_HELD_OUT_USERS = 20  # with fewer, a bootstrap interval means nothing
MIN_COVERAGE_RATIO = 0.5  # of the live coverage; two training runs with different seeds differ by 3 % or so
MIN_RATED_MOVIES_RATIO = 0.98  # of the live generation's; users rarely delete a movie's last rating
SEED_ONLY_OVERLAP = 0.75  # least overlap of two training runs that differ only in their seeds; .86 was measured
MIN_OVERLAP = 0.2  # least overlap if all ratings are new
MEASURE = "mean NDCG@10 over all history lengths"  # to tell it from the metrics given 10 ratings only
TOLERATED_NDCG, TOLERATED_RMSE = 0.005, 0.01  # a smaller loss does not reject a candidate


@dataclass(frozen=True)
class Verdict:
    """The decision whether a generation may serve, and the reason in one sentence for the operator."""

    accepted: bool
    reason: str


@dataclass(frozen=True)
class ListChange:
    """The difference between a candidate's lists and the live ones.

    Attributes:
        overlap: the mean share of a user's live top 10 that is also in the candidate's top 10.
        new_ratings: the share of the candidate's training ratings that the live generation lacked, 0 to 1.
    """

    overlap: float
    new_ratings: float

    @property
    def min_overlap(self) -> float:
        """Return the least overlap that random seeds and new ratings can explain."""
        return MIN_OVERLAP + (SEED_ONLY_OVERLAP - MIN_OVERLAP) * (1 - min(1.0, self.new_ratings)) ** 4


def judge_candidate(
    candidate: Factors,
    live: Factors | None,
    train_ratings: Ratings,
    held_out: Ratings,
    genre_shares: Callable[[Ints], Floats],
) -> tuple[Verdict, dict[str, Any]]:
    """Return the verdict on a candidate, and the measurements behind it as JSON.

    Args:
        train_ratings: the candidate's training ratings; the lists of these users must not change too much.
        held_out: the ratings of the held-out users, with times shifted like those of `train_ratings`.
        genre_shares: takes movie ids and returns the share of each genre in each movie [f, G].
    """
    try:
        candidate.check()
    except FactorsError as error:
        return Verdict(False, f"{error}; the previous generation keeps serving"), {}
    users = sample_users(held_out)
    setting = EvaluationSetting(candidate, train_ratings)
    result = evaluate_held_out(setting, users)
    curve = diversity_curve(setting, users, genre_shares(candidate.movies))
    summary = {"candidate": result.summary(), "diversity": curve}
    if live is None:
        return verdict(result), summary
    before = evaluate_held_out(EvaluationSetting(live, train_ratings), users)
    summary["live"] = before.summary()
    return verdict(result, before, list_change(candidate, live, train_ratings)), summary


def list_change(candidate: Factors, live: Factors, train_ratings: Ratings) -> ListChange | None:
    """Return how the lists of training users changed; None if the settings differ, which changes lists on purpose."""
    if candidate.model != live.model:
        return None
    sampled = sample_users(train_ratings, COMPARED_USERS)
    given = ratings_by_user(sampled, np.unique(sampled.user))
    overlap = offline_metrics.overlap(
        *(build_lists(factors, given, EVALUATED_LIST_LENGTH, rank_locally) for factors in (live, candidate))
    )
    return ListChange(overlap, changed_share(candidate, live))


def changed_share(candidate: Factors, live: Factors) -> float:
    """Return the sum over movies of the change of the number of ratings, as a share of the candidate's ratings, 0 to 1.

    Counting for each movie keeps new ratings and deleted ones from cancelling out.
    """
    movies = np.union1d(candidate.movies, live.movies)
    count = np.zeros((2, len(movies)), np.int64)
    for row, factors in zip(count, (candidate, live), strict=True):
        row[np.searchsorted(movies, factors.movies)] = factors.rating_count
    return min(1.0, float(np.abs(count[0] - count[1]).sum()) / max(int(count[0].sum()), 1))


def verdict(candidate: HeldOutResult, live: HeldOutResult | None = None, change: ListChange | None = None) -> Verdict:
    """Return the verdict on a candidate against the live generation, or against popularity if there is none.

    Args:
        candidate, live: results on the same held-out users.
        change: of the lists of training users; None if there are no comparable live lists.
    """
    if live is None:
        return _first_verdict(candidate)
    objection = next(_objections(candidate, live, change), None)
    if objection:
        return Verdict(False, f"{objection}; the live generation keeps serving")
    if len(candidate.users) < MIN_HELD_OUT_USERS:
        compared = "so only movies and lists were compared with the live generation's"
        return Verdict(True, f"{_too_few_held_out(candidate)}, {compared}")
    gain = bootstrap.paired_difference(mean_per_user(candidate.ndcg), mean_per_user(live.ndcg))
    return Verdict(True, f"not worse than the live generation: {MEASURE} {_signed(gain)} {_on(candidate)}")


def _first_verdict(candidate: HeldOutResult) -> Verdict:
    if len(candidate.users) < MIN_HELD_OUT_USERS:
        few = _too_few_held_out(candidate)
        return Verdict(True, f"the first generation; {few}, so it was not compared with popularity")
    gain = bootstrap.paired_difference(mean_per_user(candidate.ndcg), mean_per_user(candidate.popular))
    compared = f"{MEASURE} {_signed(gain)} against popularity {_on(candidate)}"
    if not gain.value > 0:
        return Verdict(False, f"not better than popularity: {compared}; popularity keeps serving")
    return Verdict(True, f"the first generation: {compared}")


def _objections(candidate: HeldOutResult, live: HeldOutResult, change: ListChange | None) -> Iterator[str]:
    """Yield the reasons against replacing the live generation by a candidate."""
    if candidate.rated_movies < MIN_RATED_MOVIES_RATIO * live.rated_movies:
        yield f"it knows {candidate.rated_movies:,} rated movies and the live generation {live.rated_movies:,}"
    if change is not None and change.overlap < change.min_overlap:
        explained = f"the {change.min_overlap:.0%} that seeds and {change.new_ratings:.1%} of new ratings explain"
        yield f"its lists share {change.overlap:.0%} with the live ones, less than {explained}"
    if len(candidate.users) < MIN_HELD_OUT_USERS:
        return
    gain = bootstrap.paired_difference(mean_per_user(candidate.ndcg), mean_per_user(live.ndcg))
    if gain.high < 0 and gain.value < -TOLERATED_NDCG:
        yield f"its lists are worse than the live generation's: {MEASURE} {_signed(gain)}"
    ours, theirs = candidate.squared_errors.sum(axis=1), live.squared_errors.sum(axis=1)
    error = bootstrap.paired_rmse_difference(ours, theirs, candidate.tested.sum(axis=1))
    if error.low > 0 and error.value > TOLERATED_RMSE:
        yield f"the ratings it shows are further off than the live generation's: RMSE {_signed(error)}"
    if candidate.coverage < MIN_COVERAGE_RATIO * live.coverage:
        covered = f"the live generation's {live.coverage:.1%}"
        yield f"its lists cover {candidate.coverage:.1%} of the rated movies and {covered}"


def _too_few_held_out(candidate: HeldOutResult) -> str:
    return f"only {n} users were held out" if (n := len(candidate.users)) else "no users were held out"


def _on(candidate: HeldOutResult) -> str:
    return f"on {len(candidate.users)} held-out users"


def _signed(estimate: bootstrap.IntervalEstimate) -> str:
    return f"{estimate.value:+.4f} ({estimate.low:+.4f} to {estimate.high:+.4f})"
