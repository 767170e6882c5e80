"""Generations: what each training run made, its metrics and verdict, and which one is live."""

from typing import Any, Literal, Self

from flask import Response
from pydantic import Field
from sqlalchemy import Row

from storage import generations
from web.v1.base_models import RequestModel, ResponseModel
from web.v1.blueprint import answer, group, recommender
from web.v1.schemas import Id, LimitQuery, Timestamp, problems

api = group("generations", "What each training run made, and how good it is.")

GIVEN = 10  # the known ratings per held-out user behind the metrics that represent a generation
DATA_EXAMPLE = {
    "trained_at": "2026-01-31T12:00:00+00:00",
    "ratings": 90686,
    "judges_kept_out": True,
    "base_ratings": 90274,
    "views": 412,
    "users": 31,
    "films": 9742,
}
MEASURES = {  # name of a metric here: name in the records
    "ndcg": "NDCG@10",
    "popularity": "popularity",
    "gain": "gain",
    "recall": "Recall@10",
    "hit_rate": "hit rate@10",
    "rmse": "RMSE",
    "popularity_rmse": "RMSE of means",
}
Summary = dict[str, Any]


class GenerationPath(RequestModel):
    """The generation."""

    generation_id: Id = Field(description="A generation's id.", json_schema_extra={"example": 4})


class MetricEstimate(ResponseModel):
    """A metric with its 95 % confidence interval."""

    value: float = Field(examples=[0.2381])
    low: float = Field(examples=[0.2204])
    high: float = Field(examples=[0.2563])


def _measure(about: str) -> Any:
    return Field(description=f"{about} Null if no held-out user could be evaluated.")


class GenerationMetrics(ResponseModel):
    """The quality of lists and expected ratings for held-out users, whom no training run has seen."""

    given: int = Field(examples=[GIVEN], description="How many of each user's ratings the model knew.")
    users: int = Field(examples=[104], description="The number of held-out users.")
    coverage: float | None = Field(
        examples=[0.053], description="The share of rated movies that are in at least one of their lists."
    )
    ndcg: MetricEstimate | None = _measure("NDCG@10 of the lists.")
    popularity: MetricEstimate | None = _measure("NDCG@10 of the most popular movies.")
    gain: MetricEstimate | None = _measure("The first minus the second, paired by user.")
    recall: MetricEstimate | None = _measure("Recall@10 of the lists.")
    hit_rate: MetricEstimate | None = _measure("Share of the users whose list has a movie that they liked later.")
    rmse: MetricEstimate | None = _measure("Root mean square error of the expected rating.")
    popularity_rmse: MetricEstimate | None = _measure(
        "The same error if each movie's mean rating were predicted for everyone."
    )

    @classmethod
    def of(cls, given: str, measures: Summary) -> Self:
        """Return the metrics of a record for users with this many known ratings."""
        estimates = {name: _estimate(measures.get(recorded)) for name, recorded in MEASURES.items()}
        users, coverage = int(measures.get("users", 0)), measures.get("coverage@10")
        return cls(given=int(given), users=users, coverage=coverage, **estimates)


class TrainingRun(ResponseModel):
    """The training run that made a generation."""

    id: int = Field(examples=[6])
    started_at: Timestamp
    finished_at: Timestamp | None
    outcome: str | None = Field(examples=["published"])


class OnlineMetrics(ResponseModel):
    """Online evaluation: predictions of ratings that came while the generation was live, before it learned them."""

    views: int = Field(examples=[412])
    rmse: float = Field(examples=[0.913], description="The error of the expected ratings.")
    hit_rate: float = Field(
        examples=[0.087], description="The share of these movies that were in the first ten of the list."
    )
    median_rank: float = Field(
        examples=[412.5], description="The median rank of the movie among all that its user had not rated."
    )


