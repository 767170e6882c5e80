"""A movie is found by what a person types, and the one that is meant comes first."""

import time
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from catalogue.movie_table import MovieTable
from catalogue.title_index import TitleIndex, build_title_index
from catalogue.title_words import normalize, one_edit, query_words

EXAMPLES = settings(derandomize=True, database=None, deadline=None)
# title, year, number of ratings
MOVIES: list[tuple[str, int, int]] = [
    ("Matrix, The", 1999, 278),
    ("Matrix Reloaded, The", 2003, 96),
    ("Matrix Revolutions, The", 2003, 80),
    ("Animatrix, The", 2003, 25),
    ("Godfather, The", 1972, 192),
    ("Godfather: Part II, The", 1974, 129),
    ("Godfather: Part III, The", 1990, 59),
    ("Tokyo Godfathers", 2003, 11),
    ("Lord of the Rings, The", 1978, 22),
    ("Lord of the Rings: The Fellowship of the Ring, The", 2001, 198),
    ("Lord of the Rings: The Two Towers, The", 2002, 188),
    ("Lord of the Rings: The Return of the King, The", 2003, 185),
    ("Lord of War", 2005, 25),
    ("Towering Inferno, The", 1974, 18),
    ("Amelie (Fabuleux destin d'Amélie Poulain, Le)", 2001, 120),
    ("Life Is Beautiful (La Vita è bella)", 1997, 88),
    ("Dolce Vita, La", 1960, 12),
    ("Léon: The Professional (a.k.a. The Professional) (Léon)", 1994, 133),
    ("Seven (a.k.a. Se7en)", 1995, 203),
    ("Seven Samurai (Shichinin no samurai)", 1954, 48),
    ("M*A*S*H (a.k.a. MASH)", 1970, 37),
    ("Mask, The", 1994, 157),
    ("Spider-Man", 2002, 122),
    ("Spider-Man 2", 2004, 79),
    ("WALL·E", 2008, 104),
    ("Wall Street", 1987, 38),
    ("Schindler's List", 1993, 220),
    ("Star Wars: Episode IV - A New Hope", 1977, 251),
    ("Star Wars: Episode V - The Empire Strikes Back", 1980, 211),
    ("2001: A Space Odyssey", 1968, 109),
    ("Shrek", 2001, 170),
    ("8 1/2 (8½)", 1963, 16),
    ("8 Mile", 2002, 30),
    ("Alien", 1979, 146),
    ("Aliens", 1986, 126),
    ("Alien³ (a.k.a. Alien 3)", 1992, 45),
    ("Misérables, Les", 1998, 13),
    ("Heat", 1995, 102),
    ("Blå øyne (Smørgås)", 2010, 1),
    ("100% Wolf", 2020, 3),
    ("Snake_Eyes", 1998, 12),
    ("'Til There Was You", 1997, 4),
    ("👻 (Ghost)", 0, 2),
    ("...", 0, 1),
    ("Babylon 5", 0, 6),
]


@pytest.fixture(scope="module")
def titles() -> TitleIndex:
    title, year, count = zip(*MOVIES, strict=True)
    return build_title_index(title, year, np.array(count, np.int32))


def found(titles: TitleIndex, typed: str) -> list[str]:
    """The titles that are found, best first."""
    rows, score = titles.search(typed)
    return [MOVIES[row][0] for row in rows[np.argsort(-score, kind="stable")]]


FIRST = {
    "lord rings two towers": "Lord of the Rings: The Two Towers, The",
    "amelie": "Amelie (Fabuleux destin d'Amélie Poulain, Le)",
    "AMÉLIE POULAIN": "Amelie (Fabuleux destin d'Amélie Poulain, Le)",
    "le fabuleux destin": "Amelie (Fabuleux destin d'Amélie Poulain, Le)",
    "la vita e bella": "Life Is Beautiful (La Vita è bella)",
    "La vita e\u0300 bella": "Life Is Beautiful (La Vita è bella)",
    "matrix 1999": "Matrix, The",
    "godfahter": "Godfather, The",
    "gdfather": "Godfather, The",
    "godffather": "Godfather, The",
    "godfother": "Godfather, The",
    "oodfather": "Godfather, The",
    "matrix": "Matrix, The",
    "the matrix": "Matrix, The",
    "matrix the reloaded": "Matrix Reloaded, The",
    "godfather 2": "Godfather: Part II, The",
    "godfather part iii": "Godfather: Part III, The",
    "the professional": "Léon: The Professional (a.k.a. The Professional) (Léon)",
    "leon": "Léon: The Professional (a.k.a. The Professional) (Léon)",
    "se7en": "Seven (a.k.a. Se7en)",
    "m*a*s*h": "M*A*S*H (a.k.a. MASH)",
    "mash": "M*A*S*H (a.k.a. MASH)",
    "spiderman": "Spider-Man",
    "spider man 2": "Spider-Man 2",
    "walle": "WALL·E",
    "wall-e": "WALL·E",
    "schindlers list": "Schindler's List",
    "schindler's list": "Schindler's List",
    "star wars": "Star Wars: Episode IV - A New Hope",
    "empire strikes back star wars": "Star Wars: Episode V - The Empire Strikes Back",
    "load of the rings towers": "Lord of the Rings: The Two Towers, The",
    "2001": "2001: A Space Odyssey",
    "8½": "8 1/2 (8½)",
    "alien": "Alien",
    "aliens": "Aliens",
    "alien 3": "Alien³ (a.k.a. Alien 3)",
    "les miserables": "Misérables, Les",
    "blaa oyne": "Blå øyne (Smørgås)",
    "smorgas": "Blå øyne (Smørgås)",
    "100%": "100% Wolf",
    "snake_eyes": "Snake_Eyes",
    "'til there": "'Til There Was You",
    "til there was you": "'Til There Was You",
    "👻": "👻 (Ghost)",
    "...": "...",
    "schind": "Schindler's List",
    "shreck": "Shrek",
}


