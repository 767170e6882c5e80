"""Search movies by title and filters, and return them sorted, in pages."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from catalogue.movie import Filters
from catalogue.movie_table import MovieTable
from ranking.ratings import Rows

Sort = Literal["relevance", "popularity", "rating", "informative", "year", "title"]


class CursorNotFoundError(LookupError):
    """The movie that ended the previous page is no longer in the list."""

    def __init__(self, movie_id: int) -> None:
        super().__init__(
            f"movie {movie_id}, the last of the previous page, is no longer in the list; begin at the first page"
        )


@dataclass(frozen=True)
class MovieQuery:
    """A query for movies that pass the filters and match the text, if there is any, with a sort order.

    Without a text, relevance is popularity.
    """

    typed: str
    filters: Filters
    sort: Sort


def search_rows(movies: MovieTable, search: MovieQuery) -> Rows:
    """Return the rows of all matching movies, sorted. Raises `UnknownGenreError`."""
    passing = movies.matching(search.filters)
    if search.typed.strip():
        rows, score = movies.search(search.typed)
        rows, score = rows[passing[rows]], score[passing[rows]]
        if search.sort == "relevance":
            return rows[np.argsort(-score, kind="stable")]
        passing = np.zeros(len(movies), bool)
        passing[rows] = True
    order = movies.order("popularity" if search.sort == "relevance" else search.sort)
    return order[passing[order]]


def search_page(movies: MovieTable, search: MovieQuery, after: int | None, limit: int) -> tuple[Rows, bool]:
    """Return up to `limit` matching movies that follow the movie `after`, and whether more follow.

    Raises `UnknownGenreError`, and `CursorNotFoundError` if `after` does not match.
    """
    matching = search_rows(movies, search)
    start = 0
    if after is not None:
        # a page begins after a movie, not at an offset, because the list may have changed since the previous page
        at = np.flatnonzero(movies.movies[matching] == after)
        if len(at) == 0:
            raise CursorNotFoundError(after)
        start = int(at[0]) + 1
    return matching[start : start + limit], start + limit < len(matching)
