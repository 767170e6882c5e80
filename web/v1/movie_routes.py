"""Movies: searched, browsed, looked at, and those like one of them."""

from typing import Annotated

import numpy as np
from flask import Response
from pydantic import Field

from catalogue.movie_search import CursorNotFoundError, MovieQuery, Sort, search_page
from catalogue.movie_table import Filters, UnknownGenreError, UnknownMovieError
from catalogue.user_context import LiveGeneration
from ranking.similar_movies import similar
from storage import movies
from web.errors import InvalidInputError
from web.v1 import cursors
from web.v1.blueprint import answer, group, recommender
from web.v1.caching import conditional_response
from web.v1.schemas import GenerationRef, Limit, Movie, MovieId, QueryModel, RequestModel, ResponseModel, Year, problems

api = group("movies", "The catalogue of movies.")

CACHE_ONE_MINUTE = "private, max-age=60"  # with the catalogue or the generation
REVALIDATE_ALWAYS = "private, no-cache"


class MoviesQuery(QueryModel):
    """Which movies."""

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
        description="A genre of GET /genres, in any case; several for movies that have all of them.",
        json_schema_extra={"example": ["Fantasy"]},
    )
    year_from: Year | None = Field(None, description="This year or later; leaves out movies of unknown year.")
    year_to: Year | None = Field(None, description="This year or earlier; leaves out movies of unknown year.")
    sort: Sort = Field(
        "relevance",
        description="relevance: the best match with q first, and without q as popularity; popularity: the most ratings "
        "in the dataset first; rating: the best rated first, drawn to the mean where ratings are few; informative: those "
        "whose rating says most of a person first, well known and dividing opinion; year: the newest first; title: by "
        "the alphabet, articles at the end.",
    )
    limit: Limit = 20
    cursor: str | None = Field(None, max_length=200, description="The next_cursor of the page before.")


class MoviesPage(ResponseModel):
    """Some movies of a list."""

    items: list[Movie]
    next_cursor: str | None = Field(examples=["cDtjqXLJ7zVbNTk1Ml0"], description="Of the next page; null on the last.")


class MoviePath(RequestModel):
    """Which movie."""

    movie_id: MovieId


class RatingCount(ResponseModel):
    """How many people gave one rating."""

    rating: float = Field(examples=[4.5])
    count: int = Field(examples=[12])


class MovieDetails(Movie):
    """A movie and how people rated it, those of the dataset and those who rate here."""

    rating_count: int = Field(examples=[17], description="All ratings, a person's latest of each movie.")
    rating_mean: float | None = Field(examples=[3.87], description="Null without ratings.")
    rating_histogram: list[RatingCount] | None = Field(
        description="How many gave each rating, from 0.5 to 5, as many as rating_count in all; null where a server "
        "was updated that has lost the ratings of its dataset."
    )


class SimilarQuery(QueryModel):
    """How many."""

    limit: Limit = 10


class SimilarMovie(ResponseModel):
    """A movie and how like another it is."""

    movie: Movie
    similarity: float = Field(
        examples=[0.83], description="The cosine of what the generation has learned of both; 1 is the same taste."
    )


class SimilarMovies(ResponseModel):
    """Movies that are liked by the people who like a movie."""

    items: list[SimilarMovie] = Field(description="The most alike first; movies with few ratings after all others.")
    generation: GenerationRef | None = Field(description="Null, with no items, before the first training.")


class Genre(ResponseModel):
    """A genre."""

    name: str = Field(examples=["Film-Noir"])
    movie_count: int = Field(examples=[87])


class Genres(ResponseModel):
    """All genres of the catalogue, by name."""

    items: list[Genre]


@api.get("/movies", responses={200: MoviesPage, 304: None})
def list_movies(query: MoviesQuery) -> Response:
    """Search and browse movies"""
    table = recommender().movies
    search = MovieQuery(query.q, Filters(tuple(query.genre), query.year_from, query.year_to), query.sort)
    after = None if query.cursor is None else cursors.decode(query.cursor, repr(search))[0]

    def found() -> Response:
        try:
            rows, more = search_page(table, search, after, query.limit)
        except UnknownGenreError as error:
            raise InvalidInputError(("genre", str(error))) from error
        except CursorNotFoundError as error:
            raise InvalidInputError(("cursor", str(error))) from error
        items = [Movie.of(table.movie(row)) for row in rows]
        following = cursors.encode(repr(search), items[-1].movie_id) if more else None
        return answer(MoviesPage(items=items, next_cursor=following))

    return conditional_response(f"{table.mark} {query!r}", CACHE_ONE_MINUTE, found)


@api.get("/movies/<movie_id>", responses={200: MovieDetails, 304: None, **problems(404)})
def show_movie(path: MoviePath) -> Response:
    """A movie and how people rated it"""
    with recommender().database.statement() as db:
        movie = movies.find(db, path.movie_id)
    return conditional_response(repr(movie), REVALIDATE_ALWAYS, lambda: answer(_rated(movie)))


@api.get("/movies/<movie_id>/similar", responses={200: SimilarMovies, 304: None, **problems(404)})
def list_similar_movies(path: MoviePath, query: SimilarQuery) -> Response:
    """Movies that are liked by the people who like this one

    Before the first training there are none to tell: `items` is empty and `generation` null.
    """
    table, live = recommender().movies, recommender().live
    if recommender().unknown([path.movie_id]):
        raise UnknownMovieError(path.movie_id)
    etag = f"{table.mark} {live and live.id} {path!r} {query!r}"
    return conditional_response(etag, CACHE_ONE_MINUTE, lambda: answer(_similar(live, path.movie_id, query.limit)))


@api.get("/genres", responses={200: Genres, 304: None})
def list_genres() -> Response:
    """Genres and how many movies have each"""
    table = recommender().movies
    counted = [Genre(name=name, movie_count=len(rows)) for name, rows in table.by_genre.items()]
    return conditional_response(table.mark, CACHE_ONE_MINUTE, lambda: answer(Genres(items=counted)))


def _rated(movie: movies.MovieWithRatings) -> MovieDetails:
    histogram = movie.rating_histogram
    bars = (
        None
        if histogram is None
        else [RatingCount(rating=n / 2, count=count) for n, count in enumerate(histogram, start=1)]
    )
    mean = None if movie.rating_mean is None else round(movie.rating_mean, 2)
    return MovieDetails(**vars(movie) | {"rating_mean": mean, "rating_histogram": bars})


def _similar(live: LiveGeneration | None, movie_id: int, limit: int) -> SimilarMovies:
    if live is None:
        return SimilarMovies(items=[], generation=None)
    items = [
        SimilarMovie(movie=Movie.of(live.movies.movie(row)), similarity=round(float(cosine), 4))
        for known in live.factors.rows(np.array([movie_id]))[0]
        for row, cosine in zip(*similar(live.factors, known, limit), strict=True)
    ]
    return SimilarMovies(items=items, generation=GenerationRef(id=live.id, trained_at=live.trained_at))
