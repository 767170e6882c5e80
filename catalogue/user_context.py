"""Compute any part of a user's list with reasons, and expected ratings, from the ranking for the user."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from catalogue.live_generation import Arm, LiveGeneration
from catalogue.movie import Filters, UnknownMovieError
from catalogue.movie_table import MovieTable
from catalogue.recommendations import (
    NO_FILTERS,
    ListRequest,
    RankedRecommendation,
    Reason,
    RecommendedMovie,
)
from ranking.calibration import POOL, calibrated, miscalibration
from ranking.experiment import team_draft
from ranking.exploration import drawn_movies, explore
from ranking.rankings import Ranking
from ranking.ratings import Ints, Mask, Rows


def no_movies() -> Ints:
    return np.empty(0, np.int32)


@dataclass(frozen=True)
class UserContext:
    """A user or guest with their present ratings and ranking.

    Attributes:
        live: the generation that computes the list; None before the first.
        catalogue: all movies; movies: the movies of the ranking, in the same rows.
        version: the history version, 0 for a guest.
        ratings_seen: the number of ratings in the history.
        user_id: None for a guest.
        versus: the same user in the other arm of an interleaved experiment.
        marked: movies that no list may contain, in addition to the rated ones. later: movies marked for later.
    """

    live: LiveGeneration | None
    catalogue: MovieTable
    movies: MovieTable
    ranking: Ranking
    version: int
    ratings_seen: int
    user_id: int | None = None
    versus: "UserContext | None" = None
    marked: Ints = field(default_factory=no_movies)
    later: Ints = field(default_factory=no_movies)

    @property
    def version_key(self) -> str:
        """Return a text that changes with every input of a stored user's list: generation, arm and versions."""
        live = self.live
        generation = f"{live.id} {live.arm.experiment} {live.arm.name}" if live else None
        both = f" {self.versus.version_key}" if self.versus else ""
        return f"{generation} {self.version} {self.catalogue.version}{both}"

    def rows(self, request: ListRequest) -> Rows:
        """Return the rows of the requested movies, best first. Raises `UnknownGenreError`."""
        return self._chosen(request)[0]

    def _chosen(self, request: ListRequest) -> tuple[Rows, Mask]:
        """Return the rows of the requested movies, and a mask of the explored ones."""
        movies, filters = self.movies, self._with_marks(request)
        among = movies.listed if filters == NO_FILTERS else movies.matching(filters)
        end = request.offset + request.limit
        if not request.explore or self.live is None:
            rows = self._best(end, among, request)[request.offset :]
            return rows, np.zeros(len(rows), bool)
        # the explored movies stay the same until the list changes or the day ends; a guest has no id but their ratings
        seed = f"{self.user_id or self.ranking.seen.tolist()} {self.version_key} {request.day}"
        drawn = partial(drawn_movies, self.live.ranker, self.ranking, among)
        rows, explored = explore(lambda n: self._best(n, among, request), drawn, request.explore, end, seed)
        return rows[request.offset :], explored[request.offset :]

    def _best(self, n: int, among: Mask | None, request: ListRequest) -> Rows:
        """Return the rows of the n best movies at the requested diversity."""
        if not request.diversity or not len(self.ranking.liked):
            return self.ranking.best(n, among, request.known_first)
        # rank the whole pool for every page, so that each page continues the previous one
        rows = self.ranking.best(max(n, POOL), among, request.known_first)
        return self._calibrated(rows, request, n)

    def _with_marks(self, request: ListRequest) -> Filters:
        filters, later = request.filters, self.later.tolist()
        hidden = [*self.marked.tolist(), *(later if request.later == "without" else ())]
        if hidden:
            filters = replace(filters, exclude=(*filters.exclude, *hidden))
        if request.later == "only":
            among = later if filters.movie_ids is None else set(later).intersection(filters.movie_ids)
            filters = replace(filters, movie_ids=tuple(among))
        return filters

    def places(self, request: ListRequest) -> list[RankedRecommendation]:
        """Return the requested part of the list. Raises `UnknownGenreError`."""
        if self.versus is not None:
            return self._interleaved(self.versus, request)
        rows, explored = self._chosen(request)
        columns = (rows, self.ranking.expected(rows), self.ranking.scores(rows), self.ranking.reasons(rows), explored)
        places = []
        for rank, (row, expected, score, reasons, drawn) in enumerate(zip(*columns, strict=True), request.offset + 1):
            because, movie = [Reason.of(self.movies, *reason) for reason in reasons], self.movies.movie(row)
            places.append(RankedRecommendation(movie, float(expected), rank, float(score), because, None, bool(drawn)))
        return places

    def _interleaved(self, versus: "UserContext", request: ListRequest) -> list[RankedRecommendation]:
        """Return the requested part of the interleaved list of both arms."""
        end = request.offset + request.limit
        # interleave from the first place on, so that each page continues the previous one
        whole = replace(request, limit=end, offset=0)
        teams = [
            {place.movie.movie_id: place for place in team.places(whole)}
            for team in (replace(self, versus=None), versus)
        ]
        arms = [context.live.arm if context.live else Arm() for context in (self, versus)]
        drafted = team_draft([*teams[0]], [*teams[1]], end, f"{arms[0].salt} {self.user_id} {self.version_key}")
        return [
            replace(teams[team][movie], rank=rank, team=arms[team].name)
            for rank, (movie, team) in enumerate(drafted, 1)
            if rank > request.offset
        ]

    def expected_ratings(self, movie_ids: Sequence[int]) -> list[RecommendedMovie]:
        """Return these movies, whether rated or not, with expected ratings. Raises `UnknownMovieError`."""
        asked = np.array(movie_ids, np.int32)
        at, known = self.catalogue.rows(asked)
        if not known.all():
            raise UnknownMovieError(*asked[~known].tolist())
        expected = self.catalogue.expected_rating[at]
        rows, learned = self.movies.rows(asked)
        expected[learned] = self.ranking.expected(rows)
        return [
            RecommendedMovie(self.catalogue.movie(row), float(rating)) for row, rating in zip(at, expected, strict=True)
        ]

    def balance(self, places: Sequence[RankedRecommendation]) -> dict[str, float | None]:
        """Return the miscalibration and median popularity of this part of the list.

        miscalibration: the divergence of its genres from those of the user's likes, 0 for a perfect match; None without
        movies or likes. median_popularity: the median number of ratings of its movies in the dataset; None without any.
        """
        rows, _ = self.movies.rows(np.array([place.movie.movie_id for place in places], np.int32))
        if not len(rows):
            return {"miscalibration": None, "median_popularity": None}
        genres, liked = self.movies.genre_shares, self.ranking.liked
        off = miscalibration(genres[rows], genres[liked].mean(axis=0)) if len(liked) else None
        return {"miscalibration": off, "median_popularity": float(np.median(self.movies.rating_count[rows]))}

    def _calibrated(self, rows: Rows, request: ListRequest, n: int) -> Rows:
        """Return the first n of these movies [r], which are best first, with the first `POOL` in calibrated order."""
        pool, genres = rows[:POOL], self.movies.genre_shares
        preferred = np.ones(len(pool), bool)
        if self.live is not None and request.known_first:
            preferred = self.live.factors.well_known[pool]
        p = genres[self.ranking.liked].mean(axis=0)
        order = calibrated(self.ranking.scores(pool), preferred, genres[pool], p, request.diversity, min(n, POOL))
        return np.concatenate([pool[order], rows[POOL:n]])
