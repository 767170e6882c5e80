"""Films found by their titles or all of them, filtered, in an order, a page at a time."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scoring.film_table import FilmTable, Filters, Rows

Sort = Literal["relevance", "popularity", "rating", "telling", "year", "title"]


class NotListedError(LookupError):
    """The film after which a page is to begin is not in the list."""

    def __init__(self, movie_id: int) -> None:
        super().__init__(f"film {movie_id}, after which the page would begin, is no longer in the list; begin anew")


@dataclass(frozen=True)
class Search:
    """What somebody looks for: of the films that pass, by title if anything is typed, in an order.

    With nothing typed relevance is popularity.
    """

    typed: str
    filters: Filters
    sort: Sort


def find(films: FilmTable, search: Search) -> Rows:
    """The rows of all films that are looked for, in their order. Raises `UnknownGenreError`."""
    passing = films.matching(search.filters)
    if search.typed.strip():
        rows, score = films.titles.search(search.typed)
        rows, score = rows[passing[rows]], score[passing[rows]]
        if search.sort == "relevance":
            return rows[np.argsort(-score, kind="stable")]
        passing = np.zeros(len(films), bool)
        passing[rows] = True
    order = films.orders["popularity" if search.sort == "relevance" else search.sort]
    return order[passing[order]]


def page(films: FilmTable, search: Search, after: int | None, limit: int) -> tuple[Rows, bool]:
    """Up to `limit` of the films that are looked for, from the one after the film `after` on, and whether more follow.

    Raises `UnknownGenreError`, and `NotListedError` if `after` is none of them.
    """
    found = find(films, search)
    start = 0
    if after is not None:
        # the place of the film itself, whatever has come into the list before it meanwhile
        at = np.flatnonzero(films.films[found] == after)
        if len(at) == 0:
            raise NotListedError(after)
        start = int(at[0]) + 1
    return found[start : start + limit], start + limit < len(found)
