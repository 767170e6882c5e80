"""The tables of users and movies: columns, keys and constraints. No queries.

The tables of training runs, impressions and experiments are in `tables/`.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, SmallInteger, func, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlalchemy.orm import Mapped, mapped_column

from settings import LAST_USER_ID
from tables import exposure, training  # noqa: F401 - whoever imports this has all tables
from tables.base import Base, rating_in_range, readable_time

__all__ = ["Base", "Mark", "Movie", "Recommendation", "Token", "User", "View"]


class Movie(Base):
    """A movie, with statistics of its ratings in the dataset. Movies are withdrawn, never deleted."""

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
    like_count: Mapped[int]  # ratings of 4 and more: the popularity before the first training run
    expected_rating: Mapped[float]  # a damped mean, shown before the first training run
    # numbers of ratings of .5, 1 ... 5; null after an upgrade until the ratings of the dataset have been counted
    rating_histogram: Mapped[list[int] | None]
    # not unique: MovieLens gives one tmdbId to two movies
    imdb_id: Mapped[str | None] = mapped_column(index=True)
    tmdb_id: Mapped[int | None] = mapped_column(index=True)
    tags: Mapped[list[str] | None]  # the five most frequent; null after an upgrade until they have been read
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())
    withdrawn_at: Mapped[datetime | None]  # since then in no list, search result or similar movies
    # the catalogue_version of the last change of this movie
    changed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), index=True)
    idempotency_key: Mapped[str | None]  # of the request that added this movie


class User(Base):
    """A user of this service. In training their id is this id plus 1,000,000."""

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
    idempotency_key: Mapped[str | None]  # of the request that created this user; recognizes its repetition
    # raised by every change of this user's views in the same transaction; lists of an older version are stale
    history_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    # the online evaluation has compared the views up to this version with their predictions
    foretold_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    train: Mapped[bool] = mapped_column(server_default=text("true"))  # whether training runs use these views


class Token(Base):
    """A secret of 256 random bits that authorizes some routes of one user; only its SHA-256 is stored."""

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
    """A user's rating of a movie; a later rating of the same movie replaces it."""

    __tablename__ = "views"
    __table_args__ = (
        CheckConstraint(f"{rating_in_range('rating')} AND rating * 2 = floor(rating * 2)", "rating"),
        CheckConstraint(readable_time("rated_at"), "rated_at"),
        Index("ix_views_movie_id", "movie_id", postgresql_include=["rating"]),  # all ratings of one movie
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.id"), primary_key=True)
    rating: Mapped[float]
    rated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    again: Mapped[bool] = mapped_column(server_default=text("false"))  # the movie had been rated before
    # the history_version of this change; it orders a user's views exactly, where clocks may tie or step back
    version: Mapped[int] = mapped_column(BigInteger)


class Mark(Base):
    """A user's mark on a movie: seen, hidden or for later. No training run uses it."""

    __tablename__ = "marks"
    __table_args__ = (
        CheckConstraint("mark IN ('seen', 'hidden', 'later')", "mark"),
        CheckConstraint(readable_time("at"), "at"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.id"), primary_key=True)
    mark: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    version: Mapped[int] = mapped_column(BigInteger)  # the history_version of this change, as in View


class Recommendation(Base):
    """A user's list, best first, with the generation, the history version and the catalogue version it is based on.

    A list is current only while both versions are the present ones. The movies are an array without foreign keys,
    because PostgreSQL would check each of them when all users' lists are published. The generation has no foreign key
    either: its row is stored after all its lists, and a list is read only while its generation is live.
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
