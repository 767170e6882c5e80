"""the first tables

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "movies",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("genres", sa.String(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=True),
        sa.Column("rating_count", sa.Integer(), nullable=False),
        sa.Column("rating_sum", sa.DOUBLE_PRECISION(), nullable=False),
        sa.Column("like_count", sa.Integer(), nullable=False),
        sa.Column("expected_rating", sa.REAL(), nullable=False),
        sa.CheckConstraint("title <> ''", name=op.f("ck_movies_title")),
        sa.CheckConstraint("expected_rating BETWEEN 0.5 AND 5", name=op.f("ck_movies_expected_rating")),
        sa.CheckConstraint("id > 0", name=op.f("ck_movies_id")),
        sa.CheckConstraint("like_count BETWEEN 0 AND rating_count", name=op.f("ck_movies_counts")),
        sa.CheckConstraint("year BETWEEN 1000 AND 9999", name=op.f("ck_movies_year")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movies")),
    )
    op.create_index("ix_movies_popular", "movies", [sa.literal_column("like_count DESC"), "id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column(
            "started_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("progress", sa.REAL(), server_default=sa.text("0"), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("(outcome IS NOT DISTINCT FROM 'failed') = (error IS NOT NULL)", name=op.f("ck_runs_error")),
        sa.CheckConstraint("kind IN ('ingest', 'train')", name=op.f("ck_runs_kind")),
        sa.CheckConstraint("outcome IN ('done', 'published', 'rejected', 'failed')", name=op.f("ck_runs_outcome")),
        sa.CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name=op.f("ck_runs_finished")),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_runs_progress")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("uq_runs_under_way", "runs", ["kind"], unique=True, postgresql_where=sa.text("outcome IS NULL"))
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("history_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("foretold_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("foretold_version BETWEEN 0 AND history_version", name=op.f("ck_users_foretold_version")),
        sa.CheckConstraint("id BETWEEN 1 AND 2146483647", name=op.f("ck_users_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column(
            "created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=True),
        sa.Column("factors", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint("verdict IN ('accepted', 'rejected')", name=op.f("ck_generations_verdict")),
        sa.CheckConstraint("(factors IS NULL) = (checksum IS NULL)", name=op.f("ck_generations_checksum")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_generations_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    op.create_table(
        "views",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("movie_id", sa.Integer(), nullable=False),
        sa.Column("rating", sa.REAL(), nullable=False),
        sa.Column("rated_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("again", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("rating BETWEEN 0.5 AND 5 AND rating * 2 = floor(rating * 2)", name=op.f("ck_views_rating")),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_views_movie_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_views_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "movie_id", name=op.f("pk_views")),
    )
    op.create_table(
        "live_generation",
        sa.Column("single", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("single", name=op.f("ck_live_generation_single")),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name=op.f("fk_live_generation_generation_id")),
        sa.PrimaryKeyConstraint("single", name=op.f("pk_live_generation")),
    )
    op.create_table(
        "recommendations",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("history_version", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("movie_id", sa.Integer(), nullable=False),
        sa.Column("expected_rating", sa.REAL(), nullable=False),
        sa.CheckConstraint("expected_rating BETWEEN 0.5 AND 5", name=op.f("ck_recommendations_expected_rating")),
        sa.CheckConstraint("rank >= 1", name=op.f("ck_recommendations_rank")),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name=op.f("fk_recommendations_generation_id")),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_recommendations_movie_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recommendations_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "generation_id", "history_version", "rank", name=op.f("pk_recommendations")),
        sa.UniqueConstraint(
            "user_id", "generation_id", "history_version", "movie_id", name=op.f("uq_recommendations_user_id")
        ),
    )
    op.create_table(
        "foretold",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("movie_id", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("rating", sa.REAL(), nullable=False),
        sa.Column("expected_rating", sa.REAL(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.CheckConstraint("expected_rating BETWEEN 0.5 AND 5", name=op.f("ck_foretold_expected_rating")),
        sa.CheckConstraint("rank >= 1", name=op.f("ck_foretold_rank")),
        sa.CheckConstraint("rating BETWEEN 0.5 AND 5", name=op.f("ck_foretold_rating")),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name=op.f("fk_foretold_generation_id")),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_foretold_movie_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_foretold_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "version", "movie_id", name=op.f("pk_foretold")),
    )
    op.create_index("ix_foretold_generation_id", "foretold", ["generation_id"], unique=False)
    # factors are next to random: trying to compress them only costs time
    op.execute("ALTER TABLE generations ALTER COLUMN factors SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("foretold")
    op.drop_table("recommendations")
    op.drop_table("live_generation")
    op.drop_table("views")
    op.drop_table("generations")
    op.drop_table("users")
    op.drop_index("uq_runs_under_way", table_name="runs", postgresql_where=sa.text("outcome IS NULL"))
    op.drop_table("runs")
    op.drop_index("ix_movies_popular", table_name="movies")
    op.drop_table("movies")
