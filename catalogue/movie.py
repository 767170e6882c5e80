"""A movie, the filters of lists of movies, and the errors of both."""

from collections.abc import Iterable
from dataclasses import dataclass

from settings import OperatorError

UNKNOWN_YEAR = 0
LAST_YEAR = 9999
NO_GENRES = "(no genres listed)"


class UnknownGenreError(LookupError):
    """No movie has the genre of a filter; the message names the existing genres."""

    def __init__(self, name: str, genre: str, existing: Iterable[str]) -> None:
        super().__init__(f"there is no genre {genre[:50]!r}; there are {', '.join(existing)}")
        self.name = name


class UnknownMovieError(OperatorError, LookupError):
    """The catalogue has no movies with these ids."""

    def __init__(self, *movie_ids: int) -> None:
        super().__init__(f"There is no movie {', '.join(map(str, movie_ids))}.")
        self.movie_ids = movie_ids


@dataclass(frozen=True)
class CatalogueMovie:
    """A movie; `genres` as MovieLens writes them, like "Drama|Thriller"."""

    movie_id: int
    title: str
    genres: str
    year: int | None
    imdb_id: str | None = None
    tmdb_id: int | None = None


@dataclass(frozen=True)
class Filters:
    """Conditions that all listed movies meet: all genres, a range of years, a least number of ratings, and others.

    A movie of unknown year passes only filters without a year. `added_since` is in unix seconds. `movie_ids`, if given,
    lists all movies that may pass; `exclude` never pass. With `any_genre` a movie has at least one of these genres.
    """

    genres: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    min_ratings: int = 0
    added_since: int | None = None
    imdb_id: str | None = None
    tmdb_id: int | None = None
    movie_ids: tuple[int, ...] | None = None
    exclude: tuple[int, ...] = ()
    any_genre: tuple[str, ...] = ()
    not_genre: tuple[str, ...] = ()


def split_genres(genres: str) -> list[str]:
    """Return the distinct genres of a movie, without empty names."""
    names = (name.strip() for name in genres.split("|"))
    return list(dict.fromkeys(name for name in names if name not in ("", NO_GENRES)))
