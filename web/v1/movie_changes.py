"""Add, change and withdraw movies: for operators."""

import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any

from flask import Response, request
from pydantic import AfterValidator, Field
from werkzeug.exceptions import MethodNotAllowed

from catalogue.movie import NO_GENRES
from storage import movie_changes
from storage.movie_changes import LAST_GIVEN_ID, MovieChange, MovieDescription
from web.access import log_change
from web.errors import InvalidInputError
from web.parsing import INT32
from web.v1.base_models import RequestBody, ResponseModel, with_location
from web.v1.blueprint import answer, location, recommender
from web.v1.movie_routes import api
from web.v1.one_movie_routes import MoviePath
from web.v1.schemas import IdempotencyHeader, MovieId, problems
from web.v1.training_routes import admin

MAX_MOVIES = 1000
LONGEST_BATCH_KEY = 250  # to which the place of each movie is added


def _plain(text: str) -> str:
    """Refuse what PostgreSQL cannot store, and what would spoil a line of a log or a file."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text) or not text.strip():
        raise ValueError("give a text without control characters")
    return text.strip()


def _genre(name: str) -> str:
    if "|" in name:
        raise ValueError("a genre has no |; give several as a list")
    return name


Text = Annotated[str, AfterValidator(_plain)]
MovieGenre = Annotated[Text, Field(max_length=50), AfterValidator(_genre)]
Int = Annotated[int, Field(ge=1, le=INT32)]
GivenId = Annotated[int, Field(ge=1, le=LAST_GIVEN_ID)]


class MovieInput(RequestBody):
    """A whole movie: it has no value for a field that is left out."""

    title: Text = Field(
        max_length=500, description="The title without the year.", json_schema_extra={"example": "Ministry of Fear"}
    )
    year: Annotated[int, Field(ge=1000, le=9999)] | None = Field(None, json_schema_extra={"example": 1944})
    genres: list[MovieGenre] = Field(
        [],
        max_length=20,
        description="New names make new genres.",
        json_schema_extra={"example": ["Drama", "Film-Noir"]},
    )
    imdb_id: Annotated[str, Field(pattern="^tt[0-9]{7,10}$")] | None = Field(
        None, json_schema_extra={"example": "tt0036164"}
    )
    tmdb_id: Int | None = Field(None, json_schema_extra={"example": 40092})

    @property
    def description(self) -> MovieDescription:
        """Return the movie as it is stored."""
        genres = "|".join(dict.fromkeys(self.genres)) or NO_GENRES
        return MovieDescription(self.title, genres, self.year, self.imdb_id, self.tmdb_id)


class BatchMovie(MovieInput):
    """A movie of a batch."""

    movie_id: GivenId | None = Field(
        None,
        description="The movie to add or replace; without it a new movie gets an id.",
        json_schema_extra={"example": 25904},
    )


class MovieBatch(RequestBody):
    """Up to 1,000 different movies."""

    movies: list[BatchMovie] = Field(min_length=1, max_length=MAX_MOVIES)


class MovieRef(ResponseModel):
    """The movie that was written."""

    model_config = with_location("The address of the movie.")

    movie_id: MovieId


class MovieBatchResult(ResponseModel):
    """How many movies of a batch are new, how many were there, and their ids in the order of the batch."""

    created: int = Field(examples=[1])
    replaced: int = Field(examples=[0])
    movie_ids: list[int] = Field(examples=[[1_000_000_000]])


@admin.put("/movies/<movie_id>", responses={200: MovieRef, 201: MovieRef, **problems(403, 404, 409, 413, 415)})
def put_movie(path: MoviePath, body: MovieInput) -> Response:
    """Add a movie with this id, or replace it

    The next answer of every process shows it. A withdrawn movie comes back. 409 names the movie that has the `imdb_id`
    or `tmdb_id`.
    """
    if not 1 <= path.movie_id <= LAST_GIVEN_ID:
        raise InvalidInputError(("movie_id", f"choose an id from 1 to {LAST_GIVEN_ID:,}"))
    ((movie_id, created),) = _put([MovieChange(path.movie_id, body.description)])
    return answer(MovieRef(movie_id=movie_id), 201 if created else 200, Location=location(f"/movies/{movie_id}"))


@admin.post("/movies", responses={201: MovieRef, **problems(403, 409, 413, 415)})
def add_movie(header: IdempotencyHeader, body: MovieInput) -> Response:
    """Add a movie

    It gets an id from 1,000,000,000 on; MovieLens has those below. 409 names the movie that has the `imdb_id` or
    `tmdb_id`, or that another request added with the `Idempotency-Key`.
    """
    ((movie_id, _),) = _put([MovieChange(None, body.description, header.idempotency_key)])
    return answer(MovieRef(movie_id=movie_id), 201, Location=location(f"/movies/{movie_id}"))


@admin.post("/movies/batch", responses={200: MovieBatchResult, **problems(403, 409, 413, 415)})
def put_movies(header: IdempotencyHeader, body: MovieBatch) -> Response:
    """Add or replace many movies, all or none

    An error names every invalid movie by its index, as in `movies.3.title`.
    """
    given = [movie.movie_id for movie in body.movies]
    if faults := [
        (f"movies.{index}.movie_id", "the movie is in the request more than once")
        for index, movie_id in enumerate(given)
        if movie_id is not None and movie_id in given[:index]
    ]:
        raise InvalidInputError(*faults)
    key = header.idempotency_key
    if key and len(key) > LONGEST_BATCH_KEY:
        raise InvalidInputError(("Idempotency-Key", f"it must have at most {LONGEST_BATCH_KEY} characters for a batch"))
    written = _put(
        [
            MovieChange(movie.movie_id, movie.description, f"{key} {index}" if key and not movie.movie_id else None)
            for index, movie in enumerate(body.movies)
        ]
    )
    created = sum(new for _, new in written)
    ids = [movie_id for movie_id, _ in written]
    return answer(MovieBatchResult(created=created, replaced=len(ids) - created, movie_ids=ids))


@api.route("/movies/batch", methods=["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def _refuse_other_methods() -> Response:
    """Answer what Flask would else take for requests of the movie `batch`."""
    if request.method == "OPTIONS":
        return Response(status=204, headers={"Allow": "OPTIONS, POST"})
    raise MethodNotAllowed(["OPTIONS", "POST"])


@admin.delete("/movies/<movie_id>", responses={204: None, **problems(403, 404)})
def withdraw_movie(path: MoviePath) -> Response:
    """Withdraw a movie

    From the next answer on it is in no list, search or similar movies. It stays in users' ratings and exports, and PUT
    brings it back.
    """
    with recommender().database.statement() as db:
        count = movie_changes.withdraw(db, [path.movie_id])
    if count:
        log_change(f"movie {path.movie_id} is withdrawn")
    return Response(status=204)


def _put(changes: Sequence[MovieChange]) -> Any:
    with recommender().database.transaction() as db:
        written = movie_changes.put(db, changes)
    log_change(movie_changes.described(written))
    return written
