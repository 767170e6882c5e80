"""Rank all movies for a user: by their ratings if there are any, otherwise by popularity."""

from typing import Literal

import numpy as np

from ranking import explanations
from ranking.ranker import FoldedIn, Ranker
from ranking.rating_histories import Times
from ranking.ratings import Floats, Ints, Mask, Rows
from ranking.score import POPULARITY_FADES_AT
from ranking.top_n import top_n
from ranking.user_batch import UserBatch, batch_of_one

Strategy = Literal["popular", "blended", "personal"]
ListSource = Strategy | Literal["stored"]
"""The strategy that computed a list just now, or "stored" for a list that was computed before."""
MovieShare = tuple[int, float]
"""The row of a rated movie, and the share of its rating in the positive contributions to another movie's score."""


class PersonalRanking:
    """The ranking of a user with at least one rating (a batch of one) by a generation's factors.

    Attributes:
        seen: the rows of the rated movies; liked: the rows of the liked movies.
        strategy: the parts of the score.
    """

    def __init__(self, ranker: Ranker, batch: UserBatch) -> None:
        self._ranker, self._batch, self._terms = ranker, batch, ranker.neighbour_terms(batch)
        self._folded: FoldedIn | None = None
        self.seen: Rows = batch.rows[0]
        self.liked: Rows = self.seen[batch.rating[0] >= ranker.factors.model.like_threshold]
        # called blended while popularity has at least half of its full weight
        self.strategy: Strategy = "blended" if len(self.seen) <= POPULARITY_FADES_AT else "personal"

    def best(self, n: int, among: Mask | None = None, known_first: bool = True) -> Rows:
        """Return the rows of the n best unseen movies in `among`, best first.

        Movies with few ratings come last unless `known_first` is false.
        """
        if not known_first:
            scores = self._ranker.scores(self.folded_in())[0]
            return top_n(scores, n, self.seen, np.ones(len(scores), bool), among)
        rows, there = self._ranker.top_n(self.folded_in(), n, among)
        return rows[there]

    def scores(self, rows: Rows) -> Floats:
        """Return the scores of the movies at `rows` [r]; only their order has a meaning."""
        return self._ranker.scores(self.folded_in(), rows)[0]

    def expected(self, rows: Rows) -> Floats:
        """Return the ratings that the user would give the movies at `rows`, float32 [r] within 0.5 to 5."""
        return self._ranker.expected(self._batch, self._terms, rows[None, :])[0]

    def reasons(self, rows: Rows) -> list[list[MovieShare]]:
        """Return up to three of the user's ratings for each of these movies, the one with the largest share first."""
        found = explanations.reasons(self._ranker, self.folded_in(), rows)
        return [[(int(self.seen[at]), share) for at, share in of_one] for of_one in found]

    def folded_in(self) -> FoldedIn:
        """Return the fold-in, solved on the first call.

        Not a `functools.cached_property`: up to Python 3.11 it holds one lock for all objects of the class, so requests
        would wait for each other.
        """
        if self._folded is None:
            self._folded = self._ranker.fold_in(self._batch, self._terms)
        return self._folded


class PopularRanking:
    """The ranking by popularity, equal for all users, with the usual rating of each movie.

    It serves users without ratings and, before the first training run, all users.
    """

    strategy: Strategy = "popular"

    def __init__(self, popularity: Floats, usual_rating: Floats, preferred: Mask, seen: Rows) -> None:
        self._popularity, self._usual_rating, self._preferred = popularity, usual_rating, preferred
        self.seen, self.liked = seen, seen[:0]

    def best(self, n: int, among: Mask | None = None, known_first: bool = True) -> Rows:
        preferred = self._preferred if known_first else np.ones(len(self._preferred), bool)
        return top_n(self._popularity, n, self.seen, preferred, among)

    def scores(self, rows: Rows) -> Floats:
        return self._popularity[rows]

    def expected(self, rows: Rows) -> Floats:
        return self._usual_rating[rows]

    def reasons(self, rows: Rows) -> list[list[MovieShare]]:
        return [[] for _ in rows]


Ranking = PersonalRanking | PopularRanking


def ranking_for(ranker: Ranker, movies: Ints, rating: Floats, at: Times) -> Ranking:
    """Return the ranking of a user who rated `movies` [n] with `rating` [n] at these times, by these factors."""
    batch, f = batch_of_one(ranker.factors, movies, rating, at), ranker.factors
    if batch.n[0]:
        return PersonalRanking(ranker, batch)
    return PopularRanking(f.popular, ranker.usual_rating, f.well_known, batch.rows[0])
