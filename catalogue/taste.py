"""What a user's ratings show of their taste, beside the ratings of everybody else in the dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from catalogue.movie import UNKNOWN_YEAR, CatalogueMovie
from catalogue.movie_table import MovieTable
from ranking.ratings import Floats, Ints, Rows

STEPS = 10  # of the rating scale, from .5 to 5
MOST_UNLIKE = 10
SECONDS = "datetime64[s]"

Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TastePart:
    """Ratings of some movies: how many the user gave and their mean, None without any, and the same of all others.

    A share is of all ratings; a movie with several genres counts in each.
    """

    name: str
    rating_count: int
    rating_mean: float | None
    share: float
    everybody_mean: float | None
    everybody_share: float


class TasteYear(NamedTuple):
    """The ratings that the user gave in a year: how many, and their mean."""

    year: int
    rating_count: int
    rating_mean: float


@dataclass(frozen=True)
class UnlikeRating:
    """A rating, and the mean of the others' ratings of the movie with their number."""

    movie: CatalogueMovie
    rating: float
    everybody_mean: float
    everybody_count: int


@dataclass(frozen=True)
class Taste:
    """What a user's ratings show: their mean and standard deviation are None without ratings.

    `histogram` counts the ratings of .5, 1 ... 5; `unlike_others` begins with the rating that differs most.
    """

    rating_count: int
    rating_mean: float | None
    rating_deviation: float | None
    everybody_mean: float | None
    histogram: list[int]
    genres: list[TastePart]
    decades: list[TastePart]
    years: list[TasteYear]
    unlike_others: list[UnlikeRating]


def taste_of(table: MovieTable, movies: Ints, rating: Floats, at: Times) -> Taste:
    """Return the taste of a user who rated these movies [n], which the table has, at these unix seconds [n]."""
    rows, _ = table.rows(movies)
    stars = rating.astype(np.float64)
    decade = table.year // 10 * 10
    by_decade = {f"{d}s": np.flatnonzero(decade == d) for d in np.unique(decade[table.year != UNKNOWN_YEAR])}
    year = at.astype(SECONDS).astype("datetime64[Y]").astype(int) + 1970
    return Taste(
        rating_count=len(rows),
        rating_mean=_mean(stars.sum(), len(stars)),
        rating_deviation=float(stars.std()) if len(stars) else None,
        everybody_mean=_mean(table.rating_sum.sum(), table.rating_count.sum()),
        histogram=np.bincount((stars * 2).astype(int) - 1, minlength=STEPS).tolist(),
        genres=sorted(_parts(table, table.by_genre, rows, stars), key=lambda part: -part.rating_count),
        decades=_parts(table, by_decade, rows, stars),
        years=[TasteYear(int(y), int((year == y).sum()), float(stars[year == y].mean())) for y in np.unique(year)],
        unlike_others=_unlike(table, rows, stars),
    )


def _parts(table: MovieTable, rows_of: Mapping[str, Rows], rows: Rows, stars: Any) -> list[TastePart]:
    """Return the parts that hold a rating of the user or of others."""
    given, total = np.bincount(rows, minlength=len(table)), np.bincount(rows, stars, minlength=len(table))
    everybody = max(int(table.rating_count.sum()), 1)
    found = []
    for name, part in rows_of.items():
        mine, others = int(given[part].sum()), int(table.rating_count[part].sum())
        if mine or others:
            means = _mean(total[part].sum(), mine), _mean(table.rating_sum[part].sum(), others)
            found.append(TastePart(name, mine, means[0], mine / max(len(rows), 1), means[1], others / everybody))
    return found


def _unlike(table: MovieTable, rows: Rows, stars: Any) -> list[UnlikeRating]:
    """Return the ratings furthest from the damped mean of others, so that one other rating makes no extreme."""
    known = np.flatnonzero(table.rating_count[rows] > 0)
    apart = np.abs(stars[known] - table.expected_rating[rows[known]])
    found = []
    for place in known[np.lexsort((rows[known], -apart))[:MOST_UNLIKE]].tolist():
        row, count = int(rows[place]), int(table.rating_count[rows[place]])
        mean = float(table.rating_sum[row]) / count
        found.append(UnlikeRating(table.movie(row), float(stars[place]), mean, count))
    return found


def _mean(total: Any, count: Any) -> float | None:
    return float(total / count) if count else None
