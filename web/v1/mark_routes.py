"""A user's marks: movies that they have seen, do not want, or want to watch later."""

from functools import partial

from flask import Response
from pydantic import Field

from storage import user_ratings
from storage.user_ratings import Mark as Kind
from web.v1.base_models import RequestBody, ResponseModel
from web.v1.blueprint import answer, group, recommender
from web.v1.rating_routes import PageQuery
from web.v1.schemas import Movie, RatingPath, Timestamp, UserPath, problems

api = group("marks", "What users say of movies without a rating. The next recommendations reflect it.")


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


@api.get("/users/<user_id>/marks", responses={200: MarksPage, **problems(404)})
def list_marks(path: UserPath, query: MarksQuery) -> Response:
    """List a user's marks, newest first"""
    with recommender().database.statement() as db:
        read = partial(user_ratings.marks_of_user, db, path.user_id, query.mark)
        found = query.read(f"marks {query.mark} of {path.user_id}", read)
    return answer(MarksPage.model_validate(found))


@api.put("/users/<user_id>/marks/<movie_id>", responses={201: Mark, 200: Mark, **problems(404)})
def put_mark(path: RatingPath, body: MarkUpdate) -> Response:
    """Mark a movie

    201 if it had no mark, 200 if the mark replaces another. Repeating it changes nothing.
    """
    with recommender().database.statement() as db:
        created = user_ratings.put_mark(db, path.user_id, path.movie_id, body.mark)
    return answer(Mark(movie_id=path.movie_id, mark=body.mark), 201 if created else 200)


@api.delete("/users/<user_id>/marks/<movie_id>", responses={204: None, **problems(404)})
def delete_mark(path: RatingPath) -> Response:
    """Delete a mark

    The movie can be recommended again at once.
    """
    with recommender().database.statement() as db:
        user_ratings.remove_mark(db, path.user_id, path.movie_id)
    return Response(status=204)
