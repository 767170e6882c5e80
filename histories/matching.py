"""Find the movies of the catalogue that rows are about, by id, else by title and year, and plan what to store."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz, process

from catalogue.movie_table import MovieTable
from catalogue.title_words import ARTICLES, SYMBOLS, display_title, names, normalize, title_pieces
from histories.reading import History
from histories.rows import HistoryRow

SIMILAR = 80  # of 100: titles that are offered as candidates
MOST_CANDIDATES = 5
LONG_AGO = datetime.min.replace(tzinfo=UTC)
ARTICLE_WORDS = frozenset(normalize(article).strip("'") for article in ARTICLES.split("|") if "[" not in article)


class RowMatch(NamedTuple):
    """The movie of a row; without one, the reason, and the movies that it may be."""

    movie_id: int | None
    reason: str = ""
    candidates: tuple[int, ...] = ()


class ListedTitles(NamedTuple):
    """The titles of the movies that are not withdrawn, as keys: the main one by row, the rows by key, and by year."""

    main: dict[int, str]
    rows: dict[str, list[int]]
    of_year: dict[int, dict[str, int]]


class MovieMatcher:
    """Finds movies by what other services call them.

    A withdrawn movie is found by its id alone and for a rating alone, which stays in the history; no list needs a mark.
    """

    def __init__(self, movies: MovieTable) -> None:
        self.movies = movies
        self._by_imdb: dict[str, list[int]] = defaultdict(list)
        self._by_tmdb: dict[int, list[int]] = defaultdict(list)
        for row in range(len(movies)):
            if movies.imdb_id[row]:
                self._by_imdb[movies.imdb_id[row]].append(row)
            if movies.tmdb_id[row]:
                self._by_tmdb[int(movies.tmdb_id[row])].append(row)

    @cached_property
    def _titles(self) -> "ListedTitles":
        """Return the titles, which take six times as long as the ids: a row with an id does not wait for them."""
        titles = ListedTitles({}, defaultdict(list), defaultdict(dict))
        for row in np.flatnonzero(~self.movies.withdrawn).tolist():
            for key in title_keys(self.movies.title[row]):
                titles.main.setdefault(row, key)
                titles.rows[key].append(row)
                titles.of_year[int(self.movies.year[row])].setdefault(key, row)
        return titles

    def match(self, row: HistoryRow) -> RowMatch:
        """Return the movie of a row, if it is exactly one."""
        by_id = self._with_its_id(row)
        if len(by_id) == 1:
            return RowMatch(int(self.movies.movies[by_id[0]]))
        if not row.is_movie:
            return RowMatch(None, "it is not a movie")
        if not row.title:
            return RowMatch(None, "several movies have this id" if by_id else "no movie has this id", self._ids(by_id))
        same = [at for at in self._with_its_title(row) if not by_id or at in by_id]
        if row.year is None:
            return RowMatch(None, "the year is missing" if same else "no movie has this title", self._ids(same))
        near = [at for at in same if abs(int(self.movies.year[at]) - row.year) <= 1 and self.movies.year[at]]
        exact = [at for at in near if self.movies.year[at] == row.year]
        found = exact or near
        if len(found) > 1:
            main = [at for at in found if self._titles.main[at] in title_keys(row.title)]
            return RowMatch(None, "several movies have this title", self._ids(main or found))
        if not found:
            return self._unmatched(row, same or by_id)
        if self._is_other(row, found[0]):
            return RowMatch(None, "the movie with this title has another id", self._ids(found))
        return RowMatch(int(self.movies.movies[found[0]]))

    def _with_its_id(self, row: HistoryRow) -> list[int]:
        if row.movie_id is not None:
            at, _ = self.movies.rows(np.array([row.movie_id], np.int32))
            if found := self._listed(at.tolist(), row):
                return found
        found = self._listed(self._by_imdb.get(row.imdb_id or "", []), row)
        if len(found) != 1 and row.tmdb_id is not None:
            found = self._listed(self._by_tmdb.get(row.tmdb_id, []), row) or found
        return found

    def _listed(self, found: list[int], row: HistoryRow) -> list[int]:
        """Return the movies that are not withdrawn. If all are, return all for a rating, and none for a mark."""
        return [at for at in found if not self.movies.withdrawn[at]] or (found if row.rating is not None else [])

    def _with_its_title(self, row: HistoryRow) -> list[int]:
        return list(dict.fromkeys(at for key in title_keys(row.title) for at in self._titles.rows.get(key, ())))

    def _is_other(self, row: HistoryRow, at: int) -> bool:
        """Return whether a movie has another id than the row where both have one."""
        imdb, tmdb = self.movies.imdb_id[at], int(self.movies.tmdb_id[at])
        return bool((row.imdb_id and imdb and row.imdb_id != imdb) or (row.tmdb_id and tmdb and row.tmdb_id != tmdb))

    def _unmatched(self, row: HistoryRow, same: list[int]) -> RowMatch:
        if same:
            return RowMatch(None, "the movie with this title is of another year", self._ids(same))
        key = next(title_keys(row.title), "")
        years = () if row.year is None else range(row.year - 1, row.year + 2)
        near = {title: at for year in years for title, at in self._titles.of_year.get(year, {}).items()}
        found = process.extract(key, near.keys(), scorer=fuzz.ratio, score_cutoff=SIMILAR, limit=MOST_CANDIDATES)
        rows = list(dict.fromkeys(near[title] for title, *_ in found))
        return RowMatch(None, "only similar titles were found" if rows else "no movie has this title", self._ids(rows))

    def _ids(self, rows: list[int]) -> tuple[int, ...]:
        return tuple(self.movies.movies[rows[:MOST_CANDIDATES]].tolist())


def title_keys(title: str) -> Iterator[str]:
    """Yield each name of a title, the main one first, without case, accents, articles and punctuation."""
    yield _key(display_title(title))
    if "(" in title:
        for name in names(title):
            yield _key(display_title(name))


def _key(name: str) -> str:
    plain = normalize(name).replace("&", " and ")
    words = title_pieces(plain)
    if len(words) > 1 and words[0] in ARTICLE_WORDS:
        words = words[1:]
    return "".join(words) or "".join(SYMBOLS.findall(plain))


@dataclass
class ImportPlan:
    """Rows by movie, those with a rating and those with a mark; rows without a movie, with what was found."""

    ratings: dict[int, HistoryRow] = field(default_factory=dict)
    marks: dict[int, HistoryRow] = field(default_factory=dict)
    unmatched: list[tuple[HistoryRow, RowMatch]] = field(default_factory=list)
    other: int = 0


def plan_import(history: History, movies: MovieTable) -> ImportPlan:
    """Return what to store. Of several rows of a movie the latest stays, and a rating rather than a mark."""
    plan, matcher = ImportPlan(), MovieMatcher(movies)
    matched: list[tuple[int, HistoryRow]] = []
    for row in history.rows:
        match = matcher.match(row)
        if match.movie_id is None and not row.is_movie:
            plan.other += 1
        elif match.movie_id is None or row.fault:
            plan.unmatched.append((row, match._replace(reason=row.fault or match.reason)))
        elif row.rating is not None or row.mark:
            matched.append((match.movie_id, row))
    for movie_id, row in sorted(matched, key=lambda pair: (pair[1].mark != "later", pair[1].at or LONG_AGO)):
        (plan.marks if row.rating is None else plan.ratings)[movie_id] = row
    for movie_id in plan.ratings:
        plan.marks.pop(movie_id, None)
    return plan
