"""Ratings as tables that other programs read, and that `histories.reading` reads back.

A rating has the attributes movie_id, title, year, imdb_id, tmdb_id, rating and rated_at; year and ids may be None.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from catalogue.title_words import display_title


def movielens_table(user_id: int, ratings: Iterable[Any]) -> str:
    """Return ratings as CSV with MovieLens's columns, ids and unix seconds."""
    rows = ((user_id, one.movie_id, one.rating, int(one.rated_at.timestamp())) for one in ratings)
    return _table(("userId", "movieId", "rating", "timestamp"), rows)


def letterboxd_table(ratings: Iterable[Any]) -> str:
    """Return ratings as CSV in Letterboxd's import format, which has days and no times."""
    rows = (
        (one.tmdb_id, one.imdb_id, display_title(one.title), one.year, one.rated_at.date(), one.rating)
        for one in ratings
    )
    return _table(("tmdbID", "imdbID", "Title", "Year", "WatchedDate", "Rating"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(columns)
    table.writerows(rows)
    return out.getvalue()
