"""Any MovieLens set, read from a folder: its films and its ratings, checked line by line."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from runtime.formats import Format, detect
from runtime.ratings_file import read_ratings
from runtime.report import DatasetError, Malformed, Report

__all__ = ["DatasetError", "Movie", "Report", "fingerprint", "read_movies", "read_ratings"]

WHOLE = re.compile(r"\s*\+?[0-9]+\s*")


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
    format = detect(folder)
    report = Report(format.films.file)
    movies: dict[int, Movie] = {}
    content = (folder / format.films.file).read_bytes()
    names, encoding = format.films.names(content.partition(b"\n")[0]), format.films.encoding(content)
    for number, line in enumerate(content.split(b"\n"), start=1):
        if number < format.films.first_line or not line.strip():
            continue
        report.read += 1
        try:
            movie = _movie(format, dict(zip(names, format.films.fields(line, len(names), encoding), strict=True)))
            if movie.movie_id in movies:
                raise Malformed("a film with this id came before")
            movies[movie.movie_id] = movie
        except Malformed as fault:
            report.reject(str(fault), [number])
    report.kept = len(movies)
    report.refuse_if_malformed()
    if not movies:
        raise DatasetError(f"{folder / format.films.file} holds no films. Is it a whole file of a MovieLens set?")
    return list(movies.values()), report
