"""Every film as columns: what may be listed, what is shown of it, and how popular it is before anything is learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from scoring.ratings import Floats, Ints, rows_of
from scoring.titles import Titles, index
from scoring.words import in_plain_letters

UNKNOWN_YEAR = 0
LAST_YEAR = 9999
BEFORE_TITLES = " \"'([.…¡¿-"  # passed over by the alphabet
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


class UnknownGenreError(LookupError):
    """No film has this genre; the message names those that there are."""


@dataclass(frozen=True)
class Film:
    """A film; `genres` as MovieLens writes them, one after the other."""

    movie_id: int
    title: str
    genres: str
    year: int | None


@dataclass(frozen=True)
class Filters:
    """Which films may be listed: those with every one of these genres, of these years, with so many ratings at least.

    A film of unknown year passes only where no year is asked for.
    """

    genres: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    min_ratings: int = 0


@dataclass(frozen=True)
class FilmTable:
    """f films, a row each.

    Attributes:
        films: MovieLens ids, ascending, int32 [f].
        title, genres: as a `Film` has them [f].
        year: 0 where it is not known, int16 [f].
        rating_count: of the dataset, int32 [f].
        like_count: ratings of 4 and more among them, int32 [f].
        expected_rating: their damped mean, float32 [f].
        spread: sum of the squares by which they differ from their mean; 0 where it is not known, float32 [f].
    """

    films: Ints
    title: Sequence[str]
    genres: Sequence[str]
    year: npt.NDArray[np.int16]
    rating_count: Ints
    like_count: Ints
    expected_rating: Floats
    spread: Floats

    def __len__(self) -> int:
        return len(self.films)

    def rows(self, films: Ints) -> tuple[Rows, Mask]:
        """Row numbers of those films that there are, and which of `films` these are."""
        return rows_of(self.films, films)

    def film(self, row: int) -> Film:
        """What is shown of the film at a row."""
        year = int(self.year[row])
        return Film(int(self.films[row]), self.title[row], self.genres[row], None if year == UNKNOWN_YEAR else year)

    def of_id(self, movie_id: int) -> Film:
        """What is shown of a film that there is; every list names the same few again and again, so it is kept."""
        film = self._shown.get(movie_id)
        if film is None:
            film = self._shown[movie_id] = self.film(int(np.searchsorted(self.films, movie_id)))
        return film

    @cached_property
    def _shown(self) -> dict[int, Film]:
        return {}

    def take(self, films: Ints) -> "FilmTable":
        """The table of these films only, ascending; those that it lacks are left out."""
        if np.array_equal(films, self.films):
            return self
        rows, _ = self.rows(films)
        return FilmTable(
            self.films[rows],
            [self.title[row] for row in rows],
            [self.genres[row] for row in rows],
            self.year[rows],
            self.rating_count[rows],
            self.like_count[rows],
            self.expected_rating[rows],
            self.spread[rows],
        )

    def warm_up(self) -> None:
        """Make now what the first search would otherwise wait for."""
        _ = self.titles, self.orders, self.by_genre, self.mark

    def matching(self, filters: Filters) -> Mask:
        """The films that pass, bool [f]. Raises `UnknownGenreError`."""
        passing: Mask = self.rating_count >= filters.min_ratings
        for genre in filters.genres:
            having = np.zeros(len(self), bool)
            having[self._having(genre)] = True
            passing &= having
        if filters.year_from is not None or filters.year_to is not None:
            first, last = filters.year_from or UNKNOWN_YEAR + 1, filters.year_to or LAST_YEAR
            passing &= (self.year >= first) & (self.year <= last)
        return passing

    def _having(self, genre: str) -> Rows:
        for name, rows in self.by_genre.items():
            if name.casefold() == genre.casefold():
                return rows
        raise UnknownGenreError(f"there is no genre {genre[:50]!r}; there are {', '.join(self.by_genre)}")

    @cached_property
    def by_genre(self) -> Mapping[str, Rows]:
        """The rows of the films of each genre, by its name."""
        rows: dict[str, list[int]] = {}
        for row, listed in enumerate(self.genres):
            for name in split_genres(listed):
                rows.setdefault(name, []).append(row)
        return {name: np.array(rows[name], np.intp) for name in sorted(rows)}

    @cached_property
    def titles(self) -> Titles:
        """The index of the titles; at 87,000 films it takes a second to make."""
        return index(self.title, self.year.tolist(), self.rating_count)

    @cached_property
    def orders(self) -> Mapping[str, Rows]:
        """The rows of all films by popularity, rating, year (the newest first) and title, equals by popularity.

        Telling are films whose rating says most of a person: the chance that they know it, which grows with the number
        of its ratings, times the variance of these; but for a constant that is the spread.
        """
        count = -self.rating_count
        letters = [title.lstrip(BEFORE_TITLES) for title in in_plain_letters(self.title)]
        return {
            "popularity": np.argsort(count, kind="stable"),
            "rating": np.lexsort((count, -self.expected_rating)),
            "telling": np.lexsort((count, -self.spread)),
            "year": np.lexsort((count, -self.year)),
            "title": np.array(sorted(range(len(self)), key=letters.__getitem__), np.intp),
        }

    @cached_property
    def mark(self) -> str:
        """Changes with the films and what the dataset says of them."""
        columns = (self.films, self.year, self.rating_count, self.expected_rating, self.spread)
        texts = "\0".join([*self.title, *self.genres]).encode("utf-8", "surrogatepass")
        return blake2b(b"".join([texts, *(column.tobytes() for column in columns)]), digest_size=8).hexdigest()


NO_GENRES = "(no genres listed)"


def split_genres(genres: str) -> list[str]:
    """The genres of a film."""
    return [] if genres == NO_GENRES else genres.split("|")
