"""Read each movie's ids at IMDb and TMDB, and its most frequent tags, from a MovieLens dataset."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from movielens.formats import LINKS, TAGS, parse_movielens_id
from movielens.line_report import LineError, LineReport
from movielens.text_file import FileFormat, rows_of

TAGS_KEPT = 5
LONGEST_TAG = 100
IMDB_ID = re.compile(r"(?:tt)?([0-9]{1,10})")


@dataclass(frozen=True)
class MovieIdentity:
    """A movie's ids at IMDb ("tt0114709") and TMDB (a number), and its tags, most frequent first."""

    imdb_id: str | None = None
    tmdb_id: int | None = None
    tags: tuple[str, ...] = ()


def read_identities(folder: Path, movie_ids: Collection[int]) -> tuple[dict[int, MovieIdentity], list[LineReport]]:
    """Return the identity of each movie in links.csv or tags.csv; a dataset may lack either file.

    Unusable lines are reported and skipped. Raises `DatasetError` for a missing column.
    """
    links, reports = {}, []
    given: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def link(movie_id: int, row: dict[str, str]) -> None:
        tmdb = row["tmdbId"].strip()
        links[movie_id] = (parse_imdb_id(row["imdbId"]), parse_movielens_id(tmdb) if tmdb else None)

    def tag(movie_id: int, row: dict[str, str]) -> None:
        text = " ".join(row["tag"].casefold().split())
        if not 0 < len(text) <= LONGEST_TAG:
            raise LineError(f"a tag that is not of 1 to {LONGEST_TAG} characters")
        given[movie_id][text] += 1

    for table, take in ((LINKS, link), (TAGS, tag)):
        if (folder / table.file).is_file():
            reports.append(_read(folder, table, frozenset(movie_ids), take))
    return {
        movie: MovieIdentity(*links.get(movie, (None, None)), _most_frequent(given.get(movie, Counter())))
        for movie in links.keys() | given.keys()
    }, reports


def parse_imdb_id(text: str) -> str | None:
    """Return an id in IMDb's form, "tt" and at least seven digits; None for an empty text. Raises `LineError`."""
    if not text.strip():
        return None
    found = IMDB_ID.fullmatch(text.strip())
    if found is None:
        raise LineError("an imdbId that is not of up to 10 digits")
    return f"tt{int(found[1]):07d}"


def _read(
    folder: Path, table: FileFormat, movie_ids: Collection[int], take: Callable[[int, dict[str, str]], None]
) -> LineReport:
    report = LineReport(table.file)
    for number, row in rows_of(folder, table, report):
        try:
            movie_id = parse_movielens_id(row["movieId"])
            if movie_id not in movie_ids:
                raise LineError("a movie that the dataset does not have")
            take(movie_id, row)
            report.kept += 1
        except LineError as fault:
            report.reject(str(fault), [number])
    return report


def _most_frequent(tags: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(tags, key=lambda tag: (-tags[tag], tag))[:TAGS_KEPT])
