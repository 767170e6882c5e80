"""A user's ratings: listed by page, written one by one or many at once, and deleted."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

from flask import Response
from pydantic import Field, TypeAdapter
from sqlalchemy import Row

from storage import user_ratings
from storage.errors import UnknownRatingError
from storage.user_ratings import FIRST_PAGE, RatingCursor
from web.parsing import INT32
from web.request_metrics import metrics
from web.v1 import batch
from web.v1.base_models import QueryModel, RequestBody, ResponseModel
from web.v1.blueprint import answer, group, recommender
from web.v1.cursors import decode, encode
from web.v1.schemas import Limit, Movie, RatingPath, RatingValue, Timestamp, UserPath, problems

api = group("ratings", "How users rated movies. Once a write returns 2xx, the next recommendations reflect it.")


VERSION = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
MOVIE = Annotated[int, Field(strict=True, ge=-INT32 - 1, le=INT32)]
RATING_KEY: TypeAdapter[tuple[int, int]] = TypeAdapter(tuple[VERSION, MOVIE])  # of a `RatingCursor`


class PageQuery(QueryModel):
    """The page to return."""

    limit: Limit = 20
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

    201 if the user had not rated this movie, 200 if the rating replaces another. Repeating it changes nothing.
    """
    with recommender().database.statement() as db:
        written = user_ratings.put_many(db, path.user_id, {path.movie_id: body.rating})
    metrics().written(*written)
    return answer(Rating(movie_id=path.movie_id, rating=body.rating), 201 if written.created else 200)


@api.post("/users/<user_id>/ratings", responses={200: RatingBatchResult, **problems(404)})
def put_ratings(path: UserPath, body: batch.RatingBatch) -> Response:
    """Rate up to 1,000 movies, all or none

    The error names every invalid row by its index, as in `ratings.3.rating`. Repeating it changes nothing.
    """
    with recommender().database.statement() as db:
        written = batch.write(db, path.user_id, body.ratings)
    metrics().written(*written)
    return answer(RatingBatchResult(created=written.created, replaced=written.replaced))


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