def test_the_movie_that_is_meant_comes_first(titles: TitleIndex) -> None:
    for typed in FIRST:
        assert found(titles, typed)[0] == FIRST[typed]


def test_of_equal_titles_the_better_known_comes_first(titles: TitleIndex) -> None:
    assert found(titles, "matrix") == ["Matrix, The", "Matrix Reloaded, The", "Matrix Revolutions, The"]
    assert found(titles, "the")[0] == "Matrix, The"


def test_a_title_with_the_number_comes_before_the_movies_of_that_year(titles: TitleIndex) -> None:
    first, *others = found(titles, "2001")
    assert first == "2001: A Space Odyssey"
    assert set(others) == {title for title, year, _ in MOVIES if year == 2001}


def test_a_word_too_many_does_not_hide_the_movie(titles: TitleIndex) -> None:
    assert found(titles, "shrek ogre") == ["Shrek"]


def test_what_no_title_has_finds_nothing(titles: TitleIndex) -> None:
    for typed in ["%", "_", "'", '"', "\\", "%%%", "';--", "", " ", "\0", "qwertyuiop", "😀", "1888", "(", "()"]:
        assert found(titles, typed) == []


@EXAMPLES
@given(st.text(max_size=60))
def test_whatever_is_typed_ends_in_movies_with_finite_scores(titles: TitleIndex, typed: str) -> None:
    rows, score = titles.search(typed)
    assert (np.diff(rows) > 0).all()
    assert np.isfinite(score).all()


def test_every_movie_is_found_by_its_title_and_year(titles: TitleIndex) -> None:
    for title, year in [movie[:2] for movie in MOVIES]:
        assert found(titles, f"{title} ({year})" if year else title)[0] == title


SOME_LETTERS = st.text("ab9", min_size=1, max_size=6)


@EXAMPLES
@given(SOME_LETTERS, SOME_LETTERS)
def test_one_edit_is_what_rapidfuzz_says(word: str, other: str) -> None:
    assert (other in one_edit(word)) == (OSA.distance(word, other) == 1)


def test_a_word_is_plain_however_it_is_written() -> None:
    assert {normalize(text) for text in ("Amélie", "AME\u0301LIE", "amelie", "\uff21melie")} == {"amelie"}
    assert normalize("Straße Łódź Æon ﬁn") == "strasse lodz aeon fin"
    assert query_words("The  rocky-II, the ROCKY 2") == ["the", "rocky", "2"]


def test_nothing_is_found_where_there_is_nothing() -> None:
    rows, score = build_title_index([], [], np.empty(0, np.int32)).search("matrix")
    assert len(rows) == len(score) == 0


def test_a_title_without_a_word_hides_no_other() -> None:
    for titles in (["Heat", "\u200b"], ["\u200b", "Heat"], ["\u200b"]):
        rows, _ = build_title_index(titles, [0] * len(titles), np.ones(len(titles), np.int32)).search("heat")
        assert [titles[row] for row in rows] == titles.count("Heat") * ["Heat"]


def many_movies(n: int) -> MovieTable:
    lot = Random(1)  # noqa: S311 - nothing here is a secret
    words = ["".join(lot.choices("eeaaiioontrslhdcmu", k=lot.randint(2, 9))) for _ in range(n // 2)]
    title = [" ".join(lot.choices(words, k=lot.randint(1, 6))) for _ in range(n)]
    count, year = n // np.arange(1, n + 1, dtype=np.int32), np.full(n, 1999, np.int16)
    ones = np.ones(n, np.float32)
    return MovieTable(
        np.arange(n, dtype=np.int32), np.array(title, object), np.full(n, "Drama", object), year, count, count, ones,
        ones,
        rating_sum=np.zeros(n), imdb_id=np.full(n, None), tmdb_id=np.zeros(n, np.int32), added_at=np.zeros(n, np.int64),
        withdrawn=np.zeros(n, bool),
    )  # fmt: skip


def test_the_longest_query_among_many_titles_takes_no_time_worth_telling() -> None:
    movies = many_movies(20_000)
    typed = " ".join(movies.title[:50])[:200]
    assert movies.search(typed)
    began = time.perf_counter()
    movies.search(typed)
    assert time.perf_counter() - began < 1  # some milliseconds, on a machine that does nothing else