class Generation(ResponseModel):
    """The result of a training run."""

    id: int = Field(examples=[4])
    created_at: Timestamp
    verdict: Literal["accepted", "rejected"] = Field(examples=["accepted"])
    reason: str = Field(
        examples=[
            "not worse than the live generation: mean NDCG@10 over all history lengths +0.0012 (-0.0031 to +0.0057) "
            "on 104 held-out users"
        ],
        description="The reason for the verdict.",
    )
    live: bool = Field(examples=[True], description="Whether it is the one in use.")
    held: bool = Field(examples=[False], description="Whether it was activated and no training run may replace it.")
    kept: bool = Field(
        examples=[True], description="Whether its factors are still stored, so that it can be activated."
    )
    run: TrainingRun | None = Field(description="The training run that made it.")
    seconds: dict[str, float] = Field(
        examples=[{"ranker": 14.2, "rater": 8.6}], description="The duration of each phase."
    )
    parameters: dict[str, int | float] = Field(
        examples=[{"ranker_rank": 64, "ranker_reg": 0.06}],
        description="The settings of the training, in lower case and without MATINEE_; empty if not recorded.",
    )
    data: dict[str, Any] = Field(
        examples=[DATA_EXAMPLE],
        description="What it was trained on: films, the number of movies; base_ratings, the ratings of the dataset; "
        "users of this service and their ratings, views; ratings, all of both; and which users were held out.",
    )
    metrics: GenerationMetrics | None = Field(
        description="For held-out users with 10 known ratings, or the most there are; null without held-out users."
    )
    live_metrics: GenerationMetrics | None = Field(
        description="The same metrics of the generation that was live then, for the same users; null if none was."
    )
    online: OnlineMetrics | None = Field(
        description="Null until a rating has come while it was live, and a training run after that."
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Return the generation of a row of `storage.generations`."""
        return cls.model_validate(_fields(row))


class DiversityPoint(ResponseModel):
    """The lists of held-out users with 20 known ratings, made with this much diversity: means over the users."""

    diversity: float = Field(examples=[0.5])
    ndcg: float = Field(validation_alias="NDCG@10", examples=[0.2814], description="NDCG@10.")
    miscalibration: float = Field(
        examples=[0.461], description="How far the genres of a list are from those that its user likes."
    )
    median_popularity: float = Field(
        validation_alias="median popularity",
        examples=[165],
        description="The median number of ratings of a list's movies.",
    )


class GenerationDetails(Generation):
    """The result of a training run, with all its metrics."""

    by_given: list[GenerationMetrics] = Field(description="The metrics for each number of known ratings.")
    diversity: list[DiversityPoint] = Field(
        description="What diversity costs and gives at 0, 0.5 and 1; empty if not recorded."
    )


class GenerationList(ResponseModel):
    """Generations, newest first."""

    items: list[Generation]


@api.get("/generations", responses={200: GenerationList})
def list_generations(query: LimitQuery) -> Response:
    """List the newest generations: training data, metrics and verdict"""
    with recommender().database.statement() as db:
        rows = generations.recent(db, query.limit)
    return answer(GenerationList(items=[Generation.of(row) for row in rows]))


@api.get("/generations/<generation_id>", responses={200: GenerationDetails, **problems(404)})
def show_generation(path: GenerationPath) -> Response:
    """Show a generation, with its metrics for each number of known ratings"""
    with recommender().database.statement() as db:
        row = generations.find(db, path.generation_id)
    return answer(GenerationDetails.of(row))


def _fields(row: Row[Any]) -> dict[str, Any]:
    details, evaluated = row.details, _evaluated(row, "candidate")
    curve = details.get("held_out", {}).get("diversity", {})
    return {
        **row._mapping,
        "seconds": details.get("seconds", {}),
        "parameters": details.get("parameters", {}),
        "data": details.get("facts", {}),
        "metrics": _metrics(evaluated),
        "live_metrics": _metrics(_evaluated(row, "live")),
        "by_given": [GenerationMetrics.of(given, measures) for given, measures in evaluated.items()],
        "diversity": [measures | {"diversity": float(dial)} for dial, measures in curve.items()],
    }


def _evaluated(row: Row[Any], which: Literal["candidate", "live"]) -> dict[str, Summary]:
    """Return the metrics by the number of known ratings, for numbers with held-out users."""
    given = row.details.get("held_out", {}).get(which, {}).get("given", {})
    evaluated = {n: measures for n, measures in given.items() if _estimate(measures.get("NDCG@10"))}
    return dict(sorted(evaluated.items(), key=lambda item: int(item[0])))


def _metrics(evaluated: dict[str, Summary]) -> GenerationMetrics | None:
    if not evaluated:
        return None
    given = str(GIVEN) if str(GIVEN) in evaluated else list(evaluated)[-1]
    return GenerationMetrics.of(given, evaluated[given])


def _estimate(recorded: list[float | None] | None) -> MetricEstimate | None:
    if recorded is None:
        return None
    value, low, high = recorded
    return None if value is None or low is None or high is None else MetricEstimate(value=value, low=low, high=high)
