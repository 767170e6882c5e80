"""Summarize a user's taste: statistics of their ratings beside those of the dataset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from catalogue.movie import UNKNOWN_YEAR
from catalogue.movie_table import MovieTable
from ranking.ratings import Floats, Ints, Rows

STEPS = 10  # number of values of the rating scale, from .5 to 5
MOST_UNLIKE = 10
SECONDS = "datetime64[s]"

Times = npt.NDArray[np.int64]


Part = dict[str, Any]
"""A named set of movies: number, mean and share of the user's ratings, and the same for the ratings of others.

A share is relative to all ratings; a movie with several genres counts for each. A mean is None without ratings.
"""


def taste_of(table: MovieTable, movies: Ints, rating: Floats, at: Times) -> dict[str, Any]:
    """Return the taste of a user who rated these movies [n] of the table at these unix seconds [n].

    `rating_mean` and `rating_deviation` are None without ratings; `histogram` counts the ratings of .5, 1 ... 5;
    `unlike_others` is sorted by difference, largest first.
    """
    rows, _ = table.rows(movies)
    stars = rating.astype(np.float64)
    decade = table.year // 10 * 10
    by_decade = {f"{d}s": np.flatnonzero(decade == d) for d in np.unique(decade[table.year != UNKNOWN_YEAR])}
    return {
        "rating_count": len(rows),
        "rating_mean": _mean(stars.sum(), len(stars)),
        "rating_deviation": float(stars.std()) if len(stars) else None,
        "everybody_mean": _mean(table.rating_sum.sum(), table.rating_count.sum()),
        "histogram": np.bincount((stars * 2).astype(int) - 1, minlength=STEPS).tolist(),
        "genres": sorted(_parts(table, table.by_genre, rows, stars), key=lambda part: -part["rating_count"]),
        "decades": _parts(table, by_decade, rows, stars),
        "years": _years(at.astype(SECONDS).astype("datetime64[Y]").astype(int) + 1970, stars),
        "unlike_others": _unlike(table, rows, stars),
    }


def _years(year: Any, stars: Any) -> list[dict[str, Any]]:
    by_year = {int(y): stars[year == y] for y in np.unique(year)}
    return [{"year": y, "rating_count": len(rated), "rating_mean": float(rated.mean())} for y, rated in by_year.items()]


def _parts(table: MovieTable, rows_of: Mapping[str, Rows], rows: Rows, stars: Any) -> list[Part]:
    """Return the parts with at least one rating of the user or of others."""
    given, total = np.bincount(rows, minlength=len(table)), np.bincount(rows, stars, minlength=len(table))
    all_ratings = max(int(table.rating_count.sum()), 1)
    parts = []
    for name, part in rows_of.items():
        count, others = int(given[part].sum()), int(table.rating_count[part].sum())
        if count or others:
            own = {"rating_mean": _mean(total[part].sum(), count), "share": count / max(len(rows), 1)}
            theirs = {
                "everybody_mean": _mean(table.rating_sum[part].sum(), others),
                "everybody_share": others / all_ratings,
            }
            parts.append({"name": name, "rating_count": count} | own | theirs)
    return parts


def _unlike(table: MovieTable, rows: Rows, stars: Any) -> list[dict[str, Any]]:
    """Return the ratings with the largest differences to the damped mean of the ratings of others."""
    known = np.flatnonzero(table.rating_count[rows] > 0)
    difference = np.abs(stars[known] - table.expected_rating[rows[known]])
    ratings = []
    for place in known[np.lexsort((rows[known], -difference))[:MOST_UNLIKE]].tolist():
        row, count = int(rows[place]), int(table.rating_count[rows[place]])
        others = {"everybody_mean": float(table.rating_sum[row]) / count, "everybody_count": count}
        ratings.append({"movie": table.movie(row), "rating": float(stars[place])} | others)
    return ratings


def _mean(total: Any, count: Any) -> float | None:
    return float(total / count) if count else None
