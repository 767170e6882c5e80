"""A user's ratings and marks: listed by page, written one by one or many ratings at once, and deleted."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

from flask import Response
from pydantic import Field, TypeAdapter
from sqlalchemy import Row

from storage import user_ratings
from storage.errors import UnknownRatingError
from storage.user_ratings import FIRST_PAGE, RatingCursor
from storage.user_ratings import Mark as Kind
from web.parsing import INT32
from web.request_metrics import metrics
from web.v1.base_models import RequestBody, ResponseModel
from web.v1.batch import RatingBatch
from web.v1.blueprint import answer, group, recommender
from web.v1.cursors import decode, encode
from web.v1.schemas import LimitQuery, Movie, RatingPath, RatingValue, Timestamp, UserPath, problems

api = group("ratings", "How users rated movies. Once a write returns 2xx, the next recommendations reflect it.")
marks = group("marks", "What users say of movies without a rating. The next recommendations reflect it.")

VERSION = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
MOVIE = Annotated[int, Field(strict=True, ge=-INT32 - 1, le=INT32)]
RATING_KEY: TypeAdapter[tuple[int, int]] = TypeAdapter(tuple[VERSION, MOVIE])  # of a `RatingCursor`


class PageQuery(LimitQuery):
    """The page to return."""

    cursor: str | None = Field(None, description="The next_cursor of the previous page; without it the first page.")

    def read(self, scope: str, read: Callable[[int, RatingCursor], Sequence[Row[Any]]]) -> dict[str, Any]:
        """Return the page as `items`, rows that each are their `movie` too, and the `next_cursor` of the scope.

        `read` returns so many rows after a cursor.
        """
        after = FIRST_PAGE if self.cursor is None else RatingCursor(*decode(self.cursor, scope, RATING_KEY))
        rows = read(self.limit + 1, after)
        items = rows[: self.limit]
        more = encode(scope, items[-1].version, items[-1].movie_id) if len(rows) > len(items) else None
        return {"items": [{"movie": row, **row._mapping} for row in items], "next_cursor": more}


class UserRating(ResponseModel):
    """A movie that a user has rated."""

    movie: Movie
    rating: float = Field(examples=[4.5])
    rated_at: Timestamp


class RatingsPage(ResponseModel):
    """Ratings, newest first."""

    items: list[UserRating]
    next_cursor: str | None = Field(examples=[None], description="The cursor of the next page; null on the last.")


class RatingUpdate(RequestBody):
    """A rating."""

    rating: RatingValue


class Rating(ResponseModel):
    """A rating as it is now stored."""

    movie_id: int = Field(examples=[25904])
    rating: float = Field(examples=[4.5])


class RatingBatchResult(ResponseModel):
    """The result of writing many ratings."""

    created: int = Field(examples=[2], description="The number of movies rated for the first time.")
    replaced: int = Field(examples=[1], description="The number of movies that had a rating before.")


@api.get("/users/<user_id>/ratings", responses={200: RatingsPage, **problems(404)})
def list_ratings(path: UserPath, query: PageQuery) -> Response:
    """List a user's ratings, newest first

    Ratings written between two requests come before the first page and do not shift later pages.
    """
    with recommender().database.statement() as db:
        found = query.read(f"ratings of {path.user_id}", partial(user_ratings.of_user, db, path.user_id))
    return answer(RatingsPage.model_validate(found))


@api.put("/users/<user_id>/ratings/<movie_id>", responses={201: Rating, 200: Rating, **problems(404)})
def put_rating(path: RatingPath, body: RatingUpdate) -> Response:
    """Rate a movie

    201 if the user had not rated this movie, 200 if the rating replaces another. Repeating it changes nothing. The
    marks seen and later of this movie are removed.
    """
    with recommender().database.statement() as db:
        written = user_ratings.put_many(db, path.user_id, {path.movie_id: body.rating})
    metrics().written(written.created, written.replaced)
    return answer(Rating(movie_id=path.movie_id, rating=body.rating), 201 if written.created else 200)


@api.post("/users/<user_id>/ratings", responses={200: RatingBatchResult, **problems(404)})
def put_ratings(path: UserPath, body: RatingBatch) -> Response:
    """Rate up to 1,000 movies, all or none

    The error names every invalid row by its index, as in `ratings.3.rating`. Repeating it changes nothing.
    """
    with recommender().database.statement() as db:
        written = user_ratings.put_many(db, path.user_id, body.by_movie)
    metrics().written(written.created, written.replaced)
    return answer(RatingBatchResult.model_validate(written))


@api.delete("/users/<user_id>/ratings/<movie_id>", responses={204: None, **problems(404)})
def delete_rating(path: RatingPath) -> Response:
    """Delete a rating

    The movie can be recommended again at once.
    """
    with recommender().database.statement() as db:
        if not user_ratings.remove(db, path.user_id, path.movie_id):
            raise UnknownRatingError(path.user_id, path.movie_id)
    metrics().written(removed=1)
    return Response(status=204)


class MarksQuery(PageQuery):
    """The marks and the page to return."""

    mark: Kind | None = Field(None, description="Only these marks.")


class MarkUpdate(RequestBody):
    """A mark."""

    mark: Kind = Field(
        examples=["seen"],
        description="seen: watched, without a rating; hidden: not wanted; later: on the list of movies to watch. "
        "Movies that are seen or hidden are not recommended. A rating of the movie removes seen and later.",
    )


class Mark(ResponseModel):
    """A mark as it is now stored."""

    movie_id: int = Field(examples=[25904])
    mark: Kind = Field(examples=["seen"])


class UserMark(ResponseModel):
    """A movie that a user has marked."""

    movie: Movie
    mark: Kind = Field(examples=["seen"])
    at: Timestamp


class MarksPage(ResponseModel):
    """Marks, newest first."""

    items: list[UserMark]
    next_cursor: str | None = Field(examples=[None], description="The cursor of the next page; null on the last.")


@marks.get("/users/<user_id>/marks", responses={200: MarksPage, **problems(404)})
def list_marks(path: UserPath, query: MarksQuery) -> Response:
    """List a user's marks, newest first"""
    with recommender().database.statement() as db:
        read = partial(user_ratings.marks_of_user, db, path.user_id, query.mark)
        found = query.read(f"marks {query.mark} of {path.user_id}", read)
    return answer(MarksPage.model_validate(found))


@marks.put("/users/<user_id>/marks/<movie_id>", responses={201: Mark, 200: Mark, **problems(404)})
def put_mark(path: RatingPath, body: MarkUpdate) -> Response:
    """Mark a movie

    201 if it had no mark, 200 if the mark replaces another. Repeating it changes nothing.
    """
    with recommender().database.statement() as db:
        created = user_ratings.put_mark(db, path.user_id, path.movie_id, body.mark)
    return answer(Mark(movie_id=path.movie_id, mark=body.mark), 201 if created else 200)


@marks.delete("/users/<user_id>/marks/<movie_id>", responses={204: None, **problems(404)})
def delete_mark(path: RatingPath) -> Response:
    """Delete a mark

    The movie can be recommended again at once.
    """
    with recommender().database.statement() as db:
        user_ratings.remove_mark(db, path.user_id, path.movie_id)
    return Response(status=204)
