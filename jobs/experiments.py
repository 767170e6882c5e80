"""Experiments: settings are judged before they are shown to users, and arms that are provably worse end."""

import logging
from dataclasses import replace

from evaluation.experiment_result import result
from evaluation.gate import verdict
from evaluation.held_out import evaluate_held_out, sample_users
from evaluation.splits import split_held_out
from jobs.ingest import load_base_ratings
from ranking.experiment import Experiment, ExperimentError, model_of
from settings import Settings
from storage import experiments, generations, outcomes
from storage.database import Database
from storage.errors import NoLiveGenerationError
from system.progress import progress

log = logging.getLogger(__name__)


def judge_settings(database: Database, settings: Settings, experiment: Experiment) -> list[str]:
    """Judge each arm that changes a setting on the held-out users, as a generation is; return what was found.

    Raises:
        ExperimentError: an arm is worse than the live generation, or is no arm.
        NoLiveGenerationError: there is none to compare with.
        DatasetError: the ratings of the held-out users are not there.
    """
    experiment.check()
    changed = [arm for arm in experiment.arms if "=" in arm]
    if not changed:
        return []
    with database.background_transaction() as db:
        live_id = generations.live_id(db)
        if live_id is None:
            raise NoLiveGenerationError("no generation is served yet; train first")
        live = generations.load(db, live_id)
    train, held_out = split_held_out(load_base_ratings(database, settings))
    users, found = sample_users(held_out), []
    with progress(1 + len(changed), "judging on held-out users", unit="arm") as advance:
        before = evaluate_held_out(live, train, users)
        advance(1)
        for arm in changed:
            judged = verdict(evaluate_held_out(replace(live, model=model_of(arm, live.model)), train, users), before)
            if not judged.accepted:
                raise ExperimentError(f"{arm}: {judged.reason}")
            found.append(f"{arm}: {judged.reason}")
            advance(1)
    return found


def end_worse_arms(database: Database) -> None:
    """End the arms of the running experiment that are provably worse than its control, and it with the last of them.

    Raises `DatabaseUnavailableError`.
    """
    with database.statement() as db:
        experiment = experiments.running(db)
    if experiment is None:
        return
    with database.background_transaction() as db:
        found = result(experiment, outcomes.by_user(db, experiment.name))
        for arm in found.worse:
            if experiments.end_arm(db, experiment.name, arm.name):
                told = arm.difference
                log.warning("experiment %s: arm %s is provably worse and ends: %s", experiment.name, arm.name, told)
        if {arm.name for arm in found.worse} | set(experiment.ended) >= set(experiment.arms[1:]):
            experiments.end(db, experiment.name, "every arm is provably worse than the control")
            log.warning("experiment %s has ended: every arm is provably worse than the control", experiment.name)
