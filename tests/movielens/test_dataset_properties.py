"""Whatever line a dataset has: it is stored and comes back equal, or is rejected with its number; the rest is kept."""

import csv
import io
from pathlib import Path
from typing import Any

from conftest import EMPTY_ALL
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from jobs.ingest import catalogue_rows
from movielens.formats import title_and_year
from movielens.reader import read_movies, read_ratings
from storage import movies
from storage.database import Database

EXAMPLES = settings(max_examples=60, derandomize=True, database=None, deadline=None, print_blob=True)
GOOD = range(100, 300)  # enough movies for one bad line to be under 1 %
ODD = ["", " ", "\0", "\r", "\\.", "\u200e", "\ufeff", '"', "|||", "x" * 501, "x" * 200_000, "-1", "1_0", "٤", "nan"]
WILD = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


def write(folder: Path, movie_line: bytes = b"", rating_line: bytes = b"") -> None:
    good = "".join(f"{movie},Movie {movie} (1999),Drama\n" for movie in GOOD)
    (folder / "movies.csv").write_bytes(f"movieId,title,genres\n{good}".encode() + movie_line)
    good = "".join(f"7,{movie},4.0,1000\n" for movie in GOOD)
    (folder / "ratings.csv").write_bytes(f"userId,movieId,rating,timestamp\n{good}".encode() + rating_line)


def csv_line(*fields: Any) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(fields)  # which quotes a field with a line feed
    return out.getvalue().removesuffix("\n").encode()


def test_a_movie_comes_back_equal_or_is_rejected(database: Database, tmp_path: Path) -> None:
    @EXAMPLES
    @given(WILD, WILD)
    def holds(title: str, genres: str) -> None:
        write(tmp_path, csv_line(1, title, genres))
        parsed, report = read_movies(tmp_path)
        ratings, _ = read_ratings(tmp_path, [movie.movie_id for movie in parsed])
        with database.background_transaction() as db:
            db.execute(text(EMPTY_ALL))
            movies.fill(db, catalogue_rows(tmp_path, parsed, ratings))
            stored = movies.table(db)
        assert stored.movies.tolist()[-len(GOOD) :] == list(GOOD)
        if len(parsed) == len(GOOD):
            assert {line for line, _ in report.first} <= {len(GOOD) + 2, len(GOOD) + 3}
            assert report.rejected
        else:
            first = stored.movie(0)
            assert (first.movie_id, first.title, first.year) == (1, *title_and_year(title))
            assert stored.by_genre.keys() - {"Drama"} == {name.strip() for name in genres.split("|")} - {"", "Drama"}

    holds()


def test_a_rating_comes_back_equal_or_is_rejected(tmp_path: Path) -> None:
    @EXAMPLES
    @given(st.lists(st.sampled_from(["8", "100", "4.5", "1000"]) | WILD, min_size=4, max_size=4))
    def holds(fields: list[str]) -> None:
        write(tmp_path, rating_line=csv_line(*fields))
        ratings, report = read_ratings(tmp_path, GOOD)
        assert ratings.movie[ratings.user == 7].tolist()[-len(GOOD) :] == list(GOOD)
        if len(ratings) == len(GOOD):
            assert report.rejected
        else:
            own = ratings.take(ratings.user != 7)
            columns = (own.user, own.movie, own.rating, own.at)
            assert [column.tolist() for column in columns] == [[int(float(field) * 2) / 2] for field in fields]

    holds()
