"""Recommendations for a group of users and guests."""

from typing import Annotated, Any

from flask import Response
from pydantic import Discriminator, Field, Tag

from ranking.groups import Rule
from web.access import check_user
from web.errors import InvalidInputError
from web.v1.base_models import RequestBody, ResponseModel
from web.v1.batch import GuestRatings
from web.v1.blueprint import answer, group, recommender
from web.v1.list_filters import MovieFilters
from web.v1.recommendation_routes import RecommendationReason
from web.v1.schemas import GUEST_TAG, USER_TAG, GenerationRef, Id, Movie, Rounded, Stars, problems

api = group("groups", "What several people could watch together.")


class GuestMember(GuestRatings):
    """A member who is not stored, with their ratings."""


def _kind(member: Any) -> str:
    return GUEST_TAG if isinstance(member, dict | GuestMember) else USER_TAG


Member = Annotated[Annotated[Id, Tag(USER_TAG)] | Annotated[GuestMember, Tag(GUEST_TAG)], Discriminator(_kind)]


class Group(MovieFilters, RequestBody):
    """The members of a group, and the list to return."""

    members: list[Member] = Field(
        min_length=2,
        max_length=8,
        description="The ids of users, and guests with their ratings, in any mixture.",
        json_schema_extra={"example": [1, {"ratings": [{"movie_id": 25905, "rating": 4.5}]}]},
    )
    rule: Rule = Field(
        "average",
        description="average: movies with the highest mean of the members' scores; fair: each next movie adds most to "
        "the sum of the logarithms of what each member has got so far, so that nobody goes without.",
    )
    reasons: bool = Field(
        True, description="false leaves reasons out, so that a shared list shows no rating of another member."
    )


class GroupMember(ResponseModel):
    """A member of a group."""

    user_id: int | None = Field(examples=[1], description="Null for a guest.")
    ratings_seen: int = Field(examples=[17], description="The number of the member's ratings that the list reflects.")


class MemberPrediction(ResponseModel):
    """What a member is expected to think of a movie."""

    expected_rating: Stars = Field(examples=[4.58], description="The rating that the member is expected to give.")
    because: RecommendationReason | None = Field(
        description="The member's rating that adds most to the score; null without one, or without `reasons`."
    )


class GroupListItem(ResponseModel):
    """One movie of a group's list."""

    rank: int = Field(examples=[1])
    movie: Movie
    score: Rounded = Field(
        examples=[3.27], description="The mean of the members' scores. Only the order has a meaning."
    )
    expected_rating: Stars = Field(examples=[4.21], description="The mean of the members' expected ratings.")
    members: list[MemberPrediction] = Field(description="One for each member, in the order of the request.")


class GroupRecommendations(ResponseModel):
    """Movies that no member has rated, best first."""

    items: list[GroupListItem]
    members: list[GroupMember] = Field(description="In the order of the request.")
    rule: Rule
    generation: GenerationRef | None = Field(description="Null before the first training run.")


@api.post("/groups/recommendations", responses={200: GroupRecommendations, **problems(403, 404, 413, 415)})
def recommend_to_group(body: Group) -> Response:
    """Recommend movies to a group

    Nothing is stored. The list has no movie that any member has rated or marked as seen or hidden, and reflects every
    confirmed rating of each.
    """
    users = {place: member for place, member in enumerate(body.members) if not isinstance(member, GuestMember)}
    for member in users.values():
        check_user(member)
    if faults := [
        (f"members.{place}", f"user {member} is in the group more than once")
        for place, member in users.items()
        if member in body.members[:place]
    ]:
        raise InvalidInputError(*faults)
    context = recommender().group([m.by_movie if isinstance(m, GuestMember) else m for m in body.members])
    items = context.places(body.rule, body.limit, body.filters, body.reasons, body.known_first)
    members = [
        {"user_id": None if isinstance(member, GuestMember) else member, "ratings_seen": seen}
        for member, seen in zip(body.members, context.ratings_seen, strict=True)
    ]
    made = {"items": items, "members": members, "rule": body.rule, "generation": context.live}
    return answer(GroupRecommendations.model_validate(made))
