"""Rows matched to movies: a labelled set with the noise of other services, and cases where a guess would be wrong."""

import time
from random import Random

import numpy as np
import pytest

from catalogue.movie_table import MovieTable
from catalogue.title_words import display_title
from histories.matching import MovieMatcher
from histories.rows import HistoryRow

WORDS = [
    "Night",
    "River",
    "Crown",
    "Café",
    "Señor",
    "Winter",
    "Silent",
    "Golden",
    "Empire",
    "Moon",
    "Broken",
    "Street",
    "Dragon",
    "Letter",
    "Étoile",
    "Garden",
]
NUMERALS = {"II": "2", "III": "3", "IV": "4"}


def catalogue(movies: list[tuple[str, int]], imdb: dict[int, str] | None = None) -> MovieTable:
    """Return these movies (title, year) with the ids 10, 20 ..."""
    n = len(movies)
    none, zero = np.full(n, None), np.zeros(n, np.int32)
    for row, known in (imdb or {}).items():
        none[row] = known
    return MovieTable(
        movies=np.arange(10, 10 * n + 10, 10, dtype=np.int32),
        title=np.array([title for title, _ in movies], object),
        genres=np.full(n, "Drama", object),
        year=np.array([year for _, year in movies], np.int16),
        rating_count=zero,
        like_count=zero,
        expected_rating=np.full(n, 3, np.float32),
        spread=np.zeros(n, np.float32),
        rating_sum=np.zeros(n),
        imdb_id=none,
        tmdb_id=zero,
        added_at=np.zeros(n, np.int64),
        withdrawn=np.zeros(n, bool),
    )


def invented(random: Random, number: int) -> list[tuple[str, int]]:
    """Return movies titled as MovieLens writes them; some titles come again in other years."""
    movies: list[tuple[str, int]] = []
    for _ in range(number):
        title = " ".join(random.sample(WORDS, 5))
        if random.random() < 0.2:
            title += " " + random.choice(list(NUMERALS))
        if random.random() < 0.3:
            title += random.choice([", The", ", A", ", Les"])
        if random.random() < 0.2:
            title += f" ({' '.join(random.sample(WORDS, 4))})"
        movies.append((title, random.randint(1930, 2020)))
    return movies


def noisy(random: Random, title: str, year: int) -> HistoryRow:
    """Return a row as another service may write a movie."""
    written = display_title(title) if random.random() < 0.7 else title
    if random.random() < 0.3:
        written = written.upper()
    if random.random() < 0.3:
        written = written.replace("é", "e").replace("ñ", "n").replace("É", "E")
    if random.random() < 0.3:
        written = " ".join(NUMERALS.get(word, word) for word in written.split())
    if random.random() < 0.2:
        written = written.replace(" ", ": ", 1)
    return HistoryRow(1, written, year + random.choice([0] * 18 + [-1, 1]))


def test_a_labelled_set_with_the_noise_of_other_services_is_matched() -> None:
    random = Random(5)  # noqa: S311 - no secret
    movies = invented(random, 9_000)
    table = catalogue(movies)
    chosen = random.sample(range(len(movies)), 2_000)
    rows = [noisy(random, *movies[at]) for at in chosen]
    began = time.process_time()
    matcher = MovieMatcher(table)
    found = [matcher.match(row).movie_id for row in rows]
    assert time.process_time() - began < 4  # for 2,000 rows, with the index
    right = sum(movie == table.movies[at] for movie, at in zip(found, chosen, strict=True))
    wrong = sum(movie not in (None, table.movies[at]) for movie, at in zip(found, chosen, strict=True))
    assert right >= 0.97 * len(rows), right
    assert wrong < 0.001 * len(rows), wrong


MOVIES = [
    ("Emma", 1996), ("Emma", 1996), ("Shawshank Redemption, The", 1994), ("Seven (a.k.a. Se7en)", 1995),
    ("King Kong", 1933), ("King Kong", 1976), ("Toy Story", 1995), ("8½ (8½)", 1963), ("Ong-Bak 2", 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("title", "year", "movie", "candidates"),
    [
        ("The Shawshank Redemption", 1995, 30, ()),
        ("Se7en", 1995, 40, ()),
        ("king kong", 1976, 60, ()),
        ("8 1/2", 1963, 80, ()),
        ("8½", 1963, 80, ()),
        ("Emma", 1996, None, (10, 20)),  # two movies
        ("King Kong", 2005, None, (50, 60)),  # a movie that is not here
        ("King Kong", None, None, (50, 60)),
        ("Shawshenk Redemption", 1994, None, (30,)),  # a typing error is not a match
        ("Ong-Bak 2", 2008, None, (90,)),
        ("Something else", 1994, None, ()),
    ],
)
def test_a_title_matches_one_movie_or_none(
    title: str, year: int | None, movie: int | None, candidates: tuple[int, ...]
) -> None:
    match = MovieMatcher(catalogue(MOVIES)).match(HistoryRow(1, title, year))
    assert (match.movie_id, match.candidates) == (movie, candidates)
    assert bool(match.reason) == (movie is None)


def test_an_id_counts_more_than_a_title() -> None:
    matcher = MovieMatcher(catalogue(MOVIES, {0: "tt0116191", 2: "tt0111161"}))
    assert matcher.match(HistoryRow(1, "Emma", 1996, imdb_id="tt0116191")).movie_id == 10
    assert matcher.match(HistoryRow(1, "Die Verurteilten", None, imdb_id="tt0111161")).movie_id == 30
    other = matcher.match(HistoryRow(1, "The Shawshank Redemption", 1994, imdb_id="tt7777777"))
    assert (other.movie_id, other.candidates) == (None, (30,))
    assert matcher.match(HistoryRow(1, "Toy Story", 1995, imdb_id="tt0944947", is_movie=False)).movie_id is None
