"""Files that people bring: each known format by a short example, and what is refused."""

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest

from histories.files import LARGEST_FILE, LARGEST_UNPACKED
from histories.reading import read_history
from histories.rows import HistoryFileError

LETTERBOXD = "Date,Name,Year,Letterboxd URI"
IMDB = (
    "Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,"
    "Release Date,Directors\n"
)
OLD_IMDB = (
    '"position","const","created","modified","description","Title","Title type","Directors","You rated","IMDb Rating",'
    '"Runtime (mins)","Year","Genres","Num. Votes","Release Date (month/day/year)","URL"\n'
)
FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "movielens": (
        "movielens",
        "movie_id,imdb_id,tmdb_id,rating,average_rating,title\r\n1,0114709,862,4.0,3.88912,Toy Story (1995)\r\n",
        {"movie_id": 1, "imdb_id": "tt0114709", "tmdb_id": 862, "rating": 4.0, "title": "Toy Story", "year": 1995},
    ),
    "movielens wishlist": (
        "movielens",
        "movie_id,imdb_id,tmdb_id,average_rating,title\r\n1,0114709,862,3.88912,Toy Story (1995)\r\n",
        {"movie_id": 1, "rating": None, "mark": "later"},
    ),
    "movielens log": (
        "movielens",
        "datetime,login_id,action_type,log_json\n"
        '2020-08-23 18:30:00.0,u1,rating,"{""movieId"":1,""rating"":3.5,""action"":""ADD""}"\n'
        '2020-08-24 18:30:00.0,u1,rating,"{""movieId"":1,""rating"":4.5,""action"":""UPDATE""}"\n',
        {"movie_id": 1, "rating": 4.5, "at": datetime(2020, 8, 24, 18, 30, tzinfo=UTC)},
    ),
    "our csv": ("movielens", "userId,movieId,rating,timestamp\n7,1,3.5,1000000000\n", {"movie_id": 1, "rating": 3.5}),
    "letterboxd ratings": (
        "letterboxd",
        f"{LETTERBOXD},Rating\n2017-05-02,Life,2017,https://boxd.it/2aHM,3.5\n",
        {"title": "Life", "year": 2017, "rating": 3.5, "at": datetime(2017, 5, 2, tzinfo=UTC)},
    ),
    "letterboxd diary": (
        "letterboxd",
        f'{LETTERBOXD},Rating,Rewatch,Tags,Watched Date\n2017-05-02,Life,2017,u,,Yes,"a\nb",2017-05-01\n',
        {"rating": None, "mark": "seen", "at": datetime(2017, 5, 1, tzinfo=UTC)},
    ),
    "letterboxd import": (
        "letterboxd",
        "tmdbID,imdbID,Title,Year,WatchedDate,Rating\n862,tt0114709,Toy Story,1995,2017-05-02,5\n",
        {"tmdb_id": 862, "imdb_id": "tt0114709", "rating": 5.0},
    ),
    "imdb": (
        "imdb",
        f'{IMDB}tt0114709,5,2020-01-01,Toy Story,Toy Story,u,Movie,8.3,81,1995,"A, B",1,1995-11-22,J L\n',
        {"imdb_id": "tt0114709", "rating": 2.5, "year": 1995, "is_movie": True},
    ),
    "imdb series": (
        "imdb",
        f'{IMDB}tt0944947,9,2020-01-01,GoT,GoT,u,TV Series,9,57,2011,"A, B",1,2011-11-22,J L\n',
        {"rating": 4.5, "is_movie": False},
    ),
    "imdb before 2017": (
        "imdb",
        f'{OLD_IMDB}"1","tt0114709","Sat Dec 31 00:00:00 2016","","","Toy Story","Feature Film","x","8","8","81",'
        '"1995","animation","1","1995-01-01","u"\n',
        {"rating": 4.0, "at": datetime(2016, 12, 31, tzinfo=UTC)},
    ),
    "imdb list": (
        "imdb",
        "Position,Const,Created,Modified,Description,Title,URL,Title Type,Year,Your Rating,Date Rated\n"
        "1,tt0114709,2020-01-01,,,Toy Story,u,Movie,1995,,\n",
        {"rating": None, "mark": "later", "at": datetime(2020, 1, 1, tzinfo=UTC)},
    ),
    "trakt": (
        "trakt",
        '[{"rated_at":"2014-09-01T09:10:11.000Z","rating":10,"type":"movie","movie":{"title":"TRON: Legacy",'
        '"year":2010,"ids":{"trakt":1,"imdb":"tt1104001","tmdb":null}}}]',
        {"imdb_id": "tt1104001", "tmdb_id": None, "rating": 5.0, "at": datetime(2014, 9, 1, 9, 10, 11, tzinfo=UTC)},
    ),
    "trakt watched": (
        "trakt",
        '[{"plays":2,"last_watched_at":"2014-09-01T09:10:11.000Z","movie":{"title":"TRON","year":1982,"ids":null}}]',
        {"title": "TRON", "rating": None, "mark": "seen"},
    ),
    "trakt csv": (
        "trakt",
        "rated_at,type,title,year,trakt_rating,trakt_id,imdb_id,tmdb_id,rating\n"
        "2014-09-01T09:10:11Z,movie,TRON: Legacy,2010,6.9,1,tt1104001,20526,9\n",
        {"rating": 4.5, "tmdb_id": 20526},
    ),
    "tmdb": (
        "tmdb",
        "TMDb ID,IMDb ID,Type,Name,Release Date,Season Number,Episode Number,Rating,Your Rating,Date Rated\n"
        "453395,,movie,Doctor Strange,2022-05-04T00:00:00Z,,,7.229,7.0,2022-09-20T00:00:00Z\n",
        {"tmdb_id": 453395, "imdb_id": None, "rating": 3.5, "year": 2022},
    ),
    "tmdb series": (
        "tmdb",
        "TMDb ID,IMDb ID,Type,Name,Release Date,Season Number,Episode Number,Rating,Your Rating,Date Rated\n"
        "862,,tv,A Series,2022-05-04T00:00:00Z,,,7.229,7.0,2022-09-20T00:00:00Z\n",
        {"tmdb_id": None, "is_movie": False},  # the number is that of a movie, too
    ),
    "criticker": (
        "criticker",
        'Score, Film Name, Year, Date Rated, Mini Review, URL, IMDB ID\n86,Fight Club,1999,"Apr 23 2017, 08:18",,u,1\n',
        {"title": "Fight Club", "rating": 4.5, "at": datetime(2017, 4, 23, 8, 18, tzinfo=UTC)},
    ),
    "criticker xml": (
        "criticker",
        '<?xml version="1.0"?><recentratings><film><filmname>Fight Club (1999)</filmname><imdbid>tt0137523</imdbid>'
        "<rating>90</rating><reviewdate>Apr 23 2017, 08:18</reviewdate></film></recentratings>",
        {"title": "Fight Club", "year": 1999, "imdb_id": "tt0137523", "rating": 4.5},
    ),
    "filmtipset": (
        "filmtipset",
        "VoteDate;MovieTitle;IMDB;Score\n2014-08-02;Tom &amp; Jerry;-1,5\n",
        {"title": "Tom & Jerry", "imdb_id": None, "rating": 5.0},
    ),
    "anything": ("csv", "Film;Year;Stars\nFight Club;1999;4,5\n", {"title": "Fight Club", "rating": 4.5}),
}


