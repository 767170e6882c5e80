"""Movies: search, browsing, one movie, and movies similar to it."""

from typing import Annotated, Any, Literal

import numpy as np
from flask import Response
from pydantic import Field, TypeAdapter, field_validator
from werkzeug.exceptions import MethodNotAllowed

from catalogue.movie_search import CursorNotFoundError, MovieQuery, Sort, search_page
from catalogue.movie_table import Filters, MovieTable, UnknownMovieError
from catalogue.user_context import LiveGeneration
from ranking.similar_movies import similar
from storage import movies
from web.errors import InvalidInputError
from web.parsing import INT32
from web.v1 import cursors
from web.v1.blueprint import answer, group, recommender
from web.v1.caching import conditional_response, database_identity
from web.v1.schemas import (
    PLAIN_INTEGER,
    GenerationRef,
    Id,
    Limit,
    Movie,
    MovieId,
    MovieTimes,
    QueryModel,
    RequestModel,
    ResponseModel,
    Timestamp,
    problems,
)

api = group("movies", "The catalogue of movies.")

CACHE_ONE_MINUTE = "private, max-age=60"  # of what changes only with the catalogue or the generation
REVALIDATE_ALWAYS = "private, no-cache"


MOVIE_KEY: TypeAdapter[tuple[int]] = TypeAdapter(tuple[Annotated[int, Field(strict=True, ge=-INT32 - 1, le=INT32)]])


class MoviesQuery(MovieTimes, QueryModel):
    """The movies to find, their order, and the page to return."""

    q: str = Field(
        "",
        max_length=200,
        description="Words of a title, and its year if you like. Case, accents and order do not matter; words may be "
        "missing, the last one may be incomplete, and each may have a typo.",
        json_schema_extra={"example": "lord rings two towers"},
    )
    genre: list[Annotated[str, Field(max_length=50)]] = Field(
        [],
        max_length=10,
        description="A genre of GET /genres, in any case. Repeat it for movies that have all of several genres.",
        json_schema_extra={"example": ["Fantasy"]},
    )
    sort: Literal[Sort, "telling"] = Field(
        "relevance",
        description="relevance: best match with q first, without q like popularity; popularity: most ratings in the "
        "dataset first; rating: highest mean rating first, damped where ratings are few; informative: movies whose "
        "rating says most about a user's taste first, well known and controversial ones (telling is the old name); "
        "year: newest first; title: alphabetical, articles last.",
    )
    movie_id: list[Id] = Field(
        [],
        max_length=100,
        description="Only these movies. Without a limit, all of them are on one page.",
        json_schema_extra={"example": [25904]},
    )
    imdb_id: str | None = Field(
        None,
        pattern="^tt[0-9]{7,10}$",
        description="Only movies with this id.",
        json_schema_extra={"example": "tt0036164"},
    )
    tmdb_id: Annotated[int, Field(ge=1, le=INT32), PLAIN_INTEGER] | None = Field(
        None, description="Only movies with this id.", json_schema_extra={"example": 40092}
    )
    limit: Limit = 20
    cursor: str | None = Field(None, max_length=200, description="The next_cursor of the previous page.")

    @property
    def filters(self) -> Filters:
        """The movies to find, as the catalogue takes them."""
        return Filters(
            tuple(self.genre),
            self.year_from,
            self.year_to,
            added_since=self.added_after,
            imdb_id=self.imdb_id,
            tmdb_id=self.tmdb_id,
            movie_ids=tuple(self.movie_id) or None,
        )


class MoviesPage(ResponseModel):
    """A page of movies."""

    items: list[Movie]
    next_cursor: str | None = Field(
        examples=["cDtjqXLJ7zVbNTk1Ml0"], description="The cursor of the next page; null on the last."
    )


class MoviePath(RequestModel):
    """The movie."""

    movie_id: MovieId

    @field_validator("movie_id", mode="before")
    @classmethod
    def _not_a_route(cls, movie_id: Any) -> Any:
        """Refuse other methods than POST for /movies/batch, which would be taken for a movie's address."""
        if movie_id == "batch":
            raise MethodNotAllowed(["OPTIONS", "POST"])
        return movie_id


class RatingCount(ResponseModel):
    """The number of ratings with one value."""

    rating: float = Field(examples=[4.5])
    count: int = Field(examples=[12])


class MovieLinks(ResponseModel):
    """The addresses of a movie's pages elsewhere; null where its id is not known."""

    imdb: str | None = Field(examples=["https://www.imdb.com/title/tt0036164/"])
    tmdb: str | None = Field(examples=["https://www.themoviedb.org/movie/40092"])


class MovieDetails(Movie):
    """A movie and how it was rated, in the dataset and by the users of this service."""

    tags: list[str] = Field(examples=[["wartime"]], description="The five most given tags of the dataset.")
    links: MovieLinks
    added_at: Timestamp
    recommendable: bool = Field(
        examples=[True],
        description="Whether it can be in personal lists: it is not withdrawn, and the generation knows it.",
    )
    rating_count: int = Field(examples=[17], description="The number of ratings, at most one per user.")
    rating_mean: float | None = Field(examples=[3.87], description="Null without ratings.")
    rating_histogram: list[RatingCount] | None = Field(
        description="The number of ratings of each value from 0.5 to 5; null on an updated server that no longer has "
        "the ratings of its dataset."
    )


