"""What to watch next: for a user, for someone who is not stored, and the rating to expect of any movie."""

from collections.abc import Sequence
from typing import Annotated

from flask import Response
from pydantic import Field

from catalogue.movie_table import Filters, UnknownGenreError
from catalogue.recommendations import LIST_LENGTH, ListRequest, RankedRecommendation
from catalogue.user_context import UserContext
from ranking.rankings import Strategy
from web.errors import InvalidInputError
from web.parsing import INT32
from web.request_metrics import metrics
from web.v1 import batch
from web.v1.blueprint import answer, group, recommender
from web.v1.caching import conditional_response
from web.v1.schemas import (
    PLAIN_INTEGER,
    GenerationRef,
    Id,
    Limit,
    Movie,
    QueryModel,
    RequestBody,
    RequestModel,
    ResponseModel,
    UserPath,
    Year,
    problems,
)

api = group("recommendations", "What to watch next, and why.")

PERSONAL = "private, no-cache"  # may be kept by whom it is for, who asks each time whether it has changed

Genre = Annotated[str, Field(max_length=50)]


class ListFilters(RequestModel):
    """Which part of a list. The filters apply to the whole list: ten comedies are the ten best comedies."""

    limit: Limit = LIST_LENGTH
    offset: Annotated[int, Field(ge=0, le=10_000), PLAIN_INTEGER] = Field(0, description="How many to pass over.")
    genre: list[Genre] = Field(
        [],
        max_length=10,
        description="A genre of GET /genres, in any case; of several, a movie must have all.",
        json_schema_extra={"example": ["Comedy"]},
    )
    year_from: Year | None = Field(None, description="This year or later; leaves out movies of unknown year.")
    year_to: Year | None = Field(None, description="This year or earlier; leaves out movies of unknown year.")
    min_ratings: Annotated[int, Field(ge=0, le=INT32), PLAIN_INTEGER] = Field(
        0, description="Only movies with so many ratings in the dataset."
    )

    @property
    def wanted(self) -> ListRequest:
        """What the recommender is asked for."""
        filters = Filters(tuple(self.genre), self.year_from, self.year_to, self.min_ratings)
        return ListRequest(self.limit, self.offset, filters)


class RecommendationsQuery(ListFilters, QueryModel):
    """Which part of the list, and of which movies."""


class GuestHistory(ListFilters, RequestBody):
    """What someone thinks of movies, and which part of their list is wanted."""

    ratings: list[batch.Row] = Field(max_length=batch.MAX_RATINGS, description="Each of another movie; may be empty.")


class PredictionsQuery(QueryModel):
    """Which movies."""

    movie_id: list[Id] = Field(
        min_length=1, max_length=100, description="Movies, rated or not.", json_schema_extra={"example": [25904, 25905]}
    )


class RecommendationReason(ResponseModel):
    """A movie that the person rated, and how much that speaks for the recommended one."""

    movie_id: int = Field(examples=[25905])
    title: str = Field(examples=["Phantom Lady"])
    share: float = Field(examples=[0.62], description="Of all that their ratings add to the score, 0 to 1.")


class Recommendation(ResponseModel):
    """A place in a list."""

    rank: int = Field(examples=[1], description="From 1 on; it goes on from page to page.")
    movie: Movie
    score: float = Field(
        examples=[3.27],
        description="What orders the list, but for movies with few ratings, which come last; only the order means "
        "anything.",
    )
    expected_rating: float = Field(examples=[4.58], description="What they may be expected to rate it, 0.5 to 5.")
    because: list[RecommendationReason] = Field(
        description="Up to three of their ratings, the one that speaks most for it first."
    )


class Recommendations(ResponseModel):
    """Movies to watch next, best first, none of which they have rated, and how the list came to be."""

    items: list[Recommendation]
    strategy: Strategy = Field(
        examples=["blended"],
        description="popular: what people like, since there is no training or no rating that it can use; blended: by "
        "their taste and by what people like, up to 25 ratings; personal: by their taste, what people like having "
        "less than half of its full weight.",
    )
    generation: GenerationRef | None = Field(description="Null before the first training.")
    ratings_seen: int = Field(examples=[17], description="How many of their ratings the list reflects: all there are.")


class Prediction(ResponseModel):
    """A movie and what it may be expected to be rated."""

    movie: Movie
    expected_rating: float = Field(examples=[4.58])


class Predictions(ResponseModel):
    """The movies that were asked for, in that order."""

    items: list[Prediction]


@api.get("/users/<user_id>/recommendations", responses={200: Recommendations, 304: None, **problems(404)})
def list_recommendations(path: UserPath, query: RecommendationsQuery) -> Response:
    """What a user may watch next

    Reflects every rating that was confirmed before it was asked for.
    """
    viewer = recommender().viewer(path.user_id)
    return conditional_response(f"{viewer.mark} {query!r}", PERSONAL, lambda: answer(_recommendations(viewer, query)))


@api.get("/users/<user_id>/predictions", responses={200: Predictions, 304: None, **problems(404)})
def list_predictions(path: UserPath, query: PredictionsQuery) -> Response:
    """What a user may be expected to rate movies"""
    viewer = recommender().viewer(path.user_id)
    return conditional_response(
        f"{viewer.mark} {query!r}", PERSONAL, lambda: answer(_predictions(viewer, query.movie_id))
    )


@api.post("/recommendations", responses={200: Recommendations, **problems(403, 413, 415)})
def recommend_to_guest(body: GuestHistory) -> Response:
    """What someone who is not stored may watch next

    Nothing is written. Of ratings that are wrong the error names every row by its index, as in `ratings.3.movie_id`.
    """
    unknown = recommender().unknown(row.movie_id for row in body.ratings if row.movie_id is not None)
    if faults := [*batch.faults(body.ratings, unknown)]:
        raise InvalidInputError(*faults)
    viewer = recommender().anonymous({row.movie_id: row.rating for row in body.ratings})
    return answer(_recommendations(viewer, body))


def _recommendations(viewer: UserContext, asked: ListFilters) -> Recommendations:
    try:
        places = viewer.places(asked.wanted)
    except UnknownGenreError as error:
        raise InvalidInputError(("genre", str(error))) from error
    metrics().listed(viewer.ranking.strategy)
    live = viewer.live
    return Recommendations(
        items=[_recommendation(place) for place in places],
        strategy=viewer.ranking.strategy,
        generation=None if live is None else GenerationRef(id=live.id, trained_at=live.trained_at),
        ratings_seen=viewer.ratings_seen,
    )


def _recommendation(place: RankedRecommendation) -> Recommendation:
    reasons = [
        RecommendationReason(movie_id=reason.movie.movie_id, title=reason.movie.title, share=round(reason.share, 4))
        for reason in place.because
    ]
    return Recommendation(
        rank=place.rank,
        movie=Movie.of(place.movie),
        score=round(place.score, 4),
        expected_rating=round(place.expected_rating, 2),
        because=reasons,
    )


def _predictions(viewer: UserContext, movie_ids: Sequence[int]) -> Predictions:
    found = viewer.expected_ratings(movie_ids)
    items = [Prediction(movie=Movie.of(one.movie), expected_rating=round(one.expected_rating, 2)) for one in found]
    return Predictions(items=items)
