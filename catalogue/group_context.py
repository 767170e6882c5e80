"""Compute the list of a group of users and guests, with each member's expected ratings."""

from dataclasses import dataclass, replace
from typing import Any

from catalogue.live_generation import LiveGeneration
from catalogue.movie import Filters
from catalogue.movie_table import MovieTable
from catalogue.recommendations import Reason
from ranking.groups import GroupRanking, Rule
from ranking.ratings import Rows


@dataclass(frozen=True)
class GroupContext:
    """A group of users and guests with their present ratings.

    Attributes:
        live: the generation that computes the list; None before the first.
        movies: the movies of the ranking, in the same rows.
        ratings_seen: the number of ratings of each member.
        marked: the movies that any member has marked as seen or hidden.
    """

    live: LiveGeneration | None
    movies: MovieTable
    ranking: GroupRanking
    ratings_seen: list[int]
    marked: tuple[int, ...] = ()

    def places(
        self, rule: Rule, limit: int, filters: Filters, reasons: bool = True, known_first: bool = True
    ) -> list[dict[str, Any]]:
        """Return the group's list: movie, rank from 1, mean score, mean expected rating, and an entry for each member.

        The entry has the member's expected rating, and the member's rating that raises the score the most; without
        `reasons` it shows no ratings. Movies with few ratings come last unless `known_first` is false. Raises
        `UnknownGenreError`.
        """
        filters = replace(filters, exclude=(*filters.exclude, *self.marked))
        rows = self.ranking.best(limit, rule, self.movies.matching(filters), known_first)
        expected, scores = self.ranking.expected(rows), self.ranking.scores(rows)
        because = [self._because(member, rows) if reasons else [None] * len(rows) for member in range(len(expected))]
        return [
            {
                "rank": at + 1,
                "movie": self.movies.movie(row),
                "score": float(scores[at]),
                "expected_rating": float(expected[:, at].mean()),
                "members": [
                    {"expected_rating": float(rating), "because": reason[at]}
                    for rating, reason in zip(expected[:, at], because, strict=True)
                ],
            }
            for at, row in enumerate(rows)
        ]

    def _because(self, member: int, rows: Rows) -> list[Reason | None]:
        shares = self.ranking.reasons(member, rows)
        return [None if reason is None else Reason.of(self.movies, *reason) for reason in shares]
