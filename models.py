"""The tables: columns, keys and constraints that make bad states impossible. No queries."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, DOUBLE_PRECISION, JSONB, REAL, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from settings import LAST_USER_ID

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def rating_in_range(column: str) -> str:
    return f"{column} BETWEEN 0.5 AND 5"


def readable_time(column: str) -> str:
    """Return the condition that Python's datetime can hold a time, in whichever time zone a session shows it."""
    return f"{column} BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = {
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
        list[int]: ARRAY(Integer),
        list[float]: ARRAY(REAL),
        list[bool]: ARRAY(Boolean),
        list[str]: ARRAY(String),
        float: REAL,
        bytes: BYTEA,
    }


class Movie(Base):
    """A movie, and what the ratings of the dataset say of it. Movies are withdrawn, never deleted."""

    __tablename__ = "movies"
    __table_args__ = (
        CheckConstraint("id > 0", "id"),
        CheckConstraint("title <> ''", "title"),
        CheckConstraint("year BETWEEN 1000 AND 9999", "year"),
        CheckConstraint("like_count BETWEEN 0 AND rating_count", "counts"),
        CheckConstraint(rating_in_range("expected_rating"), "expected_rating"),
        CheckConstraint("cardinality(rating_histogram) = 10", "rating_histogram"),
        CheckConstraint("imdb_id ~ '^tt[0-9]{7,10}$'", "imdb_id"),
        CheckConstraint("tmdb_id > 0", "tmdb_id"),
        CheckConstraint("length(idempotency_key) BETWEEN 1 AND 255", "idempotency_key"),
        Index(
            "uq_movies_idempotency_key",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str]
    genres: Mapped[str]
    year: Mapped[int | None] = mapped_column(SmallInteger)
    rating_count: Mapped[int]
    rating_sum: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    like_count: Mapped[int]  # ratings of 4 and more: what popularity counts before the first training
    expected_rating: Mapped[float]  # a damped mean: what is shown before the first training
    # how many rated it .5, 1 ... 5; null after an upgrade, until the ratings of the dataset have been counted
    rating_histogram: Mapped[list[int] | None]
    # not unique: MovieLens gives one tmdbId to two movies
    imdb_id: Mapped[str | None] = mapped_column(index=True)
    tmdb_id: Mapped[int | None] = mapped_column(index=True)
    tags: Mapped[list[str] | None]  # the five most given; null after an upgrade, until they have been read
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())
    withdrawn_at: Mapped[datetime | None]  # in no list, search or similar movies since
    # the catalogue_version that the last change of this movie made
    changed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), index=True)
    idempotency_key: Mapped[str | None]  # of the request that added this movie


class User(Base):
    """Someone who rates movies here. The engine knows them by their id plus 1,000,000."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(f"id BETWEEN 1 AND {LAST_USER_ID}", "id"),
        CheckConstraint("foretold_version BETWEEN 0 AND history_version", "foretold_version"),
        CheckConstraint("length(idempotency_key) BETWEEN 1 AND 255", "idempotency_key"),
        CheckConstraint(readable_time("created_at"), "created_at"),
        Index(
            "uq_users_idempotency_key",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    idempotency_key: Mapped[str | None]  # of the request that made this user, by which its repetition is known
    # grows with every change of this user's views, in the same transaction; a list made from an older one is stale
    history_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    # views up to here have been compared with what was foretold of them
    foretold_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    train: Mapped[bool] = mapped_column(server_default=text("true"))  # whether trainings learn from these views


class Token(Base):
    """A secret of 256 random bits that opens some routes of one user; only its SHA-256 is stored."""

    __tablename__ = "tokens"
    __table_args__ = (
        CheckConstraint("scope IN ('self', 'list', 'hook')", "scope"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", "name"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    scope: Mapped[str]
    name: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    hash: Mapped[bytes] = mapped_column(index=True, unique=True)


class View(Base):
    """What a user thought of a movie; a later rating of the same movie takes the row's place."""

    __tablename__ = "views"
    __table_args__ = (
        CheckConstraint(f"{rating_in_range('rating')} AND rating * 2 = floor(rating * 2)", "rating"),
        CheckConstraint(readable_time("rated_at"), "rated_at"),
        Index("ix_views_movie_id", "movie_id", postgresql_include=["rating"]),  # how people rated one movie
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.id"), primary_key=True)
    rating: Mapped[float]
    rated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    again: Mapped[bool] = mapped_column(server_default=text("false"))  # a later thought on a movie rated before
    # the history_version this change made: orders one user's views exactly, where clocks may tie or step back
    version: Mapped[int] = mapped_column(BigInteger)


class Mark(Base):
    """What a user says of a movie without rating it; no training learns from it."""

    __tablename__ = "marks"
    __table_args__ = (
        CheckConstraint("mark IN ('seen', 'hidden', 'later')", "mark"),
        CheckConstraint(readable_time("at"), "at"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.id"), primary_key=True)
    mark: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    version: Mapped[int] = mapped_column(BigInteger)  # the history_version this change made, as of a view


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


class Recommendation(Base):
    """One user's list, best first, with the generation, the history and the catalogue it was made from.

    A list counts only while it carries the versions of history and catalogue that there are now.
    A row a list and no key for each movie, because every one is checked when the lists of everybody are published. None
    for the generation either: it comes to be when all its lists are stored, and a list is read only while it is live.
    """

    __tablename__ = "recommendations"
    __table_args__ = (
        CheckConstraint("cardinality(movie_ids) >= 1", "movie_ids"),
        CheckConstraint(
            "cardinality(expected_ratings) = cardinality(movie_ids) "
            "AND 0.5 <= ALL (expected_ratings) AND 5 >= ALL (expected_ratings)",
            "expected_ratings",
        ),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    generation_id: Mapped[int] = mapped_column(primary_key=True)
    history_version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    movie_ids: Mapped[list[int]]
    expected_ratings: Mapped[list[float]]
    catalogue_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class StoredPrediction(Base):
    """What the live generation would have said of a view that it had not learned from: an honest test of it."""

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


class Impression(Base):
    """A list that a user was shown, best first; `times` counts the same list within ten minutes.

    A partition for each day, so that the oldest are dropped as a whole. `storage.impressions` makes them.
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
    generation_id: Mapped[int | None]  # of the lists of an interleaved experiment: that of its first arm
    experiment: Mapped[str | None]
    arm: Mapped[str | None]
    route: Mapped[str]
    first_place: Mapped[int]  # of the first movie in the whole list: a later page begins later
    movie_ids: Mapped[list[int]]
    expected_ratings: Mapped[list[float]]  # as they were shown
    teams: Mapped[list[str] | None]  # of an interleaved list: the arm that chose each movie
    explored: Mapped[list[bool] | None]  # which movies were drawn for exploration; null if none was
    times: Mapped[int] = mapped_column(server_default=text("1"))


class StartedExperiment(Base):
    """An experiment. At most one runs or is judged; the name of one that ran stays: impressions refer to it."""

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
    # a line for each changed setting; null until the held-out users have judged them, and it does not run before
    judgement: Mapped[list[str] | None] = mapped_column(server_default=text("'{}'"))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # what had become of its lists at `result_at`
    result_at: Mapped[datetime | None]


class Event(Base):
    """What a user did with a movie of a list that they were shown, other than to rate it."""

    __tablename__ = "events"
    __table_args__ = (CheckConstraint("event IN ('opened')", "event"),)

    list_id: Mapped[UUID] = mapped_column(primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.id"), primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
