"""The tables of impressions, of events on them, and of experiments."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tables.base import Base


class Impression(Base):
    """A list shown to a user, best first; `times` counts repetitions of the same list within ten minutes.

    The table has a partition for each day, so that old days are dropped whole. `storage.impressions` creates them.
    """

    __tablename__ = "impressions"
    __table_args__ = (
        CheckConstraint("first_place >= 1", "first_place"),
        CheckConstraint("times >= 1", "times"),
        CheckConstraint("cardinality(expected_ratings) = cardinality(movie_ids)", "expected_ratings"),
        CheckConstraint("cardinality(teams) = cardinality(movie_ids)", "teams"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    list_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    generation_id: Mapped[int | None]  # of an interleaved list: the generation of the experiment's first arm
    experiment: Mapped[str | None]
    arm: Mapped[str | None]
    route: Mapped[str]
    first_place: Mapped[int]  # rank of the first movie; greater than 1 for later pages of a list
    movie_ids: Mapped[list[int]]
    expected_ratings: Mapped[list[float]]  # as they were shown
    teams: Mapped[list[str] | None]  # of an interleaved list: the arm that chose each movie
    explored: Mapped[list[bool] | None]  # which movies were drawn for exploration; null if none was
    times: Mapped[int] = mapped_column(server_default=text("1"))


class StartedExperiment(Base):
    """An experiment. At most one runs or is being evaluated. Ended ones keep their row: impressions refer to it."""

    __tablename__ = "experiments"
    __table_args__ = (
        CheckConstraint("cardinality(arms) >= 2", "arms"),
        CheckConstraint("share BETWEEN 1 AND 100", "share"),
        Index("uq_experiments_running", text("(true)"), unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    arms: Mapped[list[str]]  # the control first
    ended: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))  # arms that users no longer get
    share: Mapped[int]
    interleave: Mapped[bool]
    salt: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    # a line for each changed setting; null, and the experiment waits, until they are evaluated on held-out users
    judgement: Mapped[list[str] | None] = mapped_column(server_default=text("'{}'"))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # the result computed at `result_at`
    result_at: Mapped[datetime | None]


class Event(Base):
    """An action of a user on a movie of a list shown to them, other than a rating."""

    __tablename__ = "events"
    __table_args__ = (CheckConstraint("event IN ('opened')", "event"),)

    list_id: Mapped[UUID] = mapped_column(primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.id"), primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
