"""Movies found by their titles or all of them, filtered, in an order, a page at a time."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from catalogue.movie_table import Filters, MovieTable
from ranking.ratings import Rows

Sort = Literal["relevance", "popularity", "rating", "informative", "year", "title"]


class CursorNotFoundError(LookupError):
    """The movie after which a page is to begin is not in the list."""

    def __init__(self, movie_id: int) -> None:
        super().__init__(f"movie {movie_id}, after which the page would begin, is no longer in the list; begin anew")


@dataclass(frozen=True)
class MovieQuery:
    """What somebody looks for: of the movies that pass, by title if anything is typed, in an order.

    With nothing typed relevance is popularity.
    """

    typed: str
    filters: Filters
    sort: Sort


def search_rows(movies: MovieTable, search: MovieQuery) -> Rows:
    """The rows of all movies that are looked for, in their order. Raises `UnknownGenreError`."""
    passing = movies.matching(search.filters)
    if search.typed.strip():
        rows, score = movies.titles.search(search.typed)
        rows, score = rows[passing[rows]], score[passing[rows]]
        if search.sort == "relevance":
            return rows[np.argsort(-score, kind="stable")]
        passing = np.zeros(len(movies), bool)
        passing[rows] = True
    order = movies.sort_orders["popularity" if search.sort == "relevance" else search.sort]
    return order[passing[order]]


def search_page(movies: MovieTable, search: MovieQuery, after: int | None, limit: int) -> tuple[Rows, bool]:
    """Up to `limit` of the movies that are looked for, from the one after the movie `after` on, and whether more follow.

    Raises `UnknownGenreError`, and `CursorNotFoundError` if `after` is none of them.
    """
    found = search_rows(movies, search)
    start = 0
    if after is not None:
        # the place of the movie itself, whatever has come into the list before it meanwhile
        at = np.flatnonzero(movies.movies[found] == after)
        if len(at) == 0:
            raise CursorNotFoundError(after)
        start = int(at[0]) + 1
    return found[start : start + limit], start + limit < len(found)
