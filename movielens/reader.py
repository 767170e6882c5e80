"""Read the movies and ratings of a MovieLens dataset from its folder, and check every line."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogue.content_features import content_features
from movielens.formats import LONGEST_TEXT, Format, detect, fingerprint, parse_movielens_id
from movielens.line_report import DatasetError, LineError, LineReport
from movielens.ratings_file import read_ratings
from movielens.text_file import rows_of
from ranking.ratings import Ints, Ratings

__all__ = ["DatasetError", "LineReport", "MovieLensMovie", "fingerprint", "read_dataset", "read_movies", "read_ratings"]


@dataclass(frozen=True)
class MovieLensMovie:
    """A movie: its MovieLens id, title without the year, genres as in "Drama|Thriller", and year if known."""

    movie_id: int
    title: str
    genres: str
    year: int | None


def read_movies(folder: Path) -> tuple[list[MovieLensMovie], LineReport]:
    """Return the movies of the dataset in a folder, in the order of the file; of two with the same id, the first.

    Raises `DatasetError` for a missing file or column, for more than 1 % of malformed lines, and for no movies.
    """
    shape = detect(folder)
    report = LineReport(shape.movies.file)
    movies: dict[int, MovieLensMovie] = {}
    for number, row in rows_of(folder, shape.movies, report):
        try:
            movie = _movie(shape, row)
            if movie.movie_id in movies:
                raise LineError("an earlier line has the same id")
            movies[movie.movie_id] = movie
        except LineError as fault:
            report.reject(str(fault), [number])
    report.kept = len(movies)
    report.raise_if_malformed()
    if not movies:
        raise DatasetError(f"{folder / shape.movies.file} holds no movies. Is it a whole file of a MovieLens dataset?")
    return list(movies.values()), report


def content_of(movie: MovieLensMovie) -> list[str]:
    """Return the content features of a movie for `ranking.content`."""
    return content_features(movie.title, movie.genres, movie.year)


def read_dataset(folder: Path) -> tuple[Ratings, Ints]:
    """Return the ratings of the dataset in a folder and its movie ids, ascending. Raises `DatasetError`."""
    ids = np.array(sorted(movie.movie_id for movie in read_movies(folder)[0]), np.int32)
    return read_ratings(folder, ids.tolist())[0], ids


def _movie(shape: Format, row: dict[str, str]) -> MovieLensMovie:
    movie_id = parse_movielens_id(row[shape.movies.columns[0]])
    title, genres, year = shape.describe(row)
    if not title:
        raise LineError("the title is empty")
    for what, text in (("a title", title), ("genres", genres)):
        if len(text) > LONGEST_TEXT:
            raise LineError(f"{what} of more than {LONGEST_TEXT} characters")
    return MovieLensMovie(movie_id, title, genres, year)
