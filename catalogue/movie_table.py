"""All movies as columns: for filters and sort orders, to show them, and their popularity before the first training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from catalogue.title_index import TitleIndex, build_title_index
from catalogue.title_words import normalize
from ranking.ratings import Floats, Ints, Mask, Rows, rows_of

UNKNOWN_YEAR = 0
LAST_YEAR = 9999
BEFORE_TITLES = " \"'([.!?-"  # ignored when titles are sorted


class UnknownGenreError(LookupError):
    """No movie has this genre; the message names the existing ones."""


class UnknownMovieError(LookupError):
    """The catalogue has no movie with this id, or with these."""

    def __init__(self, *movie_ids: int) -> None:
        super().__init__(f"There is no movie {', '.join(map(str, movie_ids))}. Ids are those of MovieLens.")
        self.movie_ids = movie_ids


@dataclass(frozen=True)
class CatalogueMovie:
    """A movie; `genres` as MovieLens writes them, like "Drama|Thriller"."""

    movie_id: int
    title: str
    genres: str
    year: int | None


@dataclass(frozen=True)
class Filters:
    """The movies to list: those with all of these genres, of these years, with at least so many ratings.

    A movie of unknown year passes only filters without a year.
    """

    genres: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    min_ratings: int = 0


@dataclass(frozen=True)
class MovieTable:
    """f movies, one a row.

    Attributes:
        movies: MovieLens ids, ascending, int32 [f].
        title, genres: as a `CatalogueMovie` has them [f].
        year: 0 where it is not known, int16 [f].
        rating_count: of the dataset, int32 [f].
        like_count: ratings of 4 and more among them, int32 [f].
        expected_rating: their damped mean, float32 [f].
        spread: sum of the squares by which they differ from their mean; 0 where it is not known, float32 [f].
    """

    movies: Ints
    title: Sequence[str]
    genres: Sequence[str]
    year: npt.NDArray[np.int16]
    rating_count: Ints
    like_count: Ints
    expected_rating: Floats
    spread: Floats

    def __len__(self) -> int:
        return len(self.movies)

    def rows(self, movies: Ints) -> tuple[Rows, Mask]:
        """Return the rows of the movies that exist, and a mask of these in `movies`."""
        return rows_of(self.movies, movies)

    def movie(self, row: int) -> CatalogueMovie:
        """Return the movie at a row."""
        year = int(self.year[row])
        return CatalogueMovie(
            int(self.movies[row]), self.title[row], self.genres[row], None if year == UNKNOWN_YEAR else year
        )

    def by_id(self, movie_id: int) -> CatalogueMovie:
        """Return an existing movie. It is cached, since most lists name the same few movies."""
        movie = self._shown.get(movie_id)
        if movie is None:
            movie = self._shown[movie_id] = self.movie(int(np.searchsorted(self.movies, movie_id)))
        return movie

    @cached_property
    def _shown(self) -> dict[int, CatalogueMovie]:
        return {}

    def take(self, movies: Ints) -> "MovieTable":
        """Return the table of these movies only, ascending, without those that do not exist."""
        if np.array_equal(movies, self.movies):
            return self
        rows, _ = self.rows(movies)
        return MovieTable(
            self.movies[rows],
            [self.title[row] for row in rows],
            [self.genres[row] for row in rows],
            self.year[rows],
            self.rating_count[rows],
            self.like_count[rows],
            self.expected_rating[rows],
            self.spread[rows],
        )

    def warm_up(self) -> None:
        """Build the indexes that the first search would otherwise wait for."""
        _ = self.titles, self.sort_orders, self.by_genre, self.mark

    def matching(self, filters: Filters) -> Mask:
        """Return which movies pass the filters, bool [f]. Raises `UnknownGenreError`."""
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
        """Return the rows of the movies of each genre, by name."""
        rows: dict[str, list[int]] = {}
        for row, listed in enumerate(self.genres):
            for name in split_genres(listed):
                rows.setdefault(name, []).append(row)
        return {name: np.array(rows[name], np.intp) for name in sorted(rows)}

    @cached_property
    def genre_shares(self) -> Floats:
        """Return the share of each genre in each movie, float32 [f, genres + 1]; the last is that of having none."""
        shares = np.zeros((len(self), len(self.by_genre) + 1), np.float32)
        for column, rows in enumerate(self.by_genre.values()):
            shares[rows, column] = 1
        shares[:, -1] = ~shares.any(axis=1)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def genre_shares_of(self, movies: Ints) -> Floats:
        """Return the genre shares of these movies [n], of which the table may lack some: zeros."""
        rows, known = self.rows(movies)
        shares = np.zeros((len(movies), self.genre_shares.shape[1]), np.float32)
        shares[known] = self.genre_shares[rows]
        return shares

    @cached_property
    def titles(self) -> TitleIndex:
        """Return the index of the titles; it takes a second to build at 87,000 movies."""
        return build_title_index(self.title, self.year.tolist(), self.rating_count)

    @cached_property
    def sort_orders(self) -> Mapping[str, Rows]:
        """Return the rows of all movies in each sort order, ties by popularity; by year the newest first.

        Most informative are the movies whose rating says most about a user: the chance that the user knows the movie,
        which grows with its number of ratings, times the variance of these; up to a constant that is the spread.
        """
        count = -self.rating_count
        letters = [normalize(title).lstrip(BEFORE_TITLES) for title in self.title]
        return {
            "popularity": np.argsort(count, kind="stable"),
            "rating": np.lexsort((count, -self.expected_rating)),
            "informative": np.lexsort((count, -self.spread)),
            "year": np.lexsort((count, -self.year)),
            "title": np.array(sorted(range(len(self)), key=letters.__getitem__), np.intp),
        }

    @cached_property
    def mark(self) -> str:
        """Return a hash of the movies and their ratings in the dataset."""
        columns = (self.movies, self.year, self.rating_count, self.expected_rating, self.spread)
        texts = "\0".join([*self.title, *self.genres]).encode("utf-8", "surrogatepass")
        return blake2b(b"".join([texts, *(column.tobytes() for column in columns)]), digest_size=8).hexdigest()


NO_GENRES = "(no genres listed)"


def split_genres(genres: str) -> list[str]:
    """Return the distinct genres of a movie, without those that have no name."""
    names = (name.strip() for name in genres.split("|"))
    return list(dict.fromkeys(name for name in names if name not in ("", NO_GENRES)))
