"""Which films pass a filter, against a slow and obvious twin; and the best of those that do."""

from itertools import product

import numpy as np
import pytest
from planted import IDS, fill_catalogue
from test_scoring import F, planted

from scoring.film_table import NO_GENRES, Film, FilmTable, Filters, UnknownGenreError
from scoring.rankings import Personal, Popular, best
from scoring.top_n import top_n
from storage import movies
from storage.database import Database

GENRES = ("Action", "Action|Comedy", "Comedy|Film-Noir", "Film-Noir", NO_GENRES)


def table(seed: int = 0) -> FilmTable:
    """The films of `test_scoring.planted`, every fifth of unknown year."""
    rng = np.random.default_rng(seed)
    likes = rng.integers(0, 9, F).astype(np.int32)
    year = np.where(np.arange(F) % 5, rng.integers(1990, 2000, F), 0).astype(np.int16)
    return FilmTable(
        films=np.arange(10, 10 + 2 * F, 2, dtype=np.int32),
        title=[f"Film {row}" for row in range(F)],
        genres=[GENRES[row] for row in rng.integers(0, len(GENRES), F)],
        year=year,
        rating_count=likes + rng.integers(0, 50, F).astype(np.int32),
        like_count=likes,
        expected_rating=np.linspace(1, 5, F).astype(np.float32),
        spread=np.zeros(F, np.float32),
    )


YEARS = [(None, None), (1995, None), (None, 1993), (1992, 1992), (1998, 1991)]
ASKED = list(product([(), ("Comedy",), ("film-noir", "COMEDY"), ("Action", "Film-Noir")], YEARS, [0, 25, 1000]))


@pytest.mark.parametrize(("genres", "years", "least"), ASKED, ids=range(len(ASKED)))
def test_a_film_passes_if_it_has_all_that_is_asked_for(
    genres: tuple[str, ...], years: tuple[int | None, int | None], least: int
) -> None:
    films = table()

    def passes(film: Film, ratings: int) -> bool:
        has = {genre.lower() for genre in film.genres.split("|")}
        if years != (None, None) and film.year is None:
            return False
        in_time = film.year is None or (years[0] or 0) <= film.year <= (years[1] or 9999)
        return {genre.lower() for genre in genres} <= has and in_time and ratings >= least

    wanted = [passes(films.film(row), int(films.rating_count[row])) for row in range(F)]
    assert films.matching(Filters(genres, *years, least)).tolist() == wanted


@pytest.mark.parametrize("genre", ["Comedies", "", "Action|Comedy", NO_GENRES])
def test_a_genre_that_no_film_has_is_refused_and_those_there_are_named(genre: str) -> None:
    with pytest.raises(UnknownGenreError, match=r"there are Action, Comedy, Film-Noir$"):
        table().matching(Filters((genre,)))


@pytest.mark.parametrize("n", [0, 1, 10, F])
@pytest.mark.parametrize("among", [0.0, 0.1, 0.9])
def test_the_best_of_some_films_are_those_that_sorting_finds(n: int, among: float) -> None:
    rng = np.random.default_rng(3)
    s = rng.integers(0, 30, F).astype(np.float32)  # with many ties
    seen, preferred, passing = rng.choice(F, 20, replace=False), rng.random(F) < 0.3, rng.random(F) < among
    rows = sorted(set(np.flatnonzero(passing)) - set(seen), key=lambda row: (not preferred[row], -s[row], row))
    before = passing.copy()
    assert top_n(s, n, seen, preferred, passing).tolist() == rows[:n]
    assert np.array_equal(passing, before)


@pytest.mark.parametrize("trained", [False, True], ids=["popular", "trained"])
def test_a_filtered_list_is_the_whole_list_without_the_rest(trained: bool) -> None:
    factors, films = planted(), table()
    told, rating = films.films[3:30:4], np.linspace(0.5, 5, 7).astype(np.float32)
    ranking = Personal(factors, told, rating) if trained else Popular(films, told)
    passing = films.matching(Filters(("Comedy",), year_from=1993))
    whole = best(ranking, F)
    assert len(whole) == F - 7
    assert best(ranking, F, passing).tolist() == [row for row in whole if passing[row]]


def test_a_part_of_the_table_has_the_same_films() -> None:
    films = table()
    rows = np.arange(0, F, 3)
    part = films.take(np.append(films.films[rows], np.int32(10**6)))
    assert [part.film(at) for at in range(len(part))] == [films.film(row) for row in rows]
    comedies = Filters(("Comedy",), min_ratings=20)
    assert part.matching(comedies).tolist() == films.matching(comedies)[rows].tolist()
    assert films.take(films.films) is films


def test_the_table_holds_what_the_database_does(database: Database) -> None:
    with database.statement() as db:
        assert len(movies.table(db)) == 0
    fill_catalogue(database)
    with database.statement() as db:
        films = movies.table(db)
    assert films.films.tolist() == IDS
    assert films.film(3) == Film(IDS[3], "Film 3", "Comedy|Drama", 1953)
    assert (films.like_count[3], films.rating_count[3], films.expected_rating[3]) == (87, 100, pytest.approx(4.35))
