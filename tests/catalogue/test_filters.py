"""Which movies pass a filter, against a slow and obvious twin; and the best of those that do."""

from itertools import product

import numpy as np
import pytest
from handmade_model import IDS, fill_catalogue
from random_model import F, random_factors

from catalogue.movie import NO_GENRES, CatalogueMovie, Filters, UnknownGenreError
from catalogue.movie_table import MovieTable
from ranking.ranker import Ranker
from ranking.rankings import PopularRanking, ranking_for
from ranking.top_n import top_n
from storage import movies
from storage.database import Database

GENRES = ("Action", "Action|Comedy", "Comedy|Film-Noir", "Film-Noir", NO_GENRES)


def table(seed: int = 0) -> MovieTable:
    """The movies of `random_model.random_factors`, every fifth of unknown year."""
    rng = np.random.default_rng(seed)
    likes = rng.integers(0, 9, F).astype(np.int32)
    year = np.where(np.arange(F) % 5, rng.integers(1990, 2000, F), 0).astype(np.int16)
    return MovieTable(
        movies=np.arange(10, 10 + 2 * F, 2, dtype=np.int32),
        title=np.array([f"Movie {row}" for row in range(F)], object),
        genres=np.array([GENRES[row] for row in rng.integers(0, len(GENRES), F)], object),
        year=year,
        rating_count=likes + rng.integers(0, 50, F).astype(np.int32),
        like_count=likes,
        expected_rating=np.linspace(1, 5, F).astype(np.float32),
        spread=np.zeros(F, np.float32),
        rating_sum=np.zeros(F),
        imdb_id=np.full(F, None),
        tmdb_id=np.zeros(F, np.int32),
        added_at=np.zeros(F, np.int64),
        withdrawn=np.zeros(F, bool),
    )


YEARS = [(None, None), (1995, None), (None, 1993), (1992, 1992), (1998, 1991)]
ASKED = list(product([(), ("Comedy",), ("film-noir", "COMEDY"), ("Action", "Film-Noir")], YEARS, [0, 25, 1000]))


@pytest.mark.parametrize(("genres", "years", "least"), ASKED, ids=range(len(ASKED)))
def test_a_movie_passes_if_it_has_all_that_is_asked_for(
    genres: tuple[str, ...], years: tuple[int | None, int | None], least: int
) -> None:
    movies = table()

    def passes(movie: CatalogueMovie, ratings: int) -> bool:
        has = {genre.lower() for genre in movie.genres.split("|")}
        if years != (None, None) and movie.year is None:
            return False
        in_time = movie.year is None or (years[0] or 0) <= movie.year <= (years[1] or 9999)
        return {genre.lower() for genre in genres} <= has and in_time and ratings >= least

    wanted = [passes(movies.movie(row), int(movies.rating_count[row])) for row in range(F)]
    assert movies.matching(Filters(genres, *years, least)).tolist() == wanted


@pytest.mark.parametrize("genre", ["Comedies", "", "Action|Comedy", NO_GENRES])
def test_a_genre_that_no_movie_has_is_refused_and_those_there_are_named(genre: str) -> None:
    with pytest.raises(UnknownGenreError, match=r"there are Action, Comedy, Film-Noir$"):
        table().matching(Filters((genre,)))


@pytest.mark.parametrize("n", [0, 1, 10, F])
@pytest.mark.parametrize("among", [0.0, 0.1, 0.9])
def test_the_best_of_some_movies_are_those_that_sorting_finds(n: int, among: float) -> None:
    rng = np.random.default_rng(3)
    s = rng.integers(0, 30, F).astype(np.float32)  # with many ties
    seen, preferred, passing = rng.choice(F, 20, replace=False), rng.random(F) < 0.3, rng.random(F) < among
    rows = sorted(set(np.flatnonzero(passing)) - set(seen), key=lambda row: (not preferred[row], -s[row], row))
    before = passing.copy()
    assert top_n(s, n, seen, preferred, passing).tolist() == rows[:n]
    assert np.array_equal(passing, before)


@pytest.mark.parametrize("trained", [False, True], ids=["popular", "trained"])
def test_a_filtered_list_is_the_whole_list_without_the_rest(trained: bool) -> None:
    factors, movies = random_factors(), table()
    told, rating = movies.movies[3:30:4], np.linspace(0.5, 5, 7).astype(np.float32)
    popular = PopularRanking(
        movies.like_count.astype(np.float32), movies.expected_rating, np.ones(F, bool), movies.rows(told)[0]
    )
    ranking = ranking_for(Ranker(factors), told, rating, np.arange(len(told))) if trained else popular
    passing = movies.matching(Filters(("Comedy",), year_from=1993))
    whole = ranking.best(F)
    assert len(whole) == F - 7
    assert ranking.best(F, passing).tolist() == [row for row in whole if passing[row]]


def test_a_part_of_the_table_has_the_same_movies() -> None:
    movies = table()
    rows = np.arange(0, F, 3)
    part = movies.take(np.append(movies.movies[rows], np.int32(10**6)))
    assert [part.movie(at) for at in range(len(part))] == [movies.movie(row) for row in rows]
    comedies = Filters(("Comedy",), min_ratings=20)
    assert part.matching(comedies).tolist() == movies.matching(comedies)[rows].tolist()
    assert movies.take(movies.movies) is movies


def test_the_table_holds_what_the_database_does(database: Database) -> None:
    with database.statement() as db:
        assert len(movies.table(db)) == 0
    fill_catalogue(database)
    with database.statement() as db:
        stored = movies.table(db)
    assert stored.movies.tolist() == IDS
    assert stored.movie(3) == CatalogueMovie(IDS[3], "Movie 3", "Comedy|Drama", 1953)
    assert (stored.like_count[3], stored.rating_count[3], stored.expected_rating[3]) == (87, 100, pytest.approx(4.35))
