"""Users: created, shown, exported with all their data, and deleted."""

from typing import Literal

from flask import Response
from pydantic import ConfigDict, Field

from histories.writing import letterboxd_table, movielens_table
from storage import tokens, user_ratings, users
from web.access import log_change, user_tokens
from web.v1.base_models import QueryModel, RequestBody, ResponseModel, with_location
from web.v1.blueprint import answer, group, location, recommender, refuse_members
from web.v1.rating_routes import UserMark, UserRating
from web.v1.schemas import IdempotencyHeader, Movie, Timestamp, UserPath, problems
from web.v1.token_routes import Token

api = group("users", "Users, and all the data stored about them.")


class ExportQuery(QueryModel):
    """The form of an export."""

    format: Literal["json", "csv", "letterboxd"] = Field(
        "json", description="json: all data; csv: ratings with MovieLens's columns; letterboxd: for its import."
    )


class NewUser(ResponseModel):
    """A user who has just been created."""

    model_config = with_location("The address of the user.")

    user_id: int = Field(examples=[1])
    created_at: Timestamp
    token: str | None = Field(
        None,
        examples=[None],
        description="With MATINEE_USER_TOKENS=1 the user's first token, of the scope self, unless the request was "
        "repeated. It is shown only now; a caller with a key creates another: POST /users/{user_id}/tokens.",
    )


class User(ResponseModel):
    """A user."""

    user_id: int = Field(examples=[1])
    created_at: Timestamp
    train: bool = Field(examples=[True], description="Whether training runs learn from the user's ratings.")
    rating_count: int = Field(examples=[17])


class UserUpdate(RequestBody):
    """What to change about a user."""

    train: bool = Field(
        examples=[False],
        description="false: training runs leave the user's ratings out, from the next one on. Their lists go on, made "
        "from these ratings.",
    )


class RecommendationRecord(ResponseModel):
    """One movie of a list that is stored for the user."""

    generation_id: int = Field(examples=[4])
    rank: int = Field(examples=[1])
    movie: Movie
    expected_rating: float = Field(examples=[4.58])


class PredictionRecord(ResponseModel):
    """What a generation predicted for a rating before it learned of it."""

    generation_id: int = Field(examples=[4])
    movie: Movie
    rating: float = Field(examples=[4.5])
    expected_rating: float = Field(examples=[4.12])
    rank: int = Field(examples=[23], description="The movie's rank among all that the user had not rated.")


class ImpressionRecord(ResponseModel):
    """A list that the user was shown."""

    list_id: str = Field(examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"])
    at: Timestamp
    times: int = Field(examples=[2], description="How many times within ten minutes.")
    generation_id: int | None = Field(examples=[4])
    experiment: str | None = Field(
        examples=["fewer-neighbours"], description="The experiment that the list was part of."
    )
    arm: str | None = Field(examples=["today"], description="The arm of the experiment that made the list.")
    route: str = Field(examples=["v1"])
    first_place: int = Field(examples=[1], description="The place of the first movie in the whole list.")
    movie_ids: list[int] = Field(examples=[[25904, 25905]])
    expected_ratings: list[float] = Field(examples=[[4.58, 4.51]])
    teams: list[str] | None = Field(
        examples=[["today", "G17"]], description="Of an interleaved list: the arm that chose each movie."
    )
    explored: list[bool] | None = Field(
        examples=[None], description="Which movies were drawn for exploration; null if none was."
    )


class EventRecord(ResponseModel):
    """What the user did with a movie of a list."""

    list_id: str = Field(examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"])
    movie_id: int = Field(examples=[25904])
    event: str = Field(examples=["opened"])
    at: Timestamp


class UserExport(ResponseModel):
    """All data stored about a user."""

    model_config = ConfigDict(openapi_extra={"content": {"text/csv": {"schema": {"type": "string"}}}})  # type: ignore[typeddict-unknown-key]

    user_id: int = Field(examples=[1])
    created_at: Timestamp
    idempotency_key: str | None = Field(examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"])
    train: bool = Field(examples=[True])
    ratings: list[UserRating] = Field(description="Newest first.")
    marks: list[UserMark] = Field(description="Newest first.")
    recommendations: list[RecommendationRecord] = Field(
        description="The stored lists that still reflect these ratings."
    )
    foretold: list[PredictionRecord] = Field(description="Predictions stored for the online evaluation.")
    impressions: list[ImpressionRecord] = Field(description="The lists that the user was shown, newest first.")
    events: list[EventRecord] = Field(description="What the user did with movies of these lists, newest first.")
    tokens: list[Token] = Field(description="Without their secrets, newest first.")


@api.post("/users", responses={201: NewUser, **problems(403)})
def create_user(header: IdempotencyHeader) -> Response:
    """Create a user"""
    refuse_members()
    with recommender().database.transaction() as db:
        created = users.create_with_key(db, header.idempotency_key)
        # for a repeated request it would open an older user to whoever guesses the key
        token = tokens.create(db, created.user_id, "self")[1] if created.is_new and user_tokens() else None
    body = NewUser(user_id=created.user_id, created_at=created.created_at, token=token)
    return answer(body, 201, Location=location(f"/users/{body.user_id}"))


@api.get("/users/<user_id>", responses={200: User, **problems(404)})
def show_user(path: UserPath) -> Response:
    """Show a user and the number of movies they have rated"""
    with recommender().database.statement() as db:
        found = users.find(db, path.user_id)
    return answer(User.model_validate(found))


@api.patch("/users/<user_id>", responses={200: User, **problems(404)})
def update_user(path: UserPath, body: UserUpdate) -> Response:
    """Let training runs learn from a user's ratings, or not"""
    with recommender().database.transaction() as db:
        users.set_train(db, path.user_id, body.train)
        found = users.find(db, path.user_id)
    return answer(User.model_validate(found))


@api.get("/users/<user_id>/export", responses={200: UserExport, **problems(404)})
def export_user(path: UserPath, query: ExportQuery) -> Response:
    """Export all data stored about a user as one document, or their ratings as a table

    The tables are CSV: those of MovieLens and of Letterboxd, which import them, as does POST /users/{user_id}/imports.
    """
    if query.format == "json":
        with recommender().database.statement() as db:
            held = users.export(db, path.user_id)
        return answer(UserExport.model_validate(held))
    with recommender().database.statement() as db:
        ratings = user_ratings.of_user(db, path.user_id)
    table = letterboxd_table(ratings) if query.format == "letterboxd" else movielens_table(path.user_id, ratings)
    name = f"matinee-user-{path.user_id}-{query.format}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(table, content_type="text/csv; charset=utf-8", headers=headers)


@api.delete("/users/<user_id>", responses={204: None, **problems(404)})
def delete_user(path: UserPath) -> Response:
    """Delete a user

    All data stored about them is deleted at once, and the next training run does not see it.
    """
    with recommender().database.transaction() as db:
        gone = users.delete(db, path.user_id)
    recommender().forget(path.user_id)
    log_change(f"user {path.user_id} is erased: {gone}")
    return Response(status=204)
