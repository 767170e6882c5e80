"""What users do with the movies that they are shown."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from storage.impressions import Event
from web.impressions import impressions
from web.v1.blueprint import answer, group
from web.v1.schemas import MovieId, RequestBody, ResponseModel, problems

api = group("events", "What users do with the movies that they are shown.")


class ListEvent(RequestBody):
    """What a user did with a movie of a list."""

    list_id: UUID = Field(
        strict=False,
        description="The `list_id` or `X-List-ID` of the list.",
        json_schema_extra={"example": "8e03978e-40d5-43dd-bc93-6894a57f9324"},
    )
    movie_id: MovieId
    event: Literal["opened"] = Field(description="opened: the user looked at the movie.")


class AcceptedEvent(ResponseModel):
    """An event that will be stored, if its list is known."""

    accepted: Literal[True] = Field(examples=[True])


@api.post("/events", responses={202: AcceptedEvent, **problems(403, 413, 415)})
def record_event(body: ListEvent) -> Response:
    """Record that a user opened a movie of a list

    Accepted at once and stored within seconds, once for each movie of a list. An event with a list that is not recorded
    or was shown more than a week ago, or with a movie that the list does not have, is left out.
    """
    if (buffer := impressions()) is not None:
        buffer.happened(Event(str(body.list_id), body.movie_id, body.event, datetime.now(UTC)))
    return answer(AcceptedEvent(accepted=True), 202)
