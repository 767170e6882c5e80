"""Rank movies for a group of users: movies that no member has rated, by the scores of all members.

Shapes: b members, f movies.
"""

from typing import Literal

import numpy as np

from ranking import explanations
from ranking.fold_in import Doubles
from ranking.ranker import Ranker
from ranking.rankings import MovieShare, PopularRanking
from ranking.rating_histories import Histories
from ranking.ratings import Floats, Mask, Rows
from ranking.top_n import top_n
from ranking.user_batch import batch_of

Rule = Literal["average", "fair"]
LEAST_UTILITY = 1e-3  # utility of a movie at or below a member's mean; positive, so that its logarithm exists


class PopularGroupRanking:
    """The ranking by popularity, for a group without ratings that a generation can use."""

    def __init__(self, popular: PopularRanking, members: int) -> None:
        self._popular, self._members = popular, members

    def best(self, n: int, rule: Rule, among: Mask, known_first: bool = True) -> Rows:
        return self._popular.best(n, among, known_first)

    def scores(self, rows: Rows) -> Floats:
        return self._popular.scores(rows)

    def expected(self, rows: Rows) -> Floats:
        return np.tile(self._popular.expected(rows), (self._members, 1))

    def reasons(self, member: int, rows: Rows) -> list[MovieShare | None]:
        return [None] * len(rows)


class FoldedInGroupRanking:
    """The ranking by a generation's factors; the scores of members without ratings are popularity.

    Attributes:
        seen: the rows of the movies that any member has rated.
        z: each member's scores with mean 0 and deviation 1 over the movies that no member has rated, [b, f].
    """

    def __init__(self, ranker: Ranker, histories: Histories) -> None:
        self._ranker, self._batch = ranker, batch_of(ranker.factors, histories)
        self._terms = ranker.neighbour_terms(self._batch)
        self._folded = ranker.fold_in(self._batch, self._terms)
        self.seen: Rows = np.unique(self._batch.rows[self._batch.mask])
        scores = ranker.scores(self._folded)
        scores[self._batch.n == 0] = ranker.factors.popular
        unseen = np.ones(len(ranker.factors.movies), bool)
        unseen[self.seen] = False
        self.z = standardized(scores, unseen)

    def best(self, n: int, rule: Rule, among: Mask, known_first: bool = True) -> Rows:
        """Return the rows of the n best movies in `among` for the group.

        Movies with few ratings come last unless `known_first` is false.
        """
        preferred = self._ranker.factors.well_known if known_first else among
        if rule == "average":
            return top_n(self.z.mean(axis=0), n, self.seen, preferred, among)
        return fair_list(self.z, n, self.seen, preferred, among)

    def scores(self, rows: Rows) -> Floats:
        """Return the mean scores of the movies at `rows` [r]."""
        return np.asarray(self.z[:, rows].mean(axis=0), np.float32)

    def expected(self, rows: Rows) -> Floats:
        """Return the ratings that the members would give the movies at `rows` [r], [b, r]."""
        return self._ranker.expected(self._batch, self._terms, np.tile(rows, (len(self._batch), 1)))

    def reasons(self, member: int, rows: Rows) -> list[MovieShare | None]:
        """Return, for each movie at `rows` [r], the member's rated movie that raises its score the most."""
        if not self._batch.n[member]:
            return [None] * len(rows)
        folded = self._folded.user(member)
        found = explanations.reasons(self._ranker, folded, rows)
        return [(int(folded.batch.rows[0, shares[0][0]]), shares[0][1]) if shares else None for shares in found]


GroupRanking = FoldedInGroupRanking | PopularGroupRanking


def group_ranking(ranker: Ranker, histories: Histories) -> GroupRanking:
    """Return the ranking of a group with these histories by a generation's factors."""
    if ranker.factors.rows(histories.movies)[1].any():
        return FoldedInGroupRanking(ranker, histories)
    f, nothing = ranker.factors, np.empty(0, np.intp)
    popular = PopularRanking(f.popular, ranker.usual_rating, f.well_known, nothing)
    return PopularGroupRanking(popular, len(histories))


def standardized(scores: Floats, over: Mask) -> Doubles:
    """Return scores [b, f] standardized over the movies in `over` [f]; 0 if all scores are equal."""
    some = scores[:, over].astype(np.float64)
    if not some.shape[1]:
        return np.zeros(scores.shape)
    deviation = some.std(axis=1, keepdims=True)
    return (scores - some.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, np.inf)


def fair_list(z: Doubles, n: int, seen: Rows, preferred: Mask, among: Mask) -> Rows:
    """Return n movies, each of which maximizes the sum over members of log(utility so far).

    A movie's utility is the member's z-score, or nearly 0 below the mean. The logarithm gives more weight to members
    with little utility so far, so the list serves all members in turn. Movies that are not `preferred` come last.
    """
    allowed = among.copy()
    allowed[seen] = False
    so_far, listed = np.zeros((len(z), 1)), np.empty(0, np.intp)
    for rows in (np.flatnonzero(allowed & preferred), np.flatnonzero(allowed & ~preferred)):
        utility, taken = np.maximum(z[:, rows], LEAST_UTILITY), np.zeros(len(rows), bool)
        for _ in range(min(n - len(listed), len(rows))):
            # argmax sum_u log(so far_u + utility_u)
            gain = np.log(so_far + utility).sum(axis=0)
            gain[taken] = -np.inf
            best = np.argmax(gain)
            listed, taken[best] = np.append(listed, rows[best]), True
            so_far += utility[:, [best]]
    return listed
