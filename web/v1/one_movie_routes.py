"""One movie, how it was rated, and movies similar to it."""

from typing import Any

import numpy as np
from flask import Response
from pydantic import Field
from sqlalchemy import Row

from catalogue.live_generation import LiveGeneration
from catalogue.movie import UnknownMovieError
from ranking.similar_movies import similar
from storage import movies
from web.v1.base_models import RequestModel, ResponseModel
from web.v1.blueprint import answer, conditional_response, database_identity, recommender
from web.v1.movie_routes import CACHE_ONE_MINUTE, REVALIDATE_ALWAYS, api, catalogue_mark
from web.v1.schemas import GenerationRef, Limit, LimitQuery, Movie, MovieId, Timestamp, problems


class MoviePath(RequestModel):
    """The movie."""

    movie_id: MovieId


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


class SimilarQuery(LimitQuery):
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
    etag = f"{catalogue_mark(table)} {live and (live.id, live.trained_at)} {path!r} {query!r}"
    return conditional_response(etag, CACHE_ONE_MINUTE, lambda: answer(_similar(live, path.movie_id, query.limit)))


def _rated(movie: Row[Any], recommendable: bool) -> MovieDetails:
    histogram = movie.rating_histogram
    bars = histogram and [{"rating": n / 2, "count": count} for n, count in enumerate(histogram, start=1)]
    mean = None if movie.rating_mean is None else round(movie.rating_mean, 2)
    links = {
        "imdb": f"https://www.imdb.com/title/{movie.imdb_id}/" if movie.imdb_id else None,
        "tmdb": f"https://www.themoviedb.org/movie/{movie.tmdb_id}" if movie.tmdb_id else None,
    }
    given = {"rating_mean": mean, "rating_histogram": bars, "links": links, "recommendable": recommendable}
    return MovieDetails.model_validate({**movie._mapping, **given})


def _similar(live: LiveGeneration | None, movie_id: int, limit: int) -> SimilarMovies:
    if live is None:
        return SimilarMovies(items=[], generation=None)
    items = [
        SimilarMovie(movie=Movie.of(live.movies.movie(row)), similarity=round(float(cosine), 4))
        for known in live.factors.rows(np.array([movie_id]))[0]
        for row, cosine in zip(*similar(live.factors, known, limit, live.movies.listed), strict=True)
    ]
    return SimilarMovies(items=items, generation=GenerationRef(id=live.id, trained_at=live.trained_at))
