"""Start, judge, find and end experiments. Only one runs at a time, so that none disturbs another."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from psycopg2.errors import UniqueViolation
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from ranking.experiment import Experiment, ExperimentError, generation_of
from settings import OperatorError
from storage.impressions import OUTCOME_DAYS
from storage.runs import LOCK_HELD

_COLUMNS = "name, arms, share, interleave, salt, ended"
_SHOWN = f"SELECT {_COLUMNS}, started_at, ended_at, reason, judgement, result, result_at FROM experiments"  # noqa: S608
_OUTDATED = "result_at IS NULL OR result_at < least(ended_at + :outcomes, now() - interval '1 hour')"


class ExperimentConflictError(OperatorError):
    """Another experiment runs or is judged, or had this name."""


class UnknownExperimentError(OperatorError, LookupError):
    """There is no such experiment."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no experiment {name[:100]!r}.")


def start(db: Connection, experiment: Experiment) -> None:
    """Start an experiment, which runs at once unless it has settings to be judged; `db` must be a transaction.

    Raises:
        ExperimentError: an arm is a generation that was rejected or whose factors are no longer stored.
        ExperimentConflictError: another one runs or is judged, or had this name and ran.
    """
    experiment.check()
    for wanted in filter(None, map(generation_of, experiment.arms)):
        found = db.scalar(
            text("SELECT verdict FROM generations WHERE id = :id AND factors IS NOT NULL FOR SHARE"), {"id": wanted}
        )
        if found != "accepted":
            why = "was rejected" if found else "does not exist or its factors are no longer stored"
            raise ExperimentError(f"Generation {wanted} {why}: only accepted generations are shown to users.")
    never_ran = text("DELETE FROM experiments WHERE name = :name AND judgement IS NULL AND ended_at IS NOT NULL")
    db.execute(never_ran, {"name": experiment.name})
    statement = text(f"""
        INSERT INTO experiments ({_COLUMNS}, judgement)
        VALUES (:name, :arms, :share, :interleave, :salt, '{{}}', :judged)
    """)  # noqa: S608 - our own names
    judged: list[str] | None = None if experiment.changed else []
    try:
        db.execute(statement, vars(experiment) | {"arms": list(experiment.arms), "judged": judged})
    except IntegrityError as error:
        if not isinstance(error.orig, UniqueViolation):
            raise
        raise ExperimentConflictError(
            f"An experiment runs or is judged, or one had the name {experiment.name!r}: only one runs at a time."
        ) from error


def running(db: Connection) -> Experiment | None:
    """Return the experiment that runs."""
    statement = text(f"SELECT {_COLUMNS} FROM experiments WHERE ended_at IS NULL AND judgement IS NOT NULL")  # noqa: S608
    row = db.execute(statement).one_or_none()
    return None if row is None else of_row(row)


def to_judge(db: Connection, lock: int) -> str | None:
    """Return the name of the experiment that is to be judged, if its lock is free."""
    statement = text(f"SELECT name FROM experiments WHERE ended_at IS NULL AND judgement IS NULL AND NOT {LOCK_HELD}")  # noqa: S608 - all of it is from here
    return db.scalar(statement, {"lock": lock})


def run(db: Connection, name: str, judgement: Sequence[str]) -> bool:
    """Start a judged experiment; return False if it has been ended meanwhile."""
    statement = text("""
        UPDATE experiments SET judgement = :judgement, started_at = clock_timestamp()
        WHERE name = :name AND judgement IS NULL AND ended_at IS NULL
    """)
    return db.execute(statement, {"name": name, "judgement": list(judgement)}).rowcount == 1


def to_look_at(db: Connection) -> Sequence[Row[Any]]:
    """Return the experiments whose result may have changed, as `recent` does: running, or ended and not final yet."""
    return db.execute(
        text(f"{_SHOWN} WHERE judgement IS NOT NULL AND (ended_at IS NULL OR {_OUTDATED}) ORDER BY started_at"),
        {"outcomes": timedelta(days=OUTCOME_DAYS)},
    ).all()


def keep_result(db: Connection, name: str, result: Mapping[str, Any]) -> None:
    """Store the outcomes of an experiment's lists: counting them is slow, and old impressions are dropped."""
    statement = text("UPDATE experiments SET result = :result, result_at = clock_timestamp() WHERE name = :name")
    db.execute(statement, {"name": name, "result": json.dumps(result)})


def of_row(row: Row[Any]) -> Experiment:
    """Return the experiment of a row of `recent`."""
    return Experiment(row.name, tuple(row.arms), row.share, row.interleave, row.salt, tuple(row.ended))


def state(row: Row[Any]) -> Literal["judging", "running", "ended"]:
    """Return the state of the experiment in a row of `recent`."""
    if row.ended_at is not None:
        return "ended"
    return "judging" if row.judgement is None else "running"


def recent(db: Connection) -> Sequence[Row[Any]]:
    """Return all experiments, newest first, with started_at, ended_at, reason, judgement, result and result_at."""
    return db.execute(text(f"{_SHOWN} ORDER BY started_at DESC")).all()


def find(db: Connection, name: str) -> Row[Any]:
    """Return an experiment as `recent` does. Raises `UnknownExperimentError`."""
    found = db.execute(text(f"{_SHOWN} WHERE name = :name"), {"name": name}).one_or_none()
    if found is None:
        raise UnknownExperimentError(name)
    return found


def end(db: Connection, name: str, reason: str) -> bool:
    """End an experiment, and return whether it ran or was judged. Raises `UnknownExperimentError`."""
    find(db, name)
    statement = text("""
        UPDATE experiments SET ended_at = clock_timestamp(), reason = :reason WHERE name = :name AND ended_at IS NULL
    """)
    return db.execute(statement, {"name": name, "reason": reason}).rowcount == 1


def end_arm(db: Connection, name: str, arm: str) -> bool:
    """End an arm: its users get the live generation. Return False if it had ended before."""
    statement = text("""
        UPDATE experiments SET ended = ended || CAST(:arm AS varchar)
        WHERE name = :name AND ended_at IS NULL AND NOT :arm = ANY(ended)
    """)
    return db.execute(statement, {"name": name, "arm": arm}).rowcount == 1
