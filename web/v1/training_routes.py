"""Operating: start a training run, follow its progress, and activate another generation."""

from datetime import datetime
from typing import Any, Literal

from flask import Response
from pydantic import Field
from sqlalchemy import Row
from werkzeug.exceptions import Conflict

from ranking.factors import FactorsError
from storage import generations, runs
from storage.database import TRAINING_LOCK
from web.access import for_operators, log_change
from web.errors import with_code
from web.v1.base_models import ResponseModel, with_location
from web.v1.blueprint import answer, group, location, recommender, refuse_members
from web.v1.generation_routes import Generation, GenerationPath
from web.v1.schemas import Timestamp, problems

api = group("training", "Whether a training run is in progress, and how far it is.")
admin = group("admin", "For operators only: needs the admin key where one is set.")

State = Literal["idle", "running", "off", "failed"]
NO_RUN = {"id": None, "phase": None, "progress": 0, "started_at": None, "finished_at": None, "outcome": None}


class TrainingPhase(ResponseModel):
    """A phase of a training run."""

    name: str = Field(examples=["ranker"])
    share: float = Field(examples=[0.45], description="Its share of the progress of the whole run.")


class TrainingStatus(ResponseModel):
    """The training run in progress, or the last one."""

    state: State = Field(
        examples=["running"],
        description="failed: the last run failed; off: no run is scheduled, since MATINEE_RETRAIN_MINUTES is 0.",
    )
    run_id: int | None = Field(validation_alias="id", examples=[7], description="Null before the first run.")
    phase: str | None = Field(examples=["ranker"], description="queued: the run starts within seconds.")
    progress: float = Field(examples=[0.31], description="The completed share of the run, 0 to 1.")
    phases: list[TrainingPhase] = Field(description="The phases in order.")
    started_at: Timestamp | None
    finished_at: Timestamp | None = Field(examples=[None])
    outcome: Literal["published", "done", "rejected", "failed", "interrupted"] | None = Field(
        examples=[None],
        description="rejected: the new generation is worse than the live one; done: it is stored, and another is held; "
        "interrupted: the service was stopped.",
    )
    error: str | None = Field(
        examples=[None], description="Why it failed or was interrupted; only for callers who may use admin routes."
    )
    next_at: Timestamp | None = Field(description="When the next scheduled run starts.")


class TrainingRunRef(ResponseModel):
    """A training run that is queued and starts within seconds."""

    model_config = with_location("The address of its state.")

    run_id: int = Field(examples=[7])


@api.get("/retrain", responses={200: TrainingStatus})
def show_retrain() -> Response:
    """Show the training run in progress, in any process, or how the last one ended"""
    with recommender().database.statement() as db:
        run, next_at = runs.newest_with_progress(db, "train", TRAINING_LOCK), runs.announced(db)
    return answer(_retrain(run, next_at))


@admin.post("/retrain", responses={202: TrainingRunRef, **problems(403, 409)})
def retrain() -> Response:
    """Start a training run

    It trains even if no data has changed since the last run. The new generation goes live only if it is not worse than
    the live one. GET /api/v1/retrain shows the progress. 409 while a run is in progress in any process.
    """
    refuse_members()
    with recommender().database.transaction() as db:
        run_id = runs.queue(db, "train", TRAINING_LOCK)
    if run_id is None:
        raise with_code("training_running", Conflict("A training run is in progress."))
    return answer(TrainingRunRef(run_id=run_id), 202, Location=location("/retrain"))


@admin.post("/generations/<generation_id>/activate", responses={200: Generation, **problems(403, 404, 409)})
def activate_generation(path: GenerationPath) -> Response:
    """Activate a stored generation, an older or a newer one, and hold it

    It is live at once in this process, and within about a second in the others. 409 if its factors are no longer stored
    or are damaged; nothing changes then. Training runs do not replace it until DELETE /generations/live/hold.
    """
    refuse_members()
    with recommender().database.statement() as db:
        if not generations.find(db, path.generation_id).kept:
            message = f"The factors of generation {path.generation_id} are no longer stored; only its record is left."
            raise with_code("generation_not_stored", Conflict(message))
    try:
        before = recommender().model.activate(path.generation_id)
    except FactorsError as error:
        message = f"It cannot be activated: {error}. Nothing was changed."
        raise with_code("generation_unusable", Conflict(message)) from error
    log_change(f"generation {path.generation_id} is live and held, instead of {before or 'none'}")
    with recommender().database.statement() as db:
        return answer(Generation.of(generations.find(db, path.generation_id)))


@admin.delete("/generations/live/hold", responses={204: None, **problems(403)})
def release_generation() -> Response:
    """Let training runs replace the live generation again

    It stays live until the next accepted training run, which is then due. 204 also if none is held.
    """
    with recommender().database.transaction() as db:
        released = generations.release(db)
    if released is not None:
        log_change(f"generation {released} is no longer held")
    return Response(status=204)


def _retrain(run: Row[Any] | None, next_at: datetime | None) -> TrainingStatus:
    phases = [TrainingPhase(name=name, share=share) for name, share in runs.TRAINING_PHASES.items()]
    now = {"state": _state(run, next_at), "error": for_operators(_error(run)), "phases": phases, "next_at": next_at}
    return TrainingStatus.model_validate({**(run._mapping if run else NO_RUN), **now})


def _state(run: Row[Any] | None, next_at: datetime | None) -> State:
    if run and run.in_progress:
        return "running"
    if run and run.outcome in (None, "failed"):
        return "failed"
    return "idle" if next_at else "off"


def _error(run: Row[Any] | None) -> str | None:
    """Return why the last training run did not succeed, if so; a process that dies leaves a run without an end."""
    if run and run.outcome is None and not run.in_progress:
        return runs.INTERRUPTED
    return str(run.error) if run and run.error else None
