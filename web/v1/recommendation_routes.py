"""Recommendations for a user or a guest, and the expected rating of any movie."""

from collections.abc import Sequence
from operator import not_

from flask import Response
from pydantic import Field

from catalogue.live_generation import Arm
from catalogue.recommendations import RankedRecommendation
from catalogue.user_context import UserContext
from ranking.rankings import Strategy
from storage.impressions import ShownList
from web.impressions import record, with_list_id
from web.request_metrics import metrics
from web.v1.base_models import QueryModel, RequestBody, ResponseModel
from web.v1.batch import GuestRatings
from web.v1.blueprint import answer, conditional_response, database_identity, group, recommender
from web.v1.list_filters import ListFilters, UserListFilters
from web.v1.schemas import GenerationRef, Id, Movie, Rounded, Stars, UserPath, problems

api = group("recommendations", "What to watch next, and the reasons.")

PERSONAL = "private, no-cache"  # the client may keep it, and asks each time whether it has changed


class RecommendationsQuery(UserListFilters, QueryModel):
    """The part of the list to return, and its filters."""


class RecommendationsRequest(UserListFilters, RequestBody):
    """The part of the list to return, and its filters."""


class GuestHistory(ListFilters, GuestRatings):
    """A guest's ratings, and the part of their list to return."""


class PredictionsQuery(QueryModel):
    """The movies to predict."""

    movie_id: list[Id] = Field(
        min_length=1, max_length=100, description="Movies, rated or not.", json_schema_extra={"example": [25904, 25905]}
    )


class RecommendationReason(ResponseModel):
    """A movie that the user rated, and its share in the score of the recommended one."""

    movie_id: int = Field(examples=[25905])
    title: str = Field(examples=["Phantom Lady"])
    share: Rounded = Field(
        examples=[0.62], description="Its share of all that the user's ratings add to the score, 0 to 1."
    )


class Recommendation(ResponseModel):
    """One movie of a list."""

    rank: int = Field(examples=[1], description="The position in the whole list, from 1.")
    movie: Movie
    score: Rounded = Field(
        examples=[3.27],
        description="Without diversity, the list is ordered by score, except that movies with few ratings come last. "
        "Only the order of scores has a meaning.",
    )
    expected_rating: Stars = Field(
        examples=[4.58], description="The rating that the user is expected to give, 0.5 to 5."
    )
    because: list[RecommendationReason] = Field(
        description="Up to three of the user's ratings, the largest share first."
    )
    explored: bool = Field(
        False,
        exclude_if=not_,
        description="Whether the movie has few ratings and was drawn for this place; absent where it was not.",
    )


class Recommendations(ResponseModel):
    """Movies that the user has not rated, best first, and how the list was made."""

    items: list[Recommendation]
    strategy: Strategy = Field(
        examples=["blended"],
        description="popular: popular movies, since there is no generation or no rating that it can use; blended: the "
        "user's taste and popularity, up to 25 ratings; personal: the user's taste, with popularity at less than half "
        "of its full weight.",
    )
    generation: GenerationRef | None = Field(description="Null before the first training run.")
    ratings_seen: int = Field(
        examples=[17], description="The number of the user's ratings that the list reflects: all of them."
    )
    miscalibration: Rounded | None = Field(
        examples=[0.45],
        description="How far the genres of these items are from those that the user likes (a Kullback-Leibler "
        "divergence): 0 is a perfect match. Null without items or liked movies.",
    )
    median_popularity: float | None = Field(
        examples=[117], description="The median number of ratings of these items in the dataset; null without items."
    )
    list_id: str | None = Field(
        examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
        description="The id under which it is recorded that the user was shown these items, also in `X-List-ID`; the "
        "same list within ten minutes keeps it. Null for guests, without items, and while nothing is recorded.",
    )


class Prediction(ResponseModel):
    """A movie and the rating that the user is expected to give."""

    movie: Movie
    expected_rating: Stars = Field(examples=[4.58])


class Predictions(ResponseModel):
    """The requested movies, in the order of the request."""

    items: list[Prediction]


@api.get("/users/<user_id>/recommendations", responses={200: Recommendations, 304: None, **problems(404)})
def list_recommendations(path: UserPath, query: RecommendationsQuery) -> Response:
    """Recommend movies to a user

    The list reflects every rating whose write has returned 2xx.
    """
    viewer = recommender().viewer(path.user_id, query.since)
    wanted = query.wanted
    etag = f"{_etag(path, viewer, query)} {wanted.explore} {wanted.day}"
    return conditional_response(etag, PERSONAL, lambda: recommendations_answer(viewer, query))


@api.post("/users/<user_id>/recommendations", responses={200: Recommendations, **problems(403, 404, 413, 415)})
def recommend_to_user(path: UserPath, body: RecommendationsRequest) -> Response:
    """Recommend movies to a user, with long lists of movies to leave out or to choose from

    The same answer as that of GET.
    """
    return recommendations_answer(recommender().viewer(path.user_id, body.since), body)


@api.get("/users/<user_id>/predictions", responses={200: Predictions, 304: None, **problems(404)})
def list_predictions(path: UserPath, query: PredictionsQuery) -> Response:
    """Predict a user's ratings of movies"""
    viewer = recommender().viewer(path.user_id)

    def predictions() -> Response:
        return answer(Predictions.model_validate({"items": viewer.expected_ratings(query.movie_id)}))

    return conditional_response(_etag(path, viewer, query), PERSONAL, predictions)


@api.post("/recommendations", responses={200: Recommendations, **problems(403, 413, 415)})
def recommend_to_guest(body: GuestHistory) -> Response:
    """Recommend movies to a guest

    Nothing is stored. The error names every invalid rating by its index, as in `ratings.3.movie_id`.
    """
    return recommendations_answer(recommender().anonymous(body.by_movie), body)


def _etag(path: UserPath, viewer: UserContext, query: QueryModel) -> str:
    return f"{database_identity()} {path!r} {viewer.version_key} {query!r}"


def recommendations_answer(viewer: UserContext, filters: ListFilters) -> Response:
    """Return a list as an answer, which is recorded if the user is stored."""
    body = _recommendations(viewer, filters)
    return with_list_id(answer(body), body.list_id)


def _recommendations(viewer: UserContext, filters: ListFilters) -> Recommendations:
    places = viewer.places(filters.wanted)
    metrics().listed(viewer.ranking.strategy)
    made = {"strategy": viewer.ranking.strategy, "generation": viewer.live, "ratings_seen": viewer.ratings_seen}
    shown = {"items": places, "list_id": record_list(viewer, filters, places)}
    return Recommendations.model_validate(made | shown | viewer.balance(places))


def record_list(
    viewer: UserContext, filters: ListFilters, places: Sequence[RankedRecommendation], route: str = "v1"
) -> str | None:
    """Record a list if its user is stored; return its id."""
    if viewer.user_id is None or not places:
        return None
    live, teams = viewer.live, tuple(str(place.team) for place in places) if viewer.versus else None
    arm, explored = live.arm if live else Arm(), tuple(place.explored for place in places)
    shown = ShownList(
        live.id if live else None,
        tuple(place.movie.movie_id for place in places),
        [round(place.expected_rating, 2) for place in places],
        filters.offset + 1,
        arm.experiment,
        None if teams else arm.name,
        teams,
        explored if any(explored) else None,
    )
    return record(viewer.user_id, route, shown)
