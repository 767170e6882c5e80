"""A group of users and guests: what they could watch together, and what each would think of it."""

from dataclasses import dataclass, replace

from catalogue.live_generation import LiveGeneration
from catalogue.movie import Filters
from catalogue.movie_table import MovieTable
from catalogue.recommendations import LIST_LENGTH, NO_FILTERS, Reason, RecommendedMovie
from ranking.groups import GroupRanking, Rule


@dataclass(frozen=True)
class GroupRequest:
    """The list that a group asks for; without `reasons` no member learns of another's ratings.

    Movies with few ratings come last unless there is no `floor`.
    """

    rule: Rule = "average"
    limit: int = LIST_LENGTH
    filters: Filters = NO_FILTERS
    reasons: bool = True
    floor: bool = True


@dataclass(frozen=True)
class MemberOpinion:
    """What a member is expected to think of a movie, and the rating of theirs that speaks for it most."""

    expected_rating: float
    because: Reason | None


@dataclass(frozen=True)
class GroupRecommendation(RecommendedMovie):
    """A place of a group's list, from 1 on; `expected_rating` is the mean of the members'."""

    rank: int
    score: float
    members: list[MemberOpinion]


@dataclass(frozen=True)
class GroupContext:
    """Several users with their ratings as they are now.

    Attributes:
        live: the generation that everything is made with, None before the first.
        movies: those that may be listed, row for row those of the ranking.
        ratings_seen: how many ratings each member's history has.
        marked: the movies that a member has marked as seen or hidden.
    """

    live: LiveGeneration | None
    movies: MovieTable
    ranking: GroupRanking
    ratings_seen: list[int]
    marked: tuple[int, ...] = ()

    def places(self, wanted: GroupRequest) -> list[GroupRecommendation]:
        """Return the list. Raises `UnknownGenreError`."""
        filters = replace(wanted.filters, exclude=(*wanted.filters.exclude, *self.marked))
        rows = self.ranking.best(wanted.limit, wanted.rule, self.movies.matching(filters), wanted.floor)
        expected, members = self.ranking.expected(rows), range(len(self.ratings_seen))
        reasons = [self.ranking.reasons(m, rows) if wanted.reasons else [None] * len(rows) for m in members]
        return [
            GroupRecommendation(
                self.movies.movie(row),
                float(expected[:, at].mean()),
                at + 1,
                float(score),
                [MemberOpinion(float(expected[m, at]), self._named(reasons[m][at])) for m in members],
            )
            for at, (row, score) in enumerate(zip(rows, self.ranking.scores(rows), strict=True))
        ]

    def _named(self, reason: tuple[int, float] | None) -> Reason | None:
        return None if reason is None else Reason(self.movies.movie(reason[0]), reason[1])
