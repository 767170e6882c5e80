"""Operating: training now, how far it has come, and serving another generation."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

from flask import Response, current_app
from pydantic import ConfigDict, Field
from sqlalchemy import Row
from werkzeug.exceptions import Conflict

from health import Component
from ranking.factors import FactorsError
from storage import generations, runs
from storage.database import TRAINING_LOCK
from web.v1.blueprint import PREFIX, answer, group, recommender
from web.v1.generation_routes import Generation, GenerationPath
from web.v1.schemas import ResponseModel, Timestamp, problems

api = group("training", "Whether a training is under way, and how far it has come.")
admin = group("admin", "What only an operator may do; wants the admin key where one is set.")

State = Literal["idle", "running", "off", "failed"]


class TrainingControl(Protocol):
    """What trains in this process."""

    @property
    def phases(self) -> Mapping[str, float]:
        """The phases of a training in order, each with its share of the whole."""

    @property
    def next_at(self) -> datetime | None:
        """When the next training comes by itself; None if none does."""

    def order(self) -> int | None:
        """Begin a training now, though nothing may have changed: its run's id, or None if one is under way anywhere.

        Raises `DatabaseUnavailableError`.
        """


class TrainingPhase(ResponseModel):
    """A part of a training."""

    name: str = Field(examples=["ranker"])
    share: float = Field(examples=[0.45], description="Of the whole, as far as progress is reckoned.")


class TrainingStatus(ResponseModel):
    """The training that is under way, or the last one."""

    state: State = Field(
        examples=["running"],
        description="failed: the last one did; off: none comes by itself, since MATINEE_RETRAIN_MINUTES is 0.",
    )
    run_id: int | None = Field(examples=[7], description="Null before the first.")
    phase: str | None = Field(examples=["ranker"])
    progress: float = Field(examples=[0.31], description="How much of the whole is done, 0 to 1.")
    phases: list[TrainingPhase] = Field(description="In the order in which they come.")
    started_at: Timestamp | None
    finished_at: Timestamp | None = Field(examples=[None])
    outcome: Literal["published", "rejected", "failed"] | None = Field(
        examples=[None], description="rejected: it would have been worse than what is served."
    )
    error: str | None = Field(examples=[None], description="Why it failed.")
    next_at: Timestamp | None = Field(description="When the next one comes by itself.")


class TrainingStarted(ResponseModel):
    """A training that has begun."""

    model_config = ConfigDict(
        openapi_extra={"headers": {"Location": {"description": "Of its state.", "schema": {"type": "string"}}}}
    )  # type: ignore[typeddict-unknown-key]

    run_id: int = Field(examples=[7])


@api.get("/retrain", responses={200: TrainingStatus})
def show_retrain() -> Response:
    """How far the training is that is under way, in whichever process, or how the last one ended"""
    with recommender().database.statement() as db:
        run = runs.newest_with_progress(db, "train", TRAINING_LOCK)
    return answer(_retrain(run, _training()))


@admin.post("/retrain", responses={202: TrainingStarted, **problems(403, 409)})
def retrain() -> Response:
    """Train now

    It is done even if nothing has changed since the last training. What comes out is served only if it is not worse
    than what is; GET /retrain tells how far it is. 409 while a training is under way, in whichever process.
    """
    training = _training()
    run_id = training.order() if training else None
    if run_id is None:
        raise Conflict("A training is under way." if training else "This server does not train.")
    return answer(TrainingStarted(run_id=run_id), 202, Location=f"{PREFIX}/retrain")


@admin.post("/generations/<generation_id>/activate", responses={200: Generation, **problems(403, 404, 409)})
def activate_generation(path: GenerationPath) -> Response:
    """Serve a stored generation from now on, an older or a newer one

    At once here, and within a second or so by other processes of the service. 409 if it is no longer stored whole or
    is damaged; nothing is changed then. The next training that is accepted takes its place.
    """
    with recommender().database.statement() as db:
        if not generations.find(db, path.generation_id).kept:
            raise Conflict(f"Generation {path.generation_id} is no longer stored whole; only its record is left.")
    try:
        recommender().activate(path.generation_id)
    except FactorsError as error:
        raise Conflict(f"It cannot be served: {error}. Nothing was changed.") from error
    with recommender().database.statement() as db:
        return answer(Generation.of(generations.find(db, path.generation_id)))


def _training() -> TrainingControl | None:
    found: TrainingControl | None = current_app.extensions["training"]
    return found


def _retrain(run: Row[Any] | None, training: TrainingControl | None) -> TrainingStatus:
    next_at, error = training.next_at if training else None, _error(run)
    return TrainingStatus(
        state=_state(run, error, next_at),
        phases=[TrainingPhase(name=name, share=share) for name, share in training.phases.items()] if training else [],
        next_at=next_at,
        error=error,
        run_id=run.id if run else None,
        phase=run.phase if run else None,
        progress=run.progress if run else 0,
        started_at=run.started_at if run else None,
        finished_at=run.finished_at if run else None,
        outcome=run.outcome if run else None,
    )


def _state(run: Row[Any] | None, error: str | None, next_at: datetime | None) -> State:
    if run and run.in_progress:
        return "running"
    if error:
        return "failed"
    return "idle" if next_at else "off"


def _error(run: Row[Any] | None) -> str | None:
    """Why the last training failed, if it did: a process that dies leaves a run without an end."""
    if run and run.outcome is None and not run.in_progress:
        return runs.INTERRUPTED
    if run and run.error:
        return str(run.error)
    trainer: Component = current_app.extensions["health"]["trainer"]
    return trainer.reason if trainer.state == "failed" else None
