"""A user's tokens: secrets that open what belongs to this user, and nothing else."""

from typing import Annotated

from flask import Response
from pydantic import Field

from storage import tokens
from storage.tokens import Scope
from web.v1.base_models import RequestBody, ResponseModel
from web.v1.blueprint import answer, group, recommender
from web.v1.schemas import Id, Timestamp, UserPath, problems

api = group("tokens", "Secrets of one user, for a browser, another program or a home server.")

TokenName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]


class TokenRequest(RequestBody):
    """The token to create."""

    scope: Scope = Field(
        examples=["list"],
        description="self: all routes of this user, sent like a key; list: GET /lists/{token}.json; hook: POST "
        "/hooks/{token}.",
    )
    name: TokenName | None = Field(None, examples=["Radarr"], description="What it is for, to tell it from others.")


class Token(ResponseModel):
    """A token, without its secret."""

    token_id: int = Field(examples=[3])
    scope: Scope = Field(examples=["list"])
    name: str | None = Field(examples=["Radarr"])
    created_at: Timestamp


class NewToken(Token):
    """A token that has just been created."""

    token: str = Field(
        examples=["nO2dE5vH0yQkT1hVdM3m0wq8rXfZb7uLJcA4sGp6iKY"],
        description="The secret. It is shown now and never again, since only its hash is stored.",
    )


class Tokens(ResponseModel):
    """A user's tokens, newest first."""

    items: list[Token]


class TokenPath(UserPath):
    """The user and the token."""

    token_id: Id = Field(description="A token's id, from POST or GET.", json_schema_extra={"example": 3})


@api.post("/users/<user_id>/tokens", responses={201: NewToken, **problems(404)})
def create_token(path: UserPath, body: TokenRequest) -> Response:
    """Create a token

    A repeated request creates another one.
    """
    with recommender().database.statement() as db:
        row, secret = tokens.create(db, path.user_id, body.scope, body.name)
    return answer(NewToken(**row._mapping, token=secret), 201)


@api.get("/users/<user_id>/tokens", responses={200: Tokens, **problems(404)})
def list_tokens(path: UserPath) -> Response:
    """List a user's tokens, without their secrets"""
    with recommender().database.statement() as db:
        rows = tokens.of_user(db, path.user_id)
    return answer(Tokens(items=[Token.model_validate(row) for row in rows]))


@api.delete("/users/<user_id>/tokens/<token_id>", responses={204: None, **problems(404)})
def revoke_token(path: TokenPath) -> Response:
    """Revoke a token

    It opens nothing from now on.
    """
    with recommender().database.statement() as db:
        tokens.revoke(db, path.user_id, path.token_id)
    return Response(status=204)
