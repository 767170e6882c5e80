"""Evaluate the settings of an experiment before it runs, and end arms that are significantly worse than the control."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace

from evaluation.experiment_result import result
from evaluation.gate import verdict
from evaluation.held_out import EvaluationSetting, evaluate_held_out, sample_users
from evaluation.splits import split_held_out
from jobs.ingest import load_base_ratings
from ranking.experiment import ExperimentError, model_of
from settings import Settings
from storage import experiments, generations, outcomes
from storage.database import Database
from storage.errors import DatabaseUnavailableError, NoLiveGenerationError
from system.progress import progress

log = logging.getLogger(__name__)


def judge(database: Database, settings: Settings, name: str) -> list[str]:
    """Evaluate the changed settings of an experiment; start it, or end it with the reason. Return the verdicts.

    Callers hold the training lock, so that only one process evaluates.

    Raises:
        DatabaseUnavailableError: the experiment still waits for its evaluation.
        ExperimentError, NoLiveGenerationError, DatasetError, any other: the experiment was refused for this reason.
    """
    with database.statement() as db:
        arms = experiments.of_row(experiments.find(db, name)).changed
    try:
        verdicts = _judged(database, settings, arms)
    except DatabaseUnavailableError:
        raise
    except Exception as error:
        with database.transaction() as db:
            experiments.end(db, name, f"refused: {error}")
        log.warning("experiment %s is refused: %s", name, error)
        raise
    with database.transaction() as db:
        runs = experiments.run(db, name, verdicts)
    if runs:
        log.info("experiment %s runs: %s", name, "; ".join(verdicts))
    return verdicts


def _judged(database: Database, settings: Settings, arms: Sequence[str]) -> list[str]:
    """Return the verdict on each arm from the held-out users. Raises `ExperimentError` if an arm is worse."""
    with database.background_transaction() as db:
        live_id = generations.live_id(db)
        if live_id is None:
            raise NoLiveGenerationError("no generation is served yet; train first")
        live = generations.load(db, live_id)
    train, held_out = split_held_out(load_base_ratings(database, settings))
    users, verdicts = sample_users(held_out), []
    with progress(1 + len(arms), "evaluating on held-out users", unit="arm") as advance:
        before = evaluate_held_out(EvaluationSetting(live, train), users)
        advance(1)
        for arm in arms:
            changed = replace(live, model=model_of(arm, live.model))
            judged = verdict(evaluate_held_out(EvaluationSetting(changed, train), users), before)
            if not judged.accepted:
                raise ExperimentError(f"{arm}: {judged.reason}")
            verdicts.append(f"{arm}: {judged.reason}")
            advance(1)
    return verdicts


def update_results(database: Database) -> None:
    """Store the present results of experiments, and end significantly worse arms of the running one.

    An experiment ends when only its control is left. Raises `DatabaseUnavailableError`.
    """
    with database.background_transaction() as db:
        for row in experiments.to_look_at(db):
            name, found = row.name, result(experiments.of_row(row), outcomes.by_user(db, row.name))
            experiments.keep_result(db, name, asdict(found))
            if row.ended_at is not None:
                continue
            for arm in found.worse:
                if experiments.end_arm(db, name, arm.name):
                    words = name, arm.name, arm.interval
                    log.warning("experiment %s: arm %s is significantly worse and ends: %s", *words)
            if {arm.name for arm in found.worse} | set(row.ended) >= set(row.arms[1:]):
                experiments.end(db, name, "every arm is significantly worse than the control")
                log.warning("experiment %s has ended: every arm is significantly worse than the control", name)
