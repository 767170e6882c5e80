"""Training runs, what they yield, and which generation is live."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from tables.base import Base, rating_in_range


class Run(Base):
    """One run of a job. A row without an outcome is queued (a phase), under way, or its process died."""

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
    """When the next training comes by itself: a single row, absent until a service has started."""

    __tablename__ = "training_schedule"
    __table_args__ = (CheckConstraint("single", "single"),)

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    next_at: Mapped[datetime | None]


class Generation(Base):
    """What one training yielded. The factors of old ones are dropped, their record stays."""

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
    fingerprint: Mapped[str]  # of the data and settings it was trained with: equal ones need no new training
    details: Mapped[dict[str, Any]]
    checksum: Mapped[str | None]
    factors: Mapped[bytes | None]


class LiveGeneration(Base):
    """All that lists depend on beside their user: a single row, absent before there is either.

    These are the one generation that is served, null before the first, and the version of the catalogue. Every change
    of a movie raises that in its own transaction, and so waits for the others.
    """

    __tablename__ = "live_generation"
    __table_args__ = (CheckConstraint("single", "single"),)

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    generation_id: Mapped[int | None] = mapped_column(ForeignKey("generations.id"))
    catalogue_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    since: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    held_since: Mapped[datetime | None]  # an operator has activated it, and no training replaces it until a release


class StoredPrediction(Base):
    """What the live generation predicted of a view that it had not learned from: its online evaluation."""

    __tablename__ = "foretold"
    __table_args__ = (
        CheckConstraint(rating_in_range("rating"), "rating"),
        CheckConstraint(rating_in_range("expected_rating"), "expected_rating"),
        CheckConstraint("rank >= 1", "rank"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)  # of the history that the view made
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.id"), primary_key=True)
    generation_id: Mapped[int] = mapped_column(ForeignKey("generations.id"), index=True)
    rating: Mapped[float]
    expected_rating: Mapped[float]
    rank: Mapped[int]  # of the movie among all that the user had not seen