def test_a_file_is_known_by_what_is_in_it() -> None:
    for name in FILES:
        for encoding in ["utf-8", "utf-8-sig", "utf-16"]:
            known_as, text, wanted = FILES[name]
            history = read_history(text.encode(encoding))
            assert history.format == known_as
            (row,) = history.rows
            assert {name: getattr(row, name) for name in wanted} == wanted
            assert row.fault is None


def test_windows_text_and_lone_carriage_returns_are_read() -> None:
    (row,) = read_history("Title\rAmélie\r".replace("Title", "Title,Year,Rating").replace("ie\r", "ie,2001,5\r").encode(
        "cp1252")).rows  # fmt: skip
    assert (row.title, row.line) == ("Amélie", 2)


@pytest.mark.parametrize(
    ("scores", "asked", "scale", "rated", "rounded"),
    [
        (["5", "0.5"], None, 5, [5, 0.5], 0),
        (["7", "8.5"], None, 10, [3.5, 4.5], 1),
        (["100", "0", "33"], None, 100, [5, 0.5, 1.5], 2),
        (["4", "5"], 10, 10, [2, 2.5], 0),
    ],
)
def test_a_scale_is_told_by_the_highest_rating_or_the_caller(
    scores: list[str], asked: int | None, scale: int, rated: list[float], rounded: int
) -> None:
    text = "title,year,score\n" + "".join(f"A,2000,{score}\n" for score in scores)
    history = read_history(text.encode(), asked)
    assert (history.scale, history.rounded) == (scale, rounded)
    assert [row.rating for row in history.rows] == rated


