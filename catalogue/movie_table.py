"""All movies as columns, for filters, sort orders, search, and popularity before the first training run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from catalogue.movie import LAST_YEAR, UNKNOWN_YEAR, CatalogueMovie, Filters, UnknownGenreError, split_genres
from catalogue.title_index import TitleIndex, best_matches, build_title_index
from catalogue.title_words import normalize
from ranking.ratings import Floats, Ints, Mask, Rows, rows_of

BEFORE_TITLES = " \"'([.!?-"  # ignored when titles are sorted
DESCENDING = {"rating": "expected_rating", "informative": "spread", "year": "year"}
MOST_FRESH = 500  # most changed movies in the second, small index; beyond that, all indexes are rebuilt

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class MovieTable:
    """f movies, one in each row. Withdrawn movies have a row too, but pass no filter.

    Attributes:
        movies: ids, ascending, int32 [f].
        title, genres: as in `CatalogueMovie`, str [f].
        year: 0 if unknown, int16 [f].
        rating_count: number of ratings in the dataset, int32 [f].
        like_count: number of ratings of 4 and more in the dataset, int32 [f].
        expected_rating: damped mean of the ratings in the dataset, float32 [f].
        spread: sum of squared deviations of these ratings from their mean; 0 if unknown, float32 [f].
        rating_sum: sum of the ratings in the dataset, float64 [f].
        imdb_id: str or None [f]; tmdb_id: 0 if unknown, int32 [f].
        added_at: unix seconds, int64 [f].
        withdrawn: bool [f].
        version: the catalogue version.
        base: an earlier version whose indexes this one uses. fresh: the rows of the movies that have changed since.
    """

    movies: Ints
    title: Texts
    genres: Texts
    year: npt.NDArray[np.int16]
    rating_count: Ints
    like_count: Ints
    expected_rating: Floats
    spread: Floats
    rating_sum: npt.NDArray[np.float64]
    imdb_id: Texts
    tmdb_id: Ints
    added_at: npt.NDArray[np.int64]
    withdrawn: Mask
    version: int = 0
    base: "MovieTable | None" = None
    fresh: Rows | None = None

    def __len__(self) -> int:
        return len(self.movies)

    def rows(self, movies: Ints) -> tuple[Rows, Mask]:
        """Return the rows of the existing movies among `movies`, and a mask of these."""
        return rows_of(self.movies, movies)

    def movie(self, row: int) -> CatalogueMovie:
        """Return the movie at a row."""
        year = int(self.year[row])
        return CatalogueMovie(
            int(self.movies[row]),
            self.title[row],
            self.genres[row],
            None if year == UNKNOWN_YEAR else year,
            self.imdb_id[row],
            int(self.tmdb_id[row]) or None,
        )

    def by_id(self, movie_id: int) -> CatalogueMovie:
        """Return an existing movie. It is cached, because most lists contain the same few movies."""
        movie = self._shown.get(movie_id)
        if movie is None:
            movie = self._shown[movie_id] = self.movie(int(np.searchsorted(self.movies, movie_id)))
        return movie

    @cached_property
    def _shown(self) -> dict[int, CatalogueMovie]:
        return {}

    def take(self, movies: Ints) -> "MovieTable":
        """Return the table of the existing movies among `movies`, which are ascending."""
        if np.array_equal(movies, self.movies):
            return self
        # movies added here have the highest ids, so without them columns are sliced and not copied
        first = np.array_equal(movies, self.movies[: len(movies)])
        rows = slice(len(movies)) if first else self.rows(movies)[0]
        columns: dict[str, Any] = {name: column[rows] for name, column in self._columns.items()}
        return MovieTable(**columns, version=self.version)

    def updated(self, changed: "MovieTable") -> "MovieTable":
        """Return the table at the version of `changed`, whose movies are added or replace movies with the same id."""
        rows, known = self.rows(changed.movies)
        at = np.searchsorted(self.movies, changed.movies[~known])
        last = bool((at == len(self)).all())  # usual for new movies; inserting takes three times as long
        columns: dict[str, Any] = {}
        for name, theirs in changed._columns.items():
            column, old, new = getattr(self, name), theirs[known], theirs[~known]
            if not np.array_equal(column[rows], old):  # copying a column of texts takes a millisecond
                column = column.copy()
                column[rows] = old
            if len(new):
                column = np.concatenate([column, new]) if last else np.insert(column, at, new)
            columns[name] = column
        movies = columns["movies"]
        before = self.movies[:0] if self.fresh is None else self.movies[self.fresh]
        fresh = np.searchsorted(movies, np.union1d(before, changed.movies))
        if len(fresh) > MOST_FRESH:
            return MovieTable(**columns, version=changed.version)
        return MovieTable(**columns, version=changed.version, base=self.base or self, fresh=fresh)

    @property
    def _columns(self) -> dict[str, Any]:
        """Return the arrays of f values by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)[:-3]}

    def warm_up(self) -> None:
        """Build all indexes, so that the first search does not wait for them."""
        _ = self.titles, self.by_genre
        for sort in ("popularity", "title", *DESCENDING):
            self.order(sort)

    @cached_property
    def listed(self) -> Mask | None:
        """Return which movies may be listed, bool [f]; None for all."""
        return ~self.withdrawn if self.withdrawn.any() else None

    def matching(self, filters: Filters) -> Mask:
        """Return which movies may be listed and pass the filters, bool [f]. Raises `UnknownGenreError`."""
        passing: Mask = ~self.withdrawn & (self.rating_count >= filters.min_ratings)
        if filters.added_since is not None:
            passing &= self.added_at >= filters.added_since
        # sorted ids are found three times as fast
        if filters.movie_ids is not None:
            passing &= self._mask(self.rows(np.sort(np.array(filters.movie_ids, np.int32)))[0])
        if filters.exclude:
            passing[self.rows(np.sort(np.array(filters.exclude, np.int32)))[0]] = False
        if filters.imdb_id is not None:
            passing &= self.imdb_id == filters.imdb_id
        if filters.tmdb_id is not None:
            passing &= self.tmdb_id == filters.tmdb_id
        for genre in filters.genres:
            passing &= self._mask(self._having("genre", genre))
        if filters.any_genre:
            passing &= self._mask(np.concatenate([self._having("any_genre", genre) for genre in filters.any_genre]))
        for genre in filters.not_genre:
            passing[self._having("not_genre", genre)] = False
        if filters.year_from is not None or filters.year_to is not None:
            first, last = filters.year_from or UNKNOWN_YEAR + 1, filters.year_to or LAST_YEAR
            passing &= (self.year >= first) & (self.year <= last)
        return passing

    def _mask(self, rows: Rows) -> Mask:
        mask = np.zeros(len(self), bool)
        mask[rows] = True
        return mask

    def _having(self, name: str, genre: str) -> Rows:
        for known, rows in self.by_genre.items():
            if known.casefold() == genre.casefold():
                return rows
        raise UnknownGenreError(name, genre, self.by_genre)

    @cached_property
    def by_genre(self) -> Mapping[str, Rows]:
        """Return the rows of the movies of each genre, by name."""
        kinds: dict[str, int] = {}  # a large catalogue has a thousand or so distinct texts
        kind = np.array([kinds.setdefault(listed, len(kinds)) for listed in self.genres], np.intp)
        having: dict[str, Mask] = {}
        for listed, number in kinds.items():
            for name in split_genres(listed):
                having.setdefault(name, np.zeros(len(kinds), bool))[number] = True
        return {name: np.flatnonzero(having[name][kind]) for name in sorted(having)}

    @cached_property
    def genre_shares(self) -> Floats:
        """Return the share of each genre in each movie, float32 [f, genres + 1]; the last column is "no genre"."""
        shares = np.zeros((len(self), len(self.by_genre) + 1), np.float32)
        for column, rows in enumerate(self.by_genre.values()):
            shares[rows, column] = 1
        shares[:, -1] = ~shares.any(axis=1)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def genre_shares_of(self, movies: Ints) -> Floats:
        """Return the genre shares of these movies [n]; zeros for movies that the table lacks."""
        rows, known = self.rows(movies)
        shares = np.zeros((len(movies), self.genre_shares.shape[1]), np.float32)
        shares[known] = self.genre_shares[rows]
        return shares

    @cached_property
    def titles(self) -> TitleIndex:
        """Return the index of all titles, or of the `fresh` movies. It takes a second to build for 87,000 movies."""
        rows = slice(None) if self.base is None else self.fresh
        known = None if self.base is None else self.base.titles
        return build_title_index(self.title[rows], self.year[rows].tolist(), self.rating_count[rows], known)

    def search(self, text: str) -> tuple[Rows, Floats]:
        """Return the rows of the movies whose titles match a query, ascending, and their scores."""
        if self.base is None:
            return self.titles.search(text)
        matches = [np.zeros(len(self), np.float32) for _ in range(2)]
        for rows, index in ((self._base_rows, self.base.titles), (self.fresh, self.titles)):
            for column, found in zip(matches, index.scores(text), strict=True):
                column[rows] = found
        return best_matches(*matches)

    @cached_property
    def _base_rows(self) -> Rows:
        return np.searchsorted(self.movies, self.movies[:0] if self.base is None else self.base.movies)

    def order(self, sort: str) -> Rows:
        """Return the rows of all movies by popularity, by title, or by a column of `DESCENDING`; ties by popularity.

        A movie is informative if a user probably knows it, which grows with the number of ratings, and if its ratings
        vary; the number times the variance is, up to a constant, the spread.
        """
        if sort not in self._orders:
            count = -self.rating_count
            if sort == "popularity":
                self._orders[sort] = np.argsort(count, kind="stable")
            elif sort == "title":
                self._orders[sort] = np.array(sorted(range(len(self)), key=self._letters.__getitem__), np.intp)
            else:
                self._orders[sort] = np.lexsort((count, -getattr(self, DESCENDING[sort])))
        return self._orders[sort]

    @cached_property
    def _orders(self) -> dict[str, Rows]:
        return {}

    @cached_property
    def _letters(self) -> Texts:
        """Return the sort key of each movie for the order by title."""
        letters = np.empty(len(self), object)
        rows = np.arange(len(self))
        if self.base is not None and self.fresh is not None:
            letters[self._base_rows], rows = self.base._letters, self.fresh
        letters[rows] = [normalize(title).lstrip(BEFORE_TITLES) for title in self.title[rows]]
        return letters
