"""How all movies rank for one person: by their taste once there is something to tell it from, until then by fame."""

from typing import Literal, Protocol

import numpy as np

from ranking import explanations
from ranking.factors import Factors
from ranking.ratings import Floats, Ints, Mask, Rows
from ranking.score import POPULARITY_FADES_AT, UserModel, expected_rating, index_history
from ranking.top_n import top_n

Strategy = Literal["popular", "blended", "personal"]
ListSource = Strategy | Literal["stored"]
"""How a list came to be: by a strategy just now, or before, by one that is not told."""
MovieShare = tuple[int, float]
"""The row of a movie that the person rated, and the share of that rating in what speaks for another movie."""


class Ranking(Protocol):
    """A score of every movie for one person, and what can be said of each.

    Attributes:
        score: float32 [f]; only the order means anything.
        preferred: which movies come before all others, bool [f].
        seen: the rows of the movies that they have rated.
        strategy: what the score is made of.
    """

    @property
    def score(self) -> Floats: ...
    @property
    def preferred(self) -> Mask: ...
    @property
    def seen(self) -> Rows: ...
    @property
    def strategy(self) -> Strategy: ...

    def expected(self, rows: Rows) -> Floats:
        """The rating they may be expected to give the movies at `rows`, float32 [r] within 0.5 to 5."""

    def reasons(self, rows: Rows) -> list[list[MovieShare]]:
        """Up to three of their ratings for each of these movies, those that speak most for it first."""


class PersonalRanking:
    """The ranking of someone who rated `movies` [s] with `rating` [s], by a generation's factors."""

    def __init__(self, factors: Factors, movies: Ints, rating: Floats) -> None:
        self.user_model = UserModel(factors, index_history(factors, movies, rating))
        self.preferred, self.seen = factors.well_known, self.user_model.history.rows

    @property
    def score(self) -> Floats:
        return self.user_model.score

    @property
    def strategy(self) -> Strategy:
        """Popular where no rating can be used, blended while popularity has half of its full weight or more."""
        n = len(self.user_model.history)
        if n == 0:
            return "popular"
        return "blended" if n <= POPULARITY_FADES_AT else "personal"

    def expected(self, rows: Rows) -> Floats:
        return expected_rating(self.user_model, rows)

    def reasons(self, rows: Rows) -> list[list[MovieShare]]:
        found = explanations.reasons(self.user_model, rows)
        return [[(int(self.seen[at]), share) for at, share in of_one] for of_one in found]


class PopularRanking:
    """The ranking before the first training, for a user who rated the movies at `seen`: the most liked movies first."""

    strategy: Strategy = "popular"

    def __init__(self, like_count: Ints, expected_rating: Floats, seen: Rows) -> None:
        self._expected_rating = expected_rating
        self.score = like_count.astype(np.float32)
        self.preferred = np.ones(len(like_count), bool)
        self.seen = seen

    def expected(self, rows: Rows) -> Floats:
        expected: Floats = self._expected_rating[rows]
        return expected

    def reasons(self, rows: Rows) -> list[list[MovieShare]]:
        return [[] for _ in rows]


def best(ranking: Ranking, n: int, among: Mask | None = None) -> Rows:
    """The rows of the n movies to recommend, best first: none that they have rated, and none that is not `among`."""
    return top_n(ranking.score, n, ranking.seen, ranking.preferred, among)
