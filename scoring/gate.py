"""May a freshly trained generation take over from the one that serves?"""

from dataclasses import dataclass

import numpy as np

from scoring import bootstrap
from scoring.judgement import Judgement, pooled

FEWEST_JUDGED = 20  # people below whom a bootstrap says nothing
COVERAGE_LEFT = 0.5  # of the live lists' coverage; two trainings with other seeds differ by some 3 %
FILMS_LEFT = 0.98  # of the live generation's rated films; people withdraw ratings, but seldom of a film's last
SAME_LISTS = 0.75  # least overlap of two trainings that differ in their seeds alone: measured .86
OVERLAP_LEFT = 0.2  # least overlap with lists that were learnt from wholly other ratings
TOLERATED_NDCG, TOLERATED_RMSE = 0.005, 0.01  # worse by less than this is no reason to keep an old model


@dataclass(frozen=True)
class Verdict:
    """Whether a generation may serve, and why or why not, in one sentence for whoever runs the service."""

    accepted: bool
    reason: str


@dataclass(frozen=True)
class Change:
    """How a candidate's lists differ from the live ones.

    Attributes:
        overlap: the mean share of a live top 10 that is in the candidate's for the same user.
        new_ratings: the share of the candidate's ratings that the live generation had not seen, 0 to 1.
    """

    overlap: float
    new_ratings: float

    @property
    def floor(self) -> float:
        """The least overlap that chance and the new ratings explain."""
        return OVERLAP_LEFT + (SAME_LISTS - OVERLAP_LEFT) * (1 - min(1.0, self.new_ratings)) ** 4


def verdict(candidate: Judgement, live: Judgement | None = None, change: Change | None = None) -> Verdict:
    """Judge a candidate against the generation that serves, or against popularity where none does.

    Args:
        candidate, live: judged on the same people with the same code.
        change: of the lists of everybody; None where there are no live lists to compare.
    """
    if live is None:
        return _first(candidate)
    worse = _lost_films(candidate, live) or _changed(change) or _worse(candidate, live) or _collapsed(candidate, live)
    if worse:
        return Verdict(False, f"{worse}; the live generation goes on serving")
    if len(candidate.users) < FEWEST_JUDGED:
        return Verdict(
            True, f"{_unjudged(candidate)}, so only films and lists were compared with the live generation's"
        )
    gain = bootstrap.paired_difference(pooled(candidate.ndcg), pooled(live.ndcg))
    return Verdict(
        True, f"not worse than the live generation: NDCG@10 {_signed(gain)} on {len(candidate.users)} people"
    )


def _first(candidate: Judgement) -> Verdict:
    if len(candidate.users) < FEWEST_JUDGED:
        return Verdict(True, f"the first generation; {_unjudged(candidate)}, so it was not compared with popularity")
    gain = bootstrap.paired_difference(pooled(candidate.ndcg), pooled(candidate.popular))
    compared = f"NDCG@10 {_signed(gain)} against popularity {_on(candidate)}"
    if not gain.value > 0:
        return Verdict(False, f"not better than popularity: {compared}; popularity goes on serving")
    return Verdict(True, f"the first generation: {compared}")


def _lost_films(candidate: Judgement, live: Judgement) -> str:
    if candidate.rated_films >= FILMS_LEFT * live.rated_films:
        return ""
    return f"it knows {candidate.rated_films:,} rated films and the live generation {live.rated_films:,}"


def _changed(change: Change | None) -> str:
    if change is None or np.isnan(change.overlap) or change.overlap >= change.floor:
        return ""
    return (
        f"its lists share {change.overlap:.0%} with the live ones, less than the {change.floor:.0%} that chance and "
        f"{change.new_ratings:.1%} of new ratings explain"
    )


def _worse(candidate: Judgement, live: Judgement) -> str:
    if len(candidate.users) < FEWEST_JUDGED:
        return ""
    gain = bootstrap.paired_difference(pooled(candidate.ndcg), pooled(live.ndcg))
    if gain.high < 0 and gain.value < -TOLERATED_NDCG:
        return f"its lists are worse than the live generation's: NDCG@10 {_signed(gain)}"
    tested = candidate.tested.sum(axis=1)
    error = bootstrap.paired_rmse_difference(candidate.squares.sum(axis=1), live.squares.sum(axis=1), tested)
    if error.low > 0 and error.value > TOLERATED_RMSE:
        return f"the ratings it shows are further off than the live generation's: RMSE {_signed(error)}"
    return ""


def _collapsed(candidate: Judgement, live: Judgement) -> str:
    if len(candidate.users) < FEWEST_JUDGED or candidate.coverage >= COVERAGE_LEFT * live.coverage:
        return ""
    return f"its lists cover {candidate.coverage:.1%} of the rated films and the live generation's {live.coverage:.1%}"


def _unjudged(candidate: Judgement) -> str:
    people = "nobody was" if len(candidate.users) == 0 else f"only {len(candidate.users)} people were"
    return f"{people} held out"


def _on(candidate: Judgement) -> str:
    return f"on {len(candidate.users)} people"


def _signed(estimate: bootstrap.Estimate) -> str:
    return f"{estimate.value:+.4f} ({estimate.low:+.4f} to {estimate.high:+.4f})"
