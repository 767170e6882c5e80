"""What a movie is about, as names: genres, pairs of them, five and ten years, and words of the title."""

from itertools import combinations

import numpy as np

from catalogue.movie_table import UNKNOWN_YEAR, MovieTable, split_genres
from catalogue.title_words import query_words


def content_features(title: str, genres: str, year: int | None) -> list[str]:
    """Return the features of a movie, each once; `genres` as MovieLens writes them, like "Drama|Thriller"."""
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
