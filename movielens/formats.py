"""The four formats of MovieLens datasets, recognized by their file names."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogue.movie import NO_GENRES, split_genres
from movielens.line_report import DatasetError, LineError
from movielens.text_file import FileFormat, require_lines

INT32 = 2**31 - 1
NOT_AN_ID = "an id that is not a whole number"
ID_RANGE = f"an id that is not from 1 to {INT32}"
LONGEST_TEXT = 500  # characters of a title, or of all genres of a movie; those of MovieLens are far shorter
START = 1 << 16  # number of bytes that determine the kind of text
# A year, or a range of years, alone in parentheses: (1995), (2006–2007), (2006-07), (2011-), (2009– ).
YEAR = re.compile(r"\(([1-9][0-9]{3})(?:\s*[-\u2013\u2014]\s*[0-9]{0,4}\s*)?\)")
# White space and format characters without width: soft hyphens, direction marks, byte order marks.
BLANK = "\ufeff" + "".join(c for c in map(chr, range(0x3001)) if c.isspace() or unicodedata.category(c) == "Cf")
# The order of the flags in u.item, for a dataset without u.genre.
GENRE_FLAGS = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


def parse_movielens_id(text: str) -> int:
    """Return the id in a field. Raises `LineError` for anything but a whole number from 1 to 2147483647."""
    if not re.fullmatch(r"[+-]?[0-9]+", text.strip()):
        raise LineError(NOT_AN_ID)
    if len(text) > 20 or not 1 <= int(text) <= INT32:
        raise LineError(ID_RANGE)
    return int(text)


def title_and_year(text: str) -> tuple[str, int | None]:
    """Split "Heat (1995)" into ("Heat", 1995), by the last year in parentheses, or the first year of a range there.

    A title that consists of its year keeps it. Blank and invisible characters around the title are removed.
    """
    years = list(YEAR.finditer(text))
    if not years:
        return text.strip(BLANK), None
    last = years[-1]
    title = f"{text[: last.start()].strip(BLANK)} {text[last.end() :].strip(BLANK)}".strip(BLANK)
    return title or text.strip(BLANK), int(last.group(1))


Description = tuple[str, str, int | None]
"""A movie's title, genres and year. Genres are joined as in MovieLens, distinct and without empty names."""


@dataclass(frozen=True)
class Format:
    """A format of MovieLens: its two files, and a function that reads title, genres and year from a movie's row.

    The first column of the movie file is the movie's id; the columns of the rating file are user, movie, rating, time.
    """

    movies: FileFormat
    ratings: FileFormat
    describe: Callable[[dict[str, str]], Description]

    def is_in(self, folder: Path) -> bool:
        """Return whether a folder has both files."""
        return (folder / self.movies.file).is_file() and (folder / self.ratings.file).is_file()


def _description(title: str, genres: Iterable[str]) -> Description:
    title, year = title_and_year(title)
    return title, "|".join(genres) or NO_GENRES, year


def _printed(row: dict[str, str]) -> Description:
    return _description(row["title"], split_genres(row["genres"]))


def _flagged(genres: Sequence[str]) -> Callable[[dict[str, str]], Description]:
    def describe(row: dict[str, str]) -> Description:
        return _description(row["title"], (genre for genre in genres if row[genre] == "1"))

    return describe


def _atomic(row: dict[str, str]) -> Description:
    """Read a row of RecBole, which moves the year from the title to a column, or fills that with something else."""
    release = row["release_year"].strip()
    described = _description(row["movie_title"], dict.fromkeys(row["class"].split()))
    if not (release.isascii() and release.isdecimal()):
        return described
    year = int(release) if len(release) == 4 and int(release) >= 1000 else None
    return row["movie_title"].strip(), described[1], year


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
    """Return the format of the original MovieLens 100K, with these genres as flags."""
    columns = ("id", "title", "release date", "video release date", "url", *genres)
    return Format(
        FileFormat("u.item", "|", columns, encodings=("latin-1",)),
        FileFormat("u.data", "\t", ("user", "movie", "rating", "timestamp")),
        _flagged(genres),
    )


# further files of datasets in CSV
LINKS = FileFormat("links.csv", ",", ("movieId", "imdbId", "tmdbId"), header=True, quoted=True)
TAGS = FileFormat("tags.csv", ",", ("userId", "movieId", "tag"), header=True, quoted=True)

FORMATS = (CSV, DAT, flagged_format(), RECBOLE)
FILES = frozenset(table.file for shape in FORMATS for table in (shape.movies, shape.ratings))


def detect(folder: Path) -> Format:
    """Return the format of the MovieLens dataset in a folder. Raises `DatasetError` if it has none."""
    for shape in FORMATS:
        if shape.is_in(folder):
            for table in (shape.movies, shape.ratings):
                with (folder / table.file).open("rb") as file:
                    require_lines(str(folder / table.file), file.read(START))
            return shape if shape.movies.file != "u.item" else flagged_format(tuple(_genres(folder)) or GENRE_FLAGS)
    pairs = [(shape.movies.file, shape.ratings.file) for shape in FORMATS]
    there = [name for pair in pairs for name in pair if (folder / name).is_file()]
    nested = [path.parent for shape in FORMATS for path in folder.glob(f"*/{shape.movies.file}")]
    hints = [f" Did you mean {inner}?" for inner in nested if any(shape.is_in(inner) for shape in FORMATS)]
    raise DatasetError(
        f"{folder} holds no whole MovieLens set: expected {', or '.join(' and '.join(pair) for pair in pairs)}; "
        f"found {' and '.join(there) or 'none of them'}.{''.join(hints[:1])}"
    )


def _genres(folder: Path) -> Iterator[str]:
    path = folder / "u.genre"
    for line in path.read_text("latin-1").splitlines() if path.is_file() else ():
        if name := line.partition("|")[0].strip():
            yield name


def fingerprint(folder: Path) -> str:
    """Return a hash, 16 hex digits, of the names and contents of the dataset's movie and rating files."""
    shape = detect(folder)
    digest = hashlib.sha256()
    for name in (shape.movies.file, shape.ratings.file):
        with (folder / name).open("rb") as file:
            digest.update(f"{name}:{hashlib.file_digest(file, 'sha256').hexdigest()};".encode())
    return digest.hexdigest()[:16]
