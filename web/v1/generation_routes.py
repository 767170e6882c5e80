"""Generations: what each training made, how good it is, and which one is served."""

from typing import Any, Literal, Self

from flask import Response
from pydantic import Field
from sqlalchemy import Row

from storage import generations
from web.v1.blueprint import answer, group, recommender
from web.v1.schemas import Id, Limit, QueryModel, RequestModel, ResponseModel, Timestamp, problems

api = group("generations", "What the trainings made, and how good it is.")

GIVEN = 10  # ratings that the people had given whose measures stand for a generation
MEASURES = {  # what a measure is called here: what it is called in the records
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
    """Which generation."""

    generation_id: Id = Field(description="A generation's id.", json_schema_extra={"example": 4})


class GenerationsQuery(QueryModel):
    """How many."""

    limit: Limit = 20


class MetricEstimate(ResponseModel):
    """A measure with its 95 % interval."""

    value: float = Field(examples=[0.2381])
    low: float = Field(examples=[0.2204])
    high: float = Field(examples=[0.2563])


def _measure(about: str) -> Any:
    return Field(description=f"{about} Null where nobody could be tested.")


class GenerationMetrics(ResponseModel):
    """How good the lists and the shown ratings were for people whom no training has seen."""

    given: int = Field(examples=[GIVEN], description="How many of their ratings the model was told.")
    users: int = Field(examples=[104], description="How many people were judged by.")
    coverage: float | None = Field(
        examples=[0.053], description="Share of the rated movies that any of them was shown."
    )
    ndcg: MetricEstimate | None = _measure("NDCG@10 of the lists.")
    popularity: MetricEstimate | None = _measure("NDCG@10 of the most popular movies.")
    gain: MetricEstimate | None = _measure("How much the first is more than the second, paired by person.")
    recall: MetricEstimate | None = _measure("Recall@10 of the lists.")
    hit_rate: MetricEstimate | None = _measure("Share of the people whose list held a movie that they came to like.")
    rmse: MetricEstimate | None = _measure("Root mean square error of the shown rating.")
    popularity_rmse: MetricEstimate | None = _measure(
        "The same of what everybody would be shown, the mean of each movie."
    )

    @classmethod
    def of(cls, given: str, measures: Summary) -> Self:
        """What a record of a judgement says of people who had given so many ratings."""
        estimates = {name: _estimate(measures.get(recorded)) for name, recorded in MEASURES.items()}
        users, coverage = int(measures.get("users", 0)), measures.get("coverage@10")
        return cls(given=int(given), users=users, coverage=coverage, **estimates)


class TrainingRun(ResponseModel):
    """The run that made a generation."""

    id: int = Field(examples=[6])
    started_at: Timestamp
    finished_at: Timestamp | None
    outcome: str | None = Field(examples=["published"])


class OnlineMetrics(ResponseModel):
    """What a generation had foretold of views that came while it was live, before it could learn of them."""

    views: int = Field(examples=[412])
    rmse: float = Field(examples=[0.913], description="Of the rating that it expected.")
    hit_rate: float = Field(examples=[0.087], description="Share of the movies that its first ten places held.")
    median_rank: float = Field(examples=[412.5], description="Of the movie among all that its user had not seen.")


class Generation(ResponseModel):
    """What a training made."""

    id: int = Field(examples=[4])
    created_at: Timestamp
    verdict: Literal["accepted", "rejected"] = Field(examples=["accepted"])
    reason: str = Field(
        examples=["not worse than the live generation: NDCG@10 +0.0012 (-0.0031 to +0.0057) on 104 people"],
        description="For the verdict.",
    )
    live: bool = Field(examples=[True], description="Whether it is the one that is served.")
    kept: bool = Field(examples=[True], description="Whether it is still stored whole, so that it can be activated.")
    run: TrainingRun | None = Field(description="The run that made it.")
    seconds: dict[str, float] = Field(examples=[{"ranker": 14.2, "rater": 8.6}], description="What each phase took.")
    parameters: dict[str, int | float] = Field(
        examples=[{"ranker_rank": 64, "ranker_reg": 0.06}],
        description="The settings it was trained with, in small letters and without MATINEE_; empty if not recorded.",
    )
    data: dict[str, Any] = Field(
        examples=[{"base_ratings": 90274, "views": 412, "users": 31, "films": 9742}],
        description="What it was trained on: the ratings of the dataset, our users and their views, the movies.",
    )
    metrics: GenerationMetrics | None = Field(
        description="On people who were held out and had given 10 ratings, or as many as any had; null without any."
    )
    live_metrics: GenerationMetrics | None = Field(
        description="Those of the generation that was live then, on the same people; null if none was."
    )
    online: OnlineMetrics | None = Field(
        description="Null until a view has come while it was live, and a training after it."
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The generation of a row of `storage.generations`."""
        return cls(**_fields(row))


class GenerationDetails(Generation):
    """What a training made, with all its measures."""

    by_given: list[GenerationMetrics] = Field(
        description="For each number of ratings given that anybody was judged by."
    )


class GenerationList(ResponseModel):
    """Generations, newest first."""

    items: list[Generation]


@api.get("/generations", responses={200: GenerationList})
def list_generations(query: GenerationsQuery) -> Response:
    """The newest trainings: what they saw, how good they are, the verdict and why"""
    with recommender().database.statement() as db:
        rows = generations.recent(db, query.limit)
    return answer(GenerationList(items=[Generation.of(row) for row in rows]))


@api.get("/generations/<generation_id>", responses={200: GenerationDetails, **problems(404)})
def show_generation(path: GenerationPath) -> Response:
    """A training, with its measures for each number of ratings given"""
    with recommender().database.statement() as db:
        row = generations.find(db, path.generation_id)
    by_given = [GenerationMetrics.of(given, measures) for given, measures in _judged(row, "candidate").items()]
    return answer(GenerationDetails(**_fields(row), by_given=by_given))


def _fields(row: Row[Any]) -> dict[str, Any]:
    details = row.details
    return {
        **{name: getattr(row, name) for name in ("id", "created_at", "verdict", "reason", "live", "kept")},
        **{name: getattr(row, name) for name in ("run", "online")},
        "seconds": details.get("seconds", {}),
        "parameters": details.get("parameters", {}),
        "data": details.get("facts", {}),
        "metrics": _metrics(_judged(row, "candidate")),
        "live_metrics": _metrics(_judged(row, "live")),
    }


def _judged(row: Row[Any], which: Literal["candidate", "live"]) -> dict[str, Summary]:
    """For each number of ratings given by which anybody was judged, the measures."""
    given = row.details.get("held_out", {}).get(which, {}).get("given", {})
    judged = {n: measures for n, measures in given.items() if _estimate(measures.get("NDCG@10"))}
    return dict(sorted(judged.items(), key=lambda item: int(item[0])))


def _metrics(judged: dict[str, Summary]) -> GenerationMetrics | None:
    if not judged:
        return None
    given = str(GIVEN) if str(GIVEN) in judged else list(judged)[-1]
    return GenerationMetrics.of(given, judged[given])


def _estimate(recorded: list[float | None] | None) -> MetricEstimate | None:
    if recorded is None:
        return None
    value, low, high = recorded
    return None if value is None or low is None or high is None else MetricEstimate(value=value, low=low, high=high)
