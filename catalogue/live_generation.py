"""A generation in memory: its ranker, the current catalogue, and the cache of the lists that it computed."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

import numpy as np
from cachetools import FIFOCache

from catalogue.content_features import features_kept, features_of
from catalogue.movie_table import MovieTable
from catalogue.recommendations import RecommendationList
from ranking.content import unrated, with_movies, with_predicted
from ranking.factors import Factors
from ranking.ranker import Ranker

MAX_CACHED_LISTS = 10_000  # 48 MB, together with their serialized answers

ListCache: TypeAlias = "FIFOCache[int, tuple[tuple[int, int | None, int], RecommendationList]]"
"""The newest lists by user, each with the versions and the generation that it is based on."""


def new_cache() -> ListCache:
    """Return an empty cache."""
    return FIFOCache(MAX_CACHED_LISTS)


@dataclass(frozen=True)
class Arm:
    """The role of a generation in an experiment.

    Attributes:
        name: the name of the arm; None outside experiments.
        fixed: whether the arm keeps its generation when another becomes live.
        changed: whether the arm changes a setting of the generation.
        versus: the generation of the other arm, if lists are interleaved.
        salt: the seed of the coins of the interleaving.
    """

    experiment: str | None = None
    name: str | None = None
    fixed: bool = False
    changed: bool = False
    versus: "LiveGeneration | None" = None
    salt: str = ""


@dataclass(frozen=True)
class LiveGeneration:
    """A generation in memory, ready to serve.

    Attributes:
        ranker: its factors have a row for every movie of the catalogue if they can predict factors from content.
        movies: the movies of the factors, in the same rows, in the newest version of the catalogue.
        list_cache: the lists that it computed; dropped with the generation.
        content_is_current: whether the predicted factors are based on the present `movies`.
    """

    id: int
    ranker: Ranker
    movies: MovieTable
    trained_at: datetime
    since: datetime
    list_cache: ListCache = field(default_factory=new_cache)
    arm: Arm = Arm()
    content_is_current: bool = False

    @property
    def factors(self) -> Factors:
        return self.ranker.factors

    def takes_stored(self, generation_id: int | None) -> bool:
        """Return whether this generation would compute the same list as the training run stored for `generation_id`."""
        differs = self.arm.changed or self.arm.versus is not None
        return not differs and (not self.arm.fixed or self.id == generation_id)

    def is_current(self, generation_id: int | None) -> bool:
        """Return whether lists of this generation are current while `generation_id` is live in PostgreSQL."""
        versus = self.arm.versus
        return (self.arm.fixed or self.id == generation_id) and (versus is None or versus.is_current(generation_id))

    def with_catalogue(self, catalogue: MovieTable) -> "LiveGeneration":
        """Return this generation for a newer version of the catalogue; new movies get vectors from their content."""
        if self.arm.versus is not None:
            alone = replace(self, arm=replace(self.arm, versus=None)).with_catalogue(catalogue)
            return replace(alone, arm=replace(self.arm, versus=self.arm.versus.with_catalogue(catalogue)))
        factors = self.factors
        if not factors.has_content:
            return replace(self, movies=catalogue.take(factors.movies))
        if not np.array_equal(factors.movies, catalogue.movies):
            factors = with_movies(factors, catalogue.movies)
        rows = unrated(factors)
        which = np.arange(len(rows))  # all at first: the catalogue may have changed between training and loading
        if self.content_is_current:
            which = np.flatnonzero(~features_kept(catalogue, rows, self.movies))
        found = with_predicted(factors, which, [features_of(catalogue, row) for row in rows[which]])
        if found.movies is self.factors.movies and np.array_equal(found.content, self.factors.content):
            return replace(self, movies=catalogue, content_is_current=True)
        return replace(self, movies=catalogue, content_is_current=True, ranker=self.ranker.with_factors(found))