class SimilarQuery(QueryModel):
    """The number of movies to return."""

    limit: Limit = 10


class SimilarMovie(ResponseModel):
    """A movie and its similarity to another."""

    movie: Movie
    similarity: float = Field(
        examples=[0.83],
        description="The cosine similarity of the two movies' factors in the generation; 1 is the maximum.",
    )


class SimilarMovies(ResponseModel):
    """Movies liked by the users who like a movie."""

    items: list[SimilarMovie] = Field(description="Most similar first; movies with few ratings come last.")
    generation: GenerationRef | None = Field(description="Null, with no items, before the first training run.")


class Genre(ResponseModel):
    """A genre."""

    name: str = Field(examples=["Film-Noir"])
    movie_count: int = Field(examples=[87])


class Genres(ResponseModel):
    """All genres of the catalogue, by name."""

    items: list[Genre]


@api.get("/movies", responses={200: MoviesPage, 304: None})
def list_movies(query: MoviesQuery) -> Response:
    """Search and browse movies

    A movie is also looked up by its ids here and elsewhere. One id elsewhere may be that of several movies.
    """
    table = recommender().model.current_movies
    sort: Sort = "informative" if query.sort == "telling" else query.sort
    search = MovieQuery(query.q, query.filters, sort)
    limit = query.limit if "limit" in query.model_fields_set else max(query.limit, len(query.movie_id))
    after = None if query.cursor is None else cursors.decode(query.cursor, repr(search), MOVIE_KEY)[0]

    def found() -> Response:
        try:
            rows, more = search_page(table, search, after, limit)
        except CursorNotFoundError as error:
            raise InvalidInputError(("cursor", str(error))) from error
        items = [Movie.of(table.movie(row)) for row in rows]
        following = cursors.encode(repr(search), items[-1].movie_id) if more else None
        return answer(MoviesPage(items=items, next_cursor=following))

    return conditional_response(f"{_mark(table)} {query!r}", CACHE_ONE_MINUTE, found)


@api.get("/movies/<movie_id>", responses={200: MovieDetails, 304: None, **problems(404)})
def show_movie(path: MoviePath) -> Response:
    """Show a movie and how it was rated"""
    with recommender().database.statement() as db:
        movie = movies.find(db, path.movie_id)
    live = recommender().model.live
    known = live is None or live.movies.rows(np.array([movie.movie_id]))[1][0]
    recommendable = bool(known) and movie.withdrawn_at is None
    etag = f"{database_identity()} {movie!r} {recommendable}"
    return conditional_response(etag, REVALIDATE_ALWAYS, lambda: answer(_rated(movie, recommendable)))


@api.get("/movies/<movie_id>/similar", responses={200: SimilarMovies, 304: None, **problems(404)})
def list_similar_movies(path: MoviePath, query: SimilarQuery) -> Response:
    """List movies similar to this one

    They are liked by the same users. Before the first training run `items` is empty and `generation` null.
    """
    table = recommender().model.current_movies
    live = recommender().model.live
    row, known = table.rows(np.array([path.movie_id]))
    if not known[0] or table.withdrawn[row[0]]:
        raise UnknownMovieError(path.movie_id)
    etag = f"{_mark(table)} {live and (live.id, live.trained_at)} {path!r} {query!r}"
    return conditional_response(etag, CACHE_ONE_MINUTE, lambda: answer(_similar(live, path.movie_id, query.limit)))


@api.get("/genres", responses={200: Genres, 304: None})
def list_genres() -> Response:
    """List genres with the number of movies of each"""
    table = recommender().model.current_movies
    counts = {name: int((~table.withdrawn[rows]).sum()) for name, rows in table.by_genre.items()}
    counted = [Genre(name=name, movie_count=count) for name, count in counts.items() if count]
    return conditional_response(_mark(table), CACHE_ONE_MINUTE, lambda: answer(Genres(items=counted)))


def _mark(table: MovieTable) -> str:
    """Return what changes with every movie."""
    return f"{database_identity()} {table.version}"


def _rated(movie: movies.MovieWithRatings, recommendable: bool) -> MovieDetails:
    histogram = movie.rating_histogram
    bars = (
        None
        if histogram is None
        else [RatingCount(rating=n / 2, count=count) for n, count in enumerate(histogram, start=1)]
    )
    mean = None if movie.rating_mean is None else round(movie.rating_mean, 2)
    links = MovieLinks(
        imdb=f"https://www.imdb.com/title/{movie.imdb_id}/" if movie.imdb_id else None,
        tmdb=f"https://www.themoviedb.org/movie/{movie.tmdb_id}" if movie.tmdb_id else None,
    )
    given = {"rating_mean": mean, "rating_histogram": bars, "links": links, "recommendable": recommendable}
    return MovieDetails(**vars(movie) | given)


def _similar(live: LiveGeneration | None, movie_id: int, limit: int) -> SimilarMovies:
    if live is None:
        return SimilarMovies(items=[], generation=None)
    items = [
        SimilarMovie(movie=Movie.of(live.movies.movie(row)), similarity=round(float(cosine), 4))
        for known in live.factors.rows(np.array([movie_id]))[0]
        for row, cosine in zip(*similar(live.factors, known, limit, live.movies.listed), strict=True)
    ]
    return SimilarMovies(items=items, generation=GenerationRef(id=live.id, trained_at=live.trained_at))
