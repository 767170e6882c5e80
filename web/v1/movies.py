"""Films: searched, browsed, looked at, and those like one of them."""

from typing import Annotated

import numpy as np
from flask import Response
from pydantic import Field

from scoring.browsing import NotListedError, Search, Sort, page
from scoring.film_table import Filters, UnknownGenreError
from scoring.similar import similar
from storage import movies
from storage.errors import UnknownMovieError
from viewer import Live
from web.errors import InvalidInputError
from web.v1 import cursors
from web.v1.blueprint import answer, group, recommender
from web.v1.caching import conditional
from web.v1.schemas import Answer, Asked, Film, Given, LearnedFrom, Limit, MovieId, Year, problems

api = group("movies", "The catalogue of films.")

CHANGES_SELDOM = "private, max-age=60"  # with the catalogue or the generation
CHANGES_BY_RATING = "private, no-cache"


class MoviesQuery(Asked):
    """Which films."""

    q: str = Field(
        "",
        max_length=200,
        description="Words of a title as a person types them, its year too if they like: case, accents and order do "
        "not matter, words may be left out, the last one unfinished, and there may be a typo in each.",
        json_schema_extra={"example": "lord rings two towers"},
    )
    genre: list[Annotated[str, Field(max_length=50)]] = Field(
        [],
        max_length=10,
        description="A genre of GET /genres, in any case; several for films that have all of them.",
        json_schema_extra={"example": ["Fantasy"]},
    )
    year_from: Year | None = Field(None, description="This year or later; leaves out films of unknown year.")
    year_to: Year | None = Field(None, description="This year or earlier; leaves out films of unknown year.")
    sort: Sort = Field(
        "relevance",
        description="relevance: the best match with q first, and without q as popularity; popularity: the most ratings "
        "in the dataset first; rating: the best rated first, drawn to the mean where ratings are few; telling: those "
        "whose rating says most of a person first, well known and dividing opinion; year: the newest first; title: by "
        "the alphabet, articles at the end.",
    )
    limit: Limit = 20
    cursor: str | None = Field(None, max_length=200, description="The next_cursor of the page before.")


class MoviesPage(Answer):
    """Some films of a list."""

    items: list[Film]
    next_cursor: str | None = Field(examples=["cDtjqXLJ7zVbNTk1Ml0"], description="Of the next page; null on the last.")


class MoviePath(Given):
    """Which film."""

    movie_id: MovieId


class Bar(Answer):
    """How many people gave one rating."""

    rating: float = Field(examples=[4.5])
    count: int = Field(examples=[12])


class RatedFilm(Film):
    """A film and how people rated it, those of the dataset and those who rate here."""

    rating_count: int = Field(examples=[17], description="All ratings, a person's latest of each film.")
    rating_mean: float | None = Field(examples=[3.87], description="Null without ratings.")
    rating_histogram: list[Bar] | None = Field(
        description="How many gave each rating, from 0.5 to 5, as many as rating_count in all; null where a server "
        "was updated that has lost the ratings of its dataset."
    )


class SimilarQuery(Asked):
    """How many."""

    limit: Limit = 10


class SimilarFilm(Answer):
    """A film and how like another it is."""

    movie: Film
    similarity: float = Field(
        examples=[0.83], description="The cosine of what the generation has learned of both; 1 is the same taste."
    )


class SimilarFilms(Answer):
    """Films that are liked by the people who like a film."""

    items: list[SimilarFilm] = Field(description="The most alike first; films with few ratings after all others.")
    generation: LearnedFrom | None = Field(description="Null, with no items, before the first training.")


class Genre(Answer):
    """A genre."""

    name: str = Field(examples=["Film-Noir"])
    movie_count: int = Field(examples=[87])


class Genres(Answer):
    """All genres of the catalogue, by name."""

    items: list[Genre]


@api.get("/movies", responses={200: MoviesPage, 304: None})
def list_movies(query: MoviesQuery) -> Response:
    """Search and browse films"""
    films = recommender().films
    search = Search(query.q, Filters(tuple(query.genre), query.year_from, query.year_to), query.sort)
    after = None if query.cursor is None else cursors.decode(query.cursor, repr(search))[0]

    def found() -> Response:
        try:
            rows, more = page(films, search, after, query.limit)
        except UnknownGenreError as error:
            raise InvalidInputError(("genre", str(error))) from error
        except NotListedError as error:
            raise InvalidInputError(("cursor", str(error))) from error
        items = [Film.of(films.film(row)) for row in rows]
        following = cursors.encode(repr(search), items[-1].movie_id) if more else None
        return answer(MoviesPage(items=items, next_cursor=following))

    return conditional(f"{films.mark} {query!r}", CHANGES_SELDOM, found)


@api.get("/movies/<movie_id>", responses={200: RatedFilm, 304: None, **problems(404)})
def show_movie(path: MoviePath) -> Response:
    """A film and how people rated it"""
    with recommender().database.statement() as db:
        film = movies.find(db, path.movie_id)
    return conditional(repr(film), CHANGES_BY_RATING, lambda: answer(_rated(film)))


@api.get("/movies/<movie_id>/similar", responses={200: SimilarFilms, 304: None, **problems(404)})
def list_similar_movies(path: MoviePath, query: SimilarQuery) -> Response:
    """Films that are liked by the people who like this one

    Before the first training there are none to tell: `items` is empty and `generation` null.
    """
    films, live = recommender().films, recommender().live
    if recommender().unknown([path.movie_id]):
        raise UnknownMovieError(path.movie_id)
    etag = f"{films.mark} {live and live.id} {path!r} {query!r}"
    return conditional(etag, CHANGES_SELDOM, lambda: answer(_similar(live, path.movie_id, query.limit)))


@api.get("/genres", responses={200: Genres, 304: None})
def list_genres() -> Response:
    """Genres and how many films have each"""
    films = recommender().films
    counted = [Genre(name=name, movie_count=len(rows)) for name, rows in films.by_genre.items()]
    return conditional(films.mark, CHANGES_SELDOM, lambda: answer(Genres(items=counted)))


def _rated(film: movies.Described) -> RatedFilm:
    histogram = film.rating_histogram
    bars = None if histogram is None else [Bar(rating=n / 2, count=count) for n, count in enumerate(histogram, start=1)]
    mean = None if film.rating_mean is None else round(film.rating_mean, 2)
    return RatedFilm(**vars(film) | {"rating_mean": mean, "rating_histogram": bars})


def _similar(live: Live | None, movie_id: int, limit: int) -> SimilarFilms:
    if live is None:
        return SimilarFilms(items=[], generation=None)
    items = [
        SimilarFilm(movie=Film.of(live.films.film(row)), similarity=round(float(cosine), 4))
        for known in live.factors.rows(np.array([movie_id]))[0]
        for row, cosine in zip(*similar(live.factors, known, limit), strict=True)
    ]
    return SimilarFilms(items=items, generation=LearnedFrom(id=live.id, trained_at=live.trained_at))
