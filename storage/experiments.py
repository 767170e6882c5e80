"""Experiments: started, found, ended. One runs at a time, so that none disturbs another."""

from collections.abc import Sequence
from typing import Any

from psycopg2.errors import UniqueViolation
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from ranking.experiment import Experiment, ExperimentError, generation_of
from settings import OperatorError

_COLUMNS = "name, arms, share, interleave, salt, ended"


class ExperimentConflictError(OperatorError):
    """Another experiment runs, or had this name."""


class UnknownExperimentError(OperatorError, LookupError):
    """There is no such experiment."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no experiment {name[:100]!r}.")


def start(db: Connection, experiment: Experiment) -> None:
    """Start an experiment; `db` must be a transaction.

    Raises:
        ExperimentError: an arm is a generation that was rejected or whose factors are no longer stored.
        ExperimentConflictError: another one runs, or had this name.
    """
    experiment.check()
    for wanted in filter(None, map(generation_of, experiment.arms)):
        found = db.execute(
            text("SELECT verdict FROM generations WHERE id = :id AND factors IS NOT NULL FOR SHARE"), {"id": wanted}
        ).scalar_one_or_none()
        if found != "accepted":
            why = "was rejected" if found else "does not exist or its factors are no longer stored"
            raise ExperimentError(f"Generation {wanted} {why}: only accepted generations are shown to users.")
    statement = text(f"""
        INSERT INTO experiments ({_COLUMNS}) VALUES (:name, :arms, :share, :interleave, :salt, '{{}}')
    """)  # noqa: S608 - our own names
    try:
        db.execute(statement, vars(experiment) | {"arms": list(experiment.arms)})
    except IntegrityError as error:
        if not isinstance(error.orig, UniqueViolation):
            raise
        raise ExperimentConflictError(
            f"An experiment runs already, or one had the name {experiment.name!r}: only one runs at a time."
        ) from error


def running(db: Connection) -> Experiment | None:
    """Return the experiment that runs."""
    row = db.execute(text(f"SELECT {_COLUMNS} FROM experiments WHERE ended_at IS NULL")).one_or_none()  # noqa: S608
    return None if row is None else of_row(row)


def of_row(row: Row[Any]) -> Experiment:
    """Return the experiment of a row of `recent`."""
    return Experiment(row.name, tuple(row.arms), row.share, row.interleave, row.salt, tuple(row.ended))


def recent(db: Connection) -> Sequence[Row[Any]]:
    """Return all experiments, the newest first, with started_at, ended_at and reason."""
    return db.execute(
        text(f"SELECT {_COLUMNS}, started_at, ended_at, reason FROM experiments ORDER BY started_at DESC")  # noqa: S608
    ).all()


def find(db: Connection, name: str) -> Row[Any]:
    """Return an experiment as `recent` does. Raises `UnknownExperimentError`."""
    found = [row for row in recent(db) if row.name == name]
    if not found:
        raise UnknownExperimentError(name)
    return found[0]


def end(db: Connection, name: str, reason: str) -> bool:
    """End an experiment, and return whether it ran. Raises `UnknownExperimentError`."""
    find(db, name)
    statement = text("""
        UPDATE experiments SET ended_at = clock_timestamp(), reason = :reason WHERE name = :name AND ended_at IS NULL
    """)
    return db.execute(statement, {"name": name, "reason": reason}).rowcount == 1


def end_arm(db: Connection, name: str, arm: str) -> bool:
    """Give the users of an arm what everybody else gets; return whether they did not get it before."""
    statement = text("""
        UPDATE experiments SET ended = ended || CAST(:arm AS varchar)
        WHERE name = :name AND ended_at IS NULL AND NOT :arm = ANY(ended)
    """)
    return db.execute(statement, {"name": name, "arm": arm}).rowcount == 1
