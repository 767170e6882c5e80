"""Any MovieLens set, read from a folder: its films and its ratings, checked line by line."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.formats import Format, detect, identity
from runtime.ratings_file import read_ratings
from runtime.report import DatasetError, LineError, Report
from scoring.ratings import Ints, Ratings

__all__ = ["DatasetError", "Movie", "Report", "fingerprint", "read_movies", "read_ratings", "read_set"]


@dataclass(frozen=True)
class Movie:
    """A film: its MovieLens id, title without the year, genres as printed ("Drama|Thriller"), year if known."""

    movie_id: int
    title: str
    genres: str
    year: int | None


def read_movies(folder: Path) -> tuple[list[Movie], Report]:
    """The films of the set in this folder, in the order of the file; of two with one id the first.

    Raises `DatasetError` for a missing file or column, for more than 1 % of malformed lines and for no films.
    """
    shape = detect(folder)
    report = Report(shape.films.file)
    movies: dict[int, Movie] = {}
    content = (folder / shape.films.file).read_bytes()
    names, encoding = shape.films.names(content.partition(b"\n")[0]), shape.films.encoding(content)
    for number, line in enumerate(content.split(b"\n"), start=1):
        if number < shape.films.first_line or not line.strip():
            continue
        report.read += 1
        try:
            movie = _movie(shape, dict(zip(names, shape.films.fields(line, len(names), encoding), strict=True)))
            if movie.movie_id in movies:
                raise LineError("a film with this id came before")
            movies[movie.movie_id] = movie
        except LineError as fault:
            report.reject(str(fault), [number])
    report.kept = len(movies)
    report.refuse_if_malformed()
    if not movies:
        raise DatasetError(f"{folder / shape.films.file} holds no films. Is it a whole file of a MovieLens set?")
    return list(movies.values()), report


def read_set(folder: Path) -> tuple[Ratings, Ints]:
    """The ratings of the set in this folder and its film ids, ascending. Raises `DatasetError`."""
    films = np.array(sorted(movie.movie_id for movie in read_movies(folder)[0]), np.int32)
    return read_ratings(folder, films.tolist())[0], films


def _movie(shape: Format, row: dict[str, str]) -> Movie:
    movie_id = identity(row[shape.films.columns[0]])
    described = shape.describe(row)
    if not described.title:
        raise LineError("the title is empty")
    return Movie(movie_id, described.title, described.genres, described.year)


def fingerprint(folder: Path) -> str:
    """Sixteen hex digits that change when the set's files of films and ratings change, by name or content."""
    shape = detect(folder)
    digest = hashlib.sha256()
    for name in (shape.films.file, shape.ratings.file):
        with (folder / name).open("rb") as file:
            digest.update(f"{name}:{hashlib.file_digest(file, 'sha256').hexdigest()};".encode())
    return digest.hexdigest()[:16]
