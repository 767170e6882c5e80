"""Users: made, looked at, handed out with all that is held about them, and erased."""

from flask import Response
from pydantic import ConfigDict, Field

from storage import users
from web.v1.blueprint import PREFIX, answer, group, recommender
from web.v1.rating_routes import UserRating
from web.v1.schemas import Movie, RequestModel, ResponseModel, Timestamp, UserPath, problems

api = group("users", "People who rate movies here.")


class CreateHeader(RequestModel):
    """What may come with the making of a user."""

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="Any text of your own. Sent again with the same one, the request gives the same user.",
        json_schema_extra={"example": "8e03978e-40d5-43dd-bc93-6894a57f9324"},
    )


class NewUser(ResponseModel):
    """A user who has just been made."""

    model_config = ConfigDict(
        openapi_extra={"headers": {"Location": {"description": "Of the user.", "schema": {"type": "string"}}}}
    )  # type: ignore[typeddict-unknown-key]

    user_id: int = Field(examples=[1])
    created_at: Timestamp


class User(ResponseModel):
    """A user."""

    user_id: int = Field(examples=[1])
    created_at: Timestamp
    rating_count: int = Field(examples=[17])


class ExportedRecommendation(ResponseModel):
    """A place of a list that is stored for the user."""

    generation_id: int = Field(examples=[4])
    rank: int = Field(examples=[1])
    movie: Movie
    expected_rating: float = Field(examples=[4.58])


class ExportedPrediction(ResponseModel):
    """What a generation would have said of a rating before it learned of it."""

    generation_id: int = Field(examples=[4])
    movie: Movie
    rating: float = Field(examples=[4.5])
    expected_rating: float = Field(examples=[4.12])
    rank: int = Field(examples=[23], description="Of the movie among all that the user had not seen.")


class UserExport(ResponseModel):
    """Everything that is held about a user."""

    user_id: int = Field(examples=[1])
    created_at: Timestamp
    idempotency_key: str | None = Field(examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"])
    ratings: list[UserRating] = Field(description="Newest first.")
    recommendations: list[ExportedRecommendation] = Field(
        description="The lists that are stored and still reflect these ratings."
    )
    foretold: list[ExportedPrediction] = Field(description="By what the quality of the recommendations is measured.")


@api.post("/users", responses={201: NewUser, **problems(403)})
def create_user(header: CreateHeader) -> Response:
    """Make a user"""
    with recommender().database.statement() as db:
        made = users.create_with_key(db, header.idempotency_key)
    body = NewUser.model_validate(made, from_attributes=True)
    return answer(body, 201, Location=f"{PREFIX}/users/{body.user_id}")


@api.get("/users/<user_id>", responses={200: User, **problems(404)})
def show_user(path: UserPath) -> Response:
    """A user and how many movies they have rated"""
    with recommender().database.statement() as db:
        found = users.find(db, path.user_id)
    return answer(User.model_validate(found, from_attributes=True))


@api.get("/users/<user_id>/export", responses={200: UserExport, **problems(404)})
def export_user(path: UserPath) -> Response:
    """Everything that is held about a user, as one document"""
    with recommender().database.statement() as db:
        held = users.export(db, path.user_id)
    return answer(UserExport.model_validate(held, from_attributes=True))


@api.delete("/users/<user_id>", responses={204: None, **problems(404)})
def delete_user(path: UserPath) -> Response:
    """Erase a user

    All that is held about them goes at once, and the next training has never seen them.
    """
    with recommender().database.transaction() as db:
        users.delete(db, path.user_id)
    recommender().forget(path.user_id)
    return Response(status=204)