def test_a_rating_that_is_none_is_said_and_keeps_the_others() -> None:
    rows = read_history(b"title,year,rating\nA,2000,good\nB,2000,4\n").rows
    assert [(row.rating, row.fault) for row in rows] == [(None, "the rating 'good' is not a number"), (4, None)]


def test_a_time_to_come_is_now() -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC)
    (row,) = read_history(f"{LETTERBOXD},Rating\n2099-05-02,Life,2017,u,4\n".encode(), now=now).rows
    assert row.at == now


TABLE = "title,year,rating\n"


def archive(**texts: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in texts.items():
            # of a fixed time: the bytes are part of a test's name, which both workers must know alike
            entry = zipfile.ZipInfo(f"letterboxd-me/{name.replace('__', '/')}.csv", (2020, 1, 1, 0, 0, 0))
            made.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def test_an_archive_of_letterboxd_tells_watched_from_wanted_by_names() -> None:
    row = "2017-05-02,{},2017,u"
    data = archive(
        ratings=f"{LETTERBOXD},Rating\n{row.format('A')},4\n",
        watched=f"{LETTERBOXD}\n{row.format('B')}\n",
        watchlist=f"{LETTERBOXD}\n{row.format('C')}\n",
        diary=f"{LETTERBOXD},Rating\n{row.format('A')},1\n",
        profile="Date Joined,Username\n2020-01-01,me\n",
        deleted__diary="no table",
    )
    rows = read_history(data).rows
    assert [(row.title, row.rating, row.mark) for row in rows] == [
        ("A", 4, None),
        ("B", None, "seen"),
        ("C", None, "later"),
    ]


def encrypted() -> bytes:
    data = bytearray(archive(ratings="x"))
    for at in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    return bytes(data)


def test_a_file_that_cannot_be_read_gets_one_clear_line() -> None:
    for data, said in [
        (b" \n", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"hello world", "no known columns"),
        (b'{"a":', "JSON cannot be read"),
        (b'{"ratings": [{"movie_id": 1, "rating": 4}]}', "no known columns"),
        (
            b'{"user_id": 1, "ratings": [{"movie": {"title": "A"}, "rating": 4}], "marks": []}',
            "bring the one with format=csv",
        ),
        (b"[" * 100_000, "JSON cannot be read"),
        (rb'[{"movie": {"title": "\ud800", "year": 1995}, "rating": 5}]', "JSON cannot be read"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><recentratings/>', "DOCTYPE"),
        (b"<recentratings><film>", "XML cannot be read"),
        (b"\x00\x01\x02", "no text"),
        (bytes(LARGEST_FILE + 1), "larger than 10 MiB"),
        (archive(ratings="title,year,rating\n" + " " * LARGEST_UNPACKED), "unpacks to more"),
        (archive(ratings="x" * 9999)[:100], "damaged"),
        (encrypted(), "encrypted"),
        (f"{LETTERBOXD}\n2017-05-02,Life,2017,u\n".encode(), "unrated=seen or unrated=later"),
        (b"Score, Film Name, Year\n7,A,2000\n", "scale=10 or scale=100"),
        (b'title,year,rating\n"' + b"x" * 200_000, "a quotation mark may be missing"),
        (b"title,year,rating\n" + b"x\n" * 50_001, "more than 50,000 rows"),
        (b"[" + b"{}," * 50_000 + b"{}]", "more than 50,000 rows"),
        (b"<recentratings>" + b"<film/>" * 50_001 + b"</recentratings>", "more than 50,000 rows"),
        (archive(ratings=TABLE + "a,2000,4\n" * 30_000, more=TABLE + "b,2000,4\n" * 30_000), "more than 50,000 rows"),
    ]:
        with pytest.raises(HistoryFileError, match=said) as caught:
            read_history(data)
        assert "\n" not in str(caught.value)
