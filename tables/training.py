"""The tables of training runs, generations, the live generation and the online evaluation."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from tables.base import Base, rating_in_range


class Run(Base):
    """A run of a job. Without an outcome it is queued (a phase) or under way, or its process has died."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("kind IN ('ingest', 'train')", "kind"),
        CheckConstraint("outcome IN ('done', 'published', 'rejected', 'failed', 'interrupted')", "outcome"),
        CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", "finished"),
        CheckConstraint("coalesce(outcome IN ('failed', 'interrupted'), false) = (error IS NOT NULL)", "error"),
        CheckConstraint("progress BETWEEN 0 AND 1", "progress"),
        Index("uq_runs_under_way", "kind", unique=True, postgresql_where=text("outcome IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    phase: Mapped[str]
    progress: Mapped[float] = mapped_column(server_default=text("0"))
    outcome: Mapped[str | None]
    error: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class TrainingSchedule(Base):
    """The time of the next scheduled training run: a single row, absent until a service has started."""

    __tablename__ = "training_schedule"
    __table_args__ = (CheckConstraint("single", "single"),)

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    next_at: Mapped[datetime | None]


class Generation(Base):
    """The result of a training run. The factors of old generations are dropped; their row stays."""

    __tablename__ = "generations"
    __table_args__ = (
        CheckConstraint("verdict IN ('accepted', 'rejected')", "verdict"),
        CheckConstraint("(factors IS NULL) = (checksum IS NULL)", "checksum"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    verdict: Mapped[str]
    reason: Mapped[str]
    fingerprint: Mapped[str]  # of the training data and settings: an equal one needs no new training run
    details: Mapped[dict[str, Any]]
    checksum: Mapped[str | None]
    factors: Mapped[bytes | None]


class LiveGeneration(Base):
    """The live generation and the catalogue version: a single row, absent before there is either.

    The generation is null before the first training run. Every change of a movie raises the catalogue version in its
    own transaction, so changes of movies wait for each other.
    """

    __tablename__ = "live_generation"
    __table_args__ = (CheckConstraint("single", "single"),)

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    generation_id: Mapped[int | None] = mapped_column(ForeignKey("generations.id"))
    catalogue_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    since: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    held_since: Mapped[datetime | None]  # when an operator activated it; no training run replaces it until its release


class StoredPrediction(Base):
    """The prediction of the live generation for a view it was not trained on: one row of its online evaluation."""

    __tablename__ = "foretold"
    __table_args__ = (
        CheckConstraint(rating_in_range("rating"), "rating"),
        CheckConstraint(rating_in_range("expected_rating"), "expected_rating"),
        CheckConstraint("rank >= 1", "rank"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)  # the history_version of the view
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.id"), primary_key=True)
    generation_id: Mapped[int] = mapped_column(ForeignKey("generations.id"), index=True)
    rating: Mapped[float]
    expected_rating: Mapped[float]
    rank: Mapped[int]  # of the movie among all movies that the user had not seen
