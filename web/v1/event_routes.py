"""What users do with the movies that they are shown."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from flask import Response
from pydantic import Field

from evaluation.outcome_report import KINDS, OutcomeCounts, outcome_report
from storage import outcomes
from storage.impressions import Event
from web.impressions import impressions
from web.v1.base_models import QueryModel, RequestBody, ResponseModel
from web.v1.blueprint import answer, group, recommender
from web.v1.schemas import PLAIN_INTEGER, MovieId, problems

MOST_LISTS = 20_000  # that can be counted within the request deadline

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


class EventReceipt(ResponseModel):
    """An event that will be stored, if its list is known."""

    accepted: Literal[True] = Field(examples=[True])


class OutcomesQuery(QueryModel):
    """The time to look at."""

    days: Annotated[int, Field(ge=1, le=36500), PLAIN_INTEGER] = Field(30, description="So many days until now.")


class OutcomeShare(ResponseModel):
    """How many of the shown movies had an outcome, and their share with a 95 % interval (Wilson)."""

    count: int = Field(examples=[310])
    share: float = Field(validation_alias="value", examples=[0.075])
    low: float = Field(examples=[0.067])
    high: float = Field(examples=[0.084])


class ShownMovies(ResponseModel):
    """Movies that were shown by a generation and strategy, or at a place, and what became of them within 7 days."""

    generation_id: int | None = Field(examples=[4], description="Null of places, and before the first generation.")
    strategy: str | None = Field(examples=["personal"], description="Null of places.")
    place: int | None = Field(examples=[None], description="Null of generations.")
    shown: int = Field(examples=[4120], description="Different movies for each user, added up over the users.")
    opened: OutcomeShare
    rated: OutcomeShare
    liked: OutcomeShare
    hidden: OutcomeShare
    expected: float | None = Field(examples=[4.12], description="The mean expected rating of those that were rated.")
    rating: float | None = Field(examples=[4.05], description="The mean of their ratings.")
    rmse: float | None = Field(examples=[0.87], description="The error of the expected rating, in stars.")

    @classmethod
    def of(cls, counts: OutcomeCounts) -> Self:
        """Return a row of the report."""
        shares = {kind: vars(counts.share(kind)) | {"count": getattr(counts, kind)} for kind in KINDS}
        return cls.model_validate(vars(counts) | shares)


class Outcomes(ResponseModel):
    """What users did with the movies that they were shown."""

    days: int = Field(examples=[30])
    one_user_in: int = Field(
        examples=[1], description="Only one user in this many is counted: 1, or more when very many lists were shown."
    )
    generations: list[ShownMovies] = Field(description="By generation and strategy.")
    places: list[ShownMovies] = Field(description="By place, the first ten.")


@api.get("/outcomes", responses={200: Outcomes})
def show_outcomes(query: OutcomesQuery) -> Response:
    """Show what users did with the movies that they were shown, within 7 days

    A movie counts once for each user and generation, however many lists had it, at the place where it was shown first.
    """
    with recommender().database.statement() as db:
        every = 1 + outcomes.lists_shown(db, query.days) // MOST_LISTS
        found = outcome_report(query.days, outcomes.recent(db, query.days, every))
    generations, places = ([ShownMovies.of(counts) for counts in part] for part in (found.generations, found.places))
    return answer(Outcomes(days=found.days, one_user_in=every, generations=generations, places=places))


@api.post("/events", responses={202: EventReceipt, **problems(403, 413, 415)})
def record_event(body: ListEvent) -> Response:
    """Record that a user opened a movie of a list

    Accepted at once and stored within seconds, once for each movie of a list. An event with a list that is not recorded
    or was shown more than a week ago, or with a movie that the list does not have, is left out.
    """
    if (buffer := impressions()) is not None:
        buffer.happened(Event(str(body.list_id), body.movie_id, body.event, datetime.now(UTC)))
    return answer(EventReceipt(accepted=True), 202)
