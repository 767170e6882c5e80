"""What a user's ratings show of their taste."""

from flask import Response
from pydantic import Field

from catalogue.taste import taste_of
from storage import predictions, recommendations
from web.v1.base_models import ResponseModel
from web.v1.blueprint import answer, recommender
from web.v1.schemas import Movie, Rounded, UserPath, problems
from web.v1.user_routes import api

COUNT = Field(examples=[12], description="The number of the user's ratings.")
MEAN = Field(examples=[4.02], description="Their mean; null without any.")


class TastePart(ResponseModel):
    """The ratings of a part of the movies: the user's, and everybody's in the dataset."""

    name: str = Field(examples=["Drama"])
    rating_count: int = COUNT
    rating_mean: Rounded | None = MEAN
    share: Rounded = Field(examples=[0.48], description="Of all ratings of the user, 0 to 1.")
    everybody_mean: Rounded | None = Field(examples=[3.66])
    everybody_share: Rounded = Field(examples=[0.41], description="Of all ratings in the dataset, 0 to 1.")


class TasteYear(ResponseModel):
    """The ratings that the user gave in a year."""

    year: int = Field(examples=[2026])
    rating_count: int = COUNT
    rating_mean: Rounded = Field(examples=[4.02])


class UnlikeRating(ResponseModel):
    """A rating that is unlike those of others."""

    movie: Movie
    rating: float = Field(examples=[1.5])
    everybody_mean: Rounded = Field(examples=[4.21])
    everybody_count: int = Field(examples=[278], description="The number of ratings in the dataset.")


class PredictionQuality(ResponseModel):
    """How close predictions came to ratings that they did not know."""

    count: int = Field(examples=[9], description="The number of ratings that were predicted before they were learned.")
    rmse: Rounded | None = Field(examples=[0.81], description="Root mean squared error; null without any.")
    mae: Rounded | None = Field(examples=[0.62], description="Mean absolute error; null without any.")


class UserTaste(ResponseModel):
    """What a user's ratings show, beside everybody's ratings in the dataset."""

    rating_count: int = COUNT
    rating_mean: Rounded | None = MEAN
    rating_deviation: Rounded | None = Field(examples=[0.94], description="Their standard deviation; null without any.")
    everybody_mean: Rounded | None = Field(examples=[3.5])
    histogram: list[int] = Field(
        examples=[[0, 1, 0, 0, 1, 2, 2, 3, 2, 1]], description="The number of the user's ratings of 0.5, 1 ... 5."
    )
    genres: list[TastePart] = Field(description="By the number of the user's ratings. A movie counts in each genre.")
    decades: list[TastePart] = Field(description="By the movies' years, oldest first.")
    years: list[TasteYear] = Field(description="By when the ratings were given (UTC), oldest first.")
    unlike_others: list[UnlikeRating] = Field(
        description="Up to ten ratings that differ most from the mean of others, which is damped where they are few."
    )
    predictions: PredictionQuality


@api.get("/users/<user_id>/taste", responses={200: UserTaste, **problems(404)})
def show_taste(path: UserPath) -> Response:
    """Show what a user's ratings say of their taste, beside everybody's"""
    with recommender().database.statement() as db:
        catalogue_version, history = recommendations.history(db, path.user_id)
        quality = predictions.metrics_of_user(db, path.user_id)
    movies = recommender().model.follow(catalogue_version)
    taste = taste_of(movies, history.movies, history.rating, history.at)
    return answer(UserTaste.model_validate(taste | {"predictions": quality}))
