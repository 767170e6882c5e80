"""The four shapes in which MovieLens sets come, told apart by the names of their files."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogue.movie_table import NO_GENRES
from movielens.line_report import DatasetError, LineError
from movielens.title_year import title_and_year

INT32 = 2**31 - 1
NOT_AN_ID = "an id that is not a whole number"
ID_RANGE = f"an id that is not from 1 to {INT32}"
BOM = b"\xef\xbb\xbf"
# The order of the flags in u.item, for a set that lost its u.genre.
GENRE_FLAGS = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


@dataclass(frozen=True)
class FileFormat:
    """One text file: how its lines fall into columns.

    Attributes:
        columns: with a header those that must be in it, without one every column in order.
        encodings: the first that fits the whole file is taken; if none does, the first, line by line.
    """

    file: str
    separator: str
    columns: tuple[str, ...]
    header: bool = False
    quoted: bool = False
    encodings: tuple[str, ...] = ("utf-8",)

    @property
    def first_line(self) -> int:
        """The number of the first line that is not the header."""
        return 2 if self.header else 1

    def names(self, header: bytes) -> list[str]:
        """The name of every column, given the file's first line. Raises `DatasetError` for a missing one."""
        if not self.header:
            return list(self.columns)
        text = header.removeprefix(BOM).decode("utf-8", "replace").strip()
        row = next(csv.reader([text], delimiter=self.separator), [])
        found = [name.strip().partition(":")[0] for name in row]  # RecBole's names carry a type: "rating:float"
        if missing := [name for name in self.columns if name not in found]:
            raise DatasetError(
                f"{self.file} has no column {', '.join(missing)}; its first line names: {', '.join(found) or 'none'}. "
                "Give an unchanged MovieLens file, with its header."
            )
        return found

    def encoding(self, content: bytes) -> str:
        """The encoding of the file that has this content."""
        for encoding in self.encodings:
            try:
                content.decode(encoding)
            except UnicodeDecodeError:
                continue
            return encoding
        return self.encodings[0]

    def fields(self, line: bytes, width: int, encoding: str = "utf-8") -> list[str]:
        """The fields of one line. Raises `LineError` if it is not text or has not `width` of them."""
        try:
            text = line.rstrip(b"\r\n").decode(encoding)
        except UnicodeDecodeError:
            raise LineError(f"not {encoding.upper()} text") from None
        if "\0" in text:
            raise LineError("not text: it has a zero byte")
        row = self._unquoted(text) if self.quoted else text.split(self.separator)
        if len(row) != width:
            raise LineError(f"not {width} fields")
        return row

    def _unquoted(self, text: str) -> list[str]:
        # Line by line, so that a quote left open spoils its own line and not the rest of the file.
        try:
            return next(csv.reader([text], delimiter=self.separator, strict=True), [])
        except csv.Error:
            raise LineError("quotes that do not match") from None


def parse_movielens_id(text: str) -> int:
    """The id a field holds. Raises `LineError` for anything but a whole number from 1 to 2147483647."""
    if not re.fullmatch(r"[+-]?[0-9]+", text.strip()):
        raise LineError(NOT_AN_ID)
    if len(text) > 20 or not 1 <= int(text) <= INT32:
        raise LineError(ID_RANGE)
    return int(text)


@dataclass(frozen=True)
class Description:
    """What a line says of a movie."""

    title: str
    genres: str
    year: int | None


@dataclass(frozen=True)
class Format:
    """A shape of MovieLens: its two files and how a row of the movies' file, by column name, is understood.

    The first of the movies' columns is the movie's id; the ratings' are user, movie, rating and time, in this order.
    """

    movies: FileFormat
    ratings: FileFormat
    describe: Callable[[dict[str, str]], Description]


def _printed(row: dict[str, str]) -> Description:
    title, year = title_and_year(row["title"].strip())
    return Description(title, row["genres"].strip() or NO_GENRES, year)


def _flagged(genres: Sequence[str]) -> Callable[[dict[str, str]], Description]:
    def describe(row: dict[str, str]) -> Description:
        title, year = title_and_year(row["title"].strip())
        return Description(title, "|".join(genre for genre in genres if row[genre] == "1") or NO_GENRES, year)

    return describe


def _atomic(row: dict[str, str]) -> Description:
    """RecBole took the year out of the title; where it missed it, the year column holds something else."""
    title, release, genres = row["movie_title"].strip(), row["release_year"].strip(), "|".join(row["class"].split())
    if release.isascii() and release.isdecimal():
        return Description(title, genres or NO_GENRES, int(release) if 1000 <= int(release) <= 9999 else None)
    title, year = title_and_year(title)
    return Description(title, genres or NO_GENRES, year)


CSV = Format(
    FileFormat("movies.csv", ",", ("movieId", "title", "genres"), header=True, quoted=True),
    FileFormat("ratings.csv", ",", ("userId", "movieId", "rating"), header=True, quoted=True),
    _printed,
)
# 1M is Latin-1 and 10M is UTF-8 under the same names.
DAT = Format(
    FileFormat("movies.dat", "::", ("id", "title", "genres"), encodings=("utf-8", "latin-1")),
    FileFormat("ratings.dat", "::", ("user", "movie", "rating", "timestamp")),
    _printed,
)
RECBOLE = Format(
    FileFormat("ml-100k.item", "\t", ("item_id", "movie_title", "release_year", "class"), header=True),
    FileFormat("ml-100k.inter", "\t", ("user_id", "item_id", "rating"), header=True),
    _atomic,
)


def flagged_format(genres: Sequence[str] = GENRE_FLAGS) -> Format:
    """MovieLens 100K as it was published, with these genres as flags."""
    columns = ("id", "title", "release date", "video release date", "url", *genres)
    return Format(
        FileFormat("u.item", "|", columns, encodings=("latin-1",)),
        FileFormat("u.data", "\t", ("user", "movie", "rating", "timestamp")),
        _flagged(genres),
    )


FORMATS = (CSV, DAT, flagged_format(), RECBOLE)
FILES = frozenset(table.file for shape in FORMATS for table in (shape.movies, shape.ratings))


def detect(folder: Path) -> Format:
    """The format of the MovieLens set in this folder. Raises `DatasetError` if it holds none."""
    for shape in FORMATS:
        if (folder / shape.movies.file).is_file() and (folder / shape.ratings.file).is_file():
            return shape if shape.movies.file != "u.item" else flagged_format(tuple(_genres(folder)) or GENRE_FLAGS)
    pairs = [(shape.movies.file, shape.ratings.file) for shape in FORMATS]
    there = [name for pair in pairs for name in pair if (folder / name).is_file()]
    raise DatasetError(
        f"{folder} holds no whole MovieLens set: expected {', or '.join(' and '.join(pair) for pair in pairs)}; "
        f"found {' and '.join(there) or 'none of them'}."
    )


def _genres(folder: Path) -> Iterator[str]:
    path = folder / "u.genre"
    for line in path.read_text("latin-1").splitlines() if path.is_file() else ():
        if name := line.partition("|")[0].strip():
            yield name
