"""Experiments: started, shown and ended by operators, with what has become of the lists."""

import secrets
from typing import Annotated, Any, Literal, Self

from flask import Response
from pydantic import Field
from sqlalchemy import Row
from werkzeug.exceptions import Conflict

from evaluation.experiment_result import stored_result
from ranking.experiment import Experiment, ExperimentError
from storage import experiments
from storage.experiments import ExperimentConflictError
from web.access import log_change
from web.errors import InvalidInputError, with_code
from web.v1.base_models import RequestBody, RequestModel, ResponseModel
from web.v1.blueprint import answer, location, recommender
from web.v1.schemas import Timestamp, problems
from web.v1.training_routes import admin

EXPERIMENT_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Name = Annotated[str, Field(pattern=EXPERIMENT_NAME, json_schema_extra={"example": "fewer-neighbours"})]


class NewExperiment(RequestBody):
    """An experiment to start."""

    name: Name
    arms: list[Annotated[str, Field(max_length=50)]] = Field(
        min_length=2,
        max_length=8,
        description="The control first. Each is `today`, a generation like `G17`, or a setting of the score like "
        "`neighbour_weight=0.8`.",
        json_schema_extra={"example": ["today", "neighbour_weight=0.8"]},
    )
    share: int = Field(20, ge=1, le=100, description="The percentage of the users who take part.")
    interleave: bool = Field(False, description="Each list has movies of both arms, drafted in turns.")


class ExperimentPath(RequestModel):
    """The name of an experiment, in the path."""

    name: str = Field(description="The name.", json_schema_extra={"example": "fewer-neighbours"})


class ExperimentArm(ResponseModel):
    """What has become of the lists of an arm."""

    name: str = Field(examples=["neighbour_weight=0.8"])
    ended: bool = Field(examples=[False], description="Its users get what everybody gets: it is significantly worse.")
    users: int = Field(examples=[310], description="Users who were shown a list.")
    shown: int = Field(examples=[4120], description="Different movies that they were shown, added up.")
    liked: int = Field(examples=[96], description="Those that they liked within 7 days.")
    difference: list[float | None] = Field(
        examples=[[0.04, -0.02, 0.1]],
        description="Likes per user minus those of the control, with the ends of an interval that may be looked at at "
        "any time; null while there are too few users.",
    )


class RunExperiment(ResponseModel):
    """An experiment and what has become of it."""

    name: str = Field(examples=["fewer-neighbours"])
    state: Literal["judging", "running", "ended"] = Field(
        examples=["running"], description="judging: no user gets its lists before the held-out users have been tried."
    )
    judgement: list[str] | None = Field(
        examples=[["neighbour_weight=0.8: not worse than the live generation: NDCG@10 .214 against .215"]],
        description="What the held-out users said of each changed setting; null until then.",
    )
    share: int = Field(examples=[20])
    interleave: bool = Field(examples=[False])
    started_at: Timestamp
    ended_at: Timestamp | None = Field(description="Null while it runs.")
    reason: str | None = Field(examples=[None], description="Why it ended, or was refused.")
    result_at: Timestamp | None = Field(
        description="When `arms` was counted, each minute while it runs; null before the first time."
    )
    arms: list[ExperimentArm] = Field(description="The control first.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Return an experiment of the database."""
        arms = [
            {
                **vars(arm),
                "ended": arm.name in row.ended,
                "difference": arm.difference.rounded() if arm.difference else [None] * 3,
            }
            for arm in stored_result(experiments.of_row(row), row.result).arms
        ]
        return cls.model_validate({**row._mapping, "state": experiments.state(row), "arms": arms})


class Experiments(ResponseModel):
    """All experiments, the newest first."""

    items: list[RunExperiment]


@admin.get("/experiments", responses={200: Experiments, **problems(403)})
def list_experiments() -> Response:
    """List the experiments with what has become of them"""
    with recommender().database.statement() as db:
        items = [RunExperiment.of(row) for row in experiments.recent(db)]
    return answer(Experiments(items=items))


@admin.get("/experiments/<name>", responses={200: RunExperiment, **problems(403, 404)})
def show_experiment(path: ExperimentPath) -> Response:
    """Show an experiment with what has become of it"""
    with recommender().database.statement() as db:
        found = experiments.find(db, path.name)
    return answer(RunExperiment.of(found))


@admin.post("/experiments", responses={201: Experiments, 202: Experiments, **problems(403, 409, 413, 415)})
def start_experiment(body: NewExperiment) -> Response:
    """Start an experiment

    201: every process serves it within two seconds. 202: an arm changes a setting, which is first tried on the held-out
    users, as soon as nothing is trained; then it runs, or has ended with the reason. 409 while another one runs or is
    judged, or if one had this name.
    """
    wanted = Experiment(body.name, tuple(body.arms), body.share, body.interleave, secrets.token_hex(8))
    try:
        with recommender().database.transaction() as db:
            experiments.start(db, wanted)
            row = experiments.find(db, body.name)
    except ExperimentError as error:
        raise InvalidInputError(("arms", str(error))) from error
    except ExperimentConflictError as error:
        raise with_code("experiment_running", Conflict(str(error))) from error
    log_change(str(wanted) if row.judgement is not None else f"experiment {body.name} is judged first")
    status = 201 if row.judgement is not None else 202
    return answer(Experiments(items=[RunExperiment.of(row)]), status, Location=location(f"/experiments/{body.name}"))


@admin.delete("/experiments/<name>", responses={204: None, **problems(403, 404)})
def end_experiment(path: ExperimentPath) -> Response:
    """End an experiment; its results stay"""
    with recommender().database.transaction() as db:
        ended = experiments.end(db, path.name, "ended by an operator")
    if ended:
        log_change(f"experiment {path.name} has ended")
    return Response(status=204)
