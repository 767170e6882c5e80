"""The results of experiments, and the end of arms that are provably worse."""

import logging

from evaluation.experiment_result import result
from storage import experiments, outcomes
from storage.database import Database

log = logging.getLogger(__name__)


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
