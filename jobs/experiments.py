"""Experiments: settings are judged before they are shown to users, and arms that are provably worse end."""

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
    """Judge the settings of an experiment, which runs then, or has ended with the reason; return what was found.

    Callers hold the lock of trainings, so that one process judges.

    Raises:
        DatabaseUnavailableError: it is still to be judged.
        ExperimentError, NoLiveGenerationError, DatasetError: why it was refused, as for everything else that is raised.
    """
    with database.statement() as db:
        arms = experiments.of_row(experiments.find(db, name)).changed
    try:
        found = _judged(database, settings, arms)
    except DatabaseUnavailableError:
        raise
    except Exception as error:
        with database.transaction() as db:
            experiments.end(db, name, f"refused: {error}")
        log.warning("experiment %s is refused: %s", name, error)
        raise
    with database.transaction() as db:
        runs = experiments.run(db, name, found)
    if runs:
        log.info("experiment %s runs: %s", name, "; ".join(found))
    return found


def _judged(database: Database, settings: Settings, arms: Sequence[str]) -> list[str]:
    """Judge each arm on the held-out users, as a generation is. Raises `ExperimentError` if one is worse."""
    with database.background_transaction() as db:
        live_id = generations.live_id(db)
        if live_id is None:
            raise NoLiveGenerationError("no generation is served yet; train first")
        live = generations.load(db, live_id)
    train, held_out = split_held_out(load_base_ratings(database, settings))
    users, found = sample_users(held_out), []
    with progress(1 + len(arms), "judging on held-out users", unit="arm") as advance:
        before = evaluate_held_out(EvaluationSetting(live, train), users)
        advance(1)
        for arm in arms:
            changed = replace(live, model=model_of(arm, live.model))
            judged = verdict(evaluate_held_out(EvaluationSetting(changed, train), users), before)
            if not judged.accepted:
                raise ExperimentError(f"{arm}: {judged.reason}")
            found.append(f"{arm}: {judged.reason}")
            advance(1)
    return found


def look_at_results(database: Database) -> None:
    """Keep what experiments have shown by now, and end arms of the running one that are provably worse.

    With the last of its arms but the control an experiment ends. Raises `DatabaseUnavailableError`.
    """
    with database.background_transaction() as db:
        for row in experiments.to_look_at(db):
            name, found = row.name, result(experiments.of_row(row), outcomes.by_user(db, row.name))
            experiments.keep_result(db, name, asdict(found))
            if row.ended_at is not None:
                continue
            for arm in found.worse:
                if experiments.end_arm(db, name, arm.name):
                    log.warning("experiment %s: arm %s is provably worse and ends: %s", name, arm.name, arm.interval)
            if {arm.name for arm in found.worse} | set(row.ended) >= set(row.arms[1:]):
                experiments.end(db, name, "every arm is provably worse than the control")
                log.warning("experiment %s has ended: every arm is provably worse than the control", name)
