"""Compute content features of a movie: genres, pairs of genres, five- and ten-year periods, and title words."""

from itertools import combinations

import numpy as np

from catalogue.movie import UNKNOWN_YEAR, split_genres
from catalogue.movie_table import MovieTable
from catalogue.title_words import query_words
from ranking.ratings import Mask, Rows


def content_features(title: str, genres: str, year: int | None) -> list[str]:
    """Return the distinct features of a movie; `genres` as MovieLens writes them, like "Drama|Thriller"."""
    names = sorted(split_genres(genres))
    found = [f"genre {name}" for name in names]
    found += [f"genres {one} and {other}" for one, other in combinations(names, 2)]
    if year is not None:
        found += [f"five years from {year - year % 5}", f"ten years from {year - year % 10}"]
    return [*found, *(f"word {word}" for word in query_words(title))]


def features_of(movies: MovieTable, row: int | np.intp) -> list[str]:
    """Return the features of the movie at a row of the table."""
    year = int(movies.year[row])
    return content_features(movies.title[row], movies.genres[row], None if year == UNKNOWN_YEAR else year)


def features_kept(movies: MovieTable, rows: Rows, earlier: MovieTable) -> Mask:
    """Return which movies at these rows have the same features as in an earlier table."""
    at, kept = earlier.rows(movies.movies[rows])
    pairs = [(getattr(movies, name)[rows[kept]], getattr(earlier, name)[at]) for name in ("title", "genres", "year")]
    kept[kept] = np.logical_and.reduce([now == before for now, before in pairs])
    return kept
