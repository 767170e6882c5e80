"""How all films rank for one person: by their taste once there is something to tell it from, until then by fame."""

from typing import Literal, Protocol

import numpy as np

from scoring import because
from scoring.factors import Factors
from scoring.film_table import FilmTable, Mask, Rows
from scoring.ratings import Floats, Ints
from scoring.score import POPULARITY_FADES_AT, Taste, expected_rating, history
from scoring.top_n import top_n

Strategy = Literal["popular", "blended", "personal"]
Made = Strategy | Literal["stored"]
"""How a list came to be: by a strategy just now, or before, by one that is not told."""
Reason = tuple[int, float]
"""The row of a film that the person rated, and the share of that rating in what speaks for another film."""


class Ranking(Protocol):
    """A score of every film for one person, and what can be said of each.

    Attributes:
        score: float32 [f]; only the order means anything.
        preferred: which films come before all others, bool [f].
        seen: the rows of the films that they have rated.
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
        """The rating they may be expected to give the films at `rows`, float32 [r] within 0.5 to 5."""

    def reasons(self, rows: Rows) -> list[list[Reason]]:
        """Up to three of their ratings for each of these films, those that speak most for it first."""


class Personal:
    """The ranking of someone who rated `films` [s] with `rating` [s], by a generation's factors."""

    def __init__(self, factors: Factors, films: Ints, rating: Floats) -> None:
        self.taste = Taste(factors, history(factors, films, rating))
        self.preferred, self.seen = factors.well_known, self.taste.history.rows

    @property
    def score(self) -> Floats:
        return self.taste.score

    @property
    def strategy(self) -> Strategy:
        """Popular where no rating can be used, blended while popularity has half of its full weight or more."""
        n = len(self.taste.history)
        if n == 0:
            return "popular"
        return "blended" if n <= POPULARITY_FADES_AT else "personal"

    def expected(self, rows: Rows) -> Floats:
        return expected_rating(self.taste, rows)

    def reasons(self, rows: Rows) -> list[list[Reason]]:
        found = because.reasons(self.taste, rows)
        return [[(int(self.seen[at]), share) for at, share in of_one] for of_one in found]


class Popular:
    """The ranking of someone who rated `films`, before the first training: the most liked films first."""

    strategy: Strategy = "popular"

    def __init__(self, table: FilmTable, films: Ints) -> None:
        self._table = table
        self.score = table.like_count.astype(np.float32)
        self.preferred = np.ones(len(table), bool)
        self.seen, _ = table.rows(films)

    def expected(self, rows: Rows) -> Floats:
        return self._table.expected_rating[rows]

    def reasons(self, rows: Rows) -> list[list[Reason]]:
        return [[] for _ in rows]


def best(ranking: Ranking, n: int, among: Mask | None = None) -> Rows:
    """The rows of the n films to recommend, best first: none that they have rated, and none that is not `among`."""
    return top_n(ranking.score, n, ranking.seen, ranking.preferred, among)
