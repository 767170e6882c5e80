"""The tables that people bring: by which columns each is known, and what its columns mean."""

import re
from collections.abc import Collection
from dataclasses import dataclass

ASK = 0  # the table does not say its scale


@dataclass(frozen=True)
class TableFormat:
    """A kind of table. Names of columns are in lower-case letters and digits alone.

    Attributes:
        known_by: the columns that it has.
        title, year, rating, at: columns of that meaning, of which the first with a value counts.
        scale: the best rating; None if the greatest rating decides.
        unrated: the mark of a row without a rating; None if it may be either.
    """

    name: str
    known_by: str
    title: str = "title"
    year: str = "year"
    rating: str = "rating"
    at: str = "date"
    kind: str = "type"
    movie_id: str = ""
    imdb_id: str = "imdbid"
    tmdb_id: str = "tmdbid"
    url: str = "url"
    scale: int | None = None
    unrated: str | None = None


FORMATS = (
    TableFormat("movielens", "movieid imdbid tmdbid title", movie_id="movieid", scale=5, unrated="later"),
    TableFormat("movielens", "movieid rating timestamp", movie_id="movieid", at="timestamp", scale=5),
    TableFormat("letterboxd", "name letterboxduri", title="name", at="watcheddate date", scale=5),
    TableFormat("letterboxd", "title tmdbid imdbid watcheddate", at="watcheddate", scale=5, unrated="seen"),
    TableFormat("imdb", "const title", rating="yourrating yourated", at="daterated created", kind="titletype",
                imdb_id="const", scale=10, unrated="later"),
    TableFormat("trakt", "type title traktid", at="ratedat lastwatchedat watchedat listedat", scale=10),
    TableFormat("tmdb", "tmdbid name yourrating", title="name", year="releasedate", rating="yourrating",
                at="daterated", scale=10, unrated="later"),
    TableFormat("criticker", "score filmname", title="filmname", rating="score", at="daterated", scale=ASK),
    TableFormat("filmtipset", "votedate movietitle imdb score", title="movietitle", rating="score", at="votedate",
                imdb_id="imdb", scale=5),
)  # fmt: skip
PLAIN = TableFormat(
    "csv",
    "",
    title="title name film movie filmname movietitle originaltitle",
    year="year releaseyear releasedate released",
    rating="yourrating myrating rating rating10 score stars userrating",
    at="daterated ratedat watcheddate watchedat watcheddate date rateddate timestamp",
    kind="type titletype",
    movie_id="movieid movielensid",
    imdb_id="imdbid imdb const tconst",
    tmdb_id="tmdbid tmdb",
)


def column_name(text: str) -> str:
    """Return the name of a column in lower-case letters and digits alone."""
    return re.sub("[^a-z0-9]", "", text.lower())


def format_of(columns: Collection[str]) -> TableFormat | None:
    """Return the format of a table with these columns; None if it is none."""
    for one in FORMATS:
        if set(one.known_by.split()) <= set(columns):
            return one
    has_title = any(name in columns for name in (*PLAIN.title.split(), *PLAIN.imdb_id.split()))
    has_more = any(name in columns for name in (*PLAIN.rating.split(), *PLAIN.year.split()))
    return PLAIN if has_title and has_more else None
