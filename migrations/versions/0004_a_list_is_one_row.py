"""a list is one row

Ten rows a list were ten times three foreign keys to check: two thirds of the time in which the lists of many users
are published. The lists that are there stay.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _keep("""
        SELECT user_id, generation_id, history_version,
            array_agg(movie_id ORDER BY rank) AS movie_ids, array_agg(expected_rating ORDER BY rank) AS expected_ratings
        FROM recommendations GROUP BY user_id, generation_id, history_version
    """)
    op.create_table(
        "recommendations",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("history_version", sa.BigInteger(), nullable=False),
        sa.Column("movie_ids", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("expected_ratings", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.CheckConstraint("cardinality(movie_ids) >= 1", name=op.f("ck_recommendations_movie_ids")),
        sa.CheckConstraint(
            "cardinality(expected_ratings) = cardinality(movie_ids) "
            "AND 0.5 <= ALL (expected_ratings) AND 5 >= ALL (expected_ratings)",
            name=op.f("ck_recommendations_expected_ratings"),
        ),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name=op.f("fk_recommendations_generation_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recommendations_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "generation_id", "history_version", name=op.f("pk_recommendations")),
    )
    op.execute("INSERT INTO recommendations SELECT * FROM kept")


def downgrade() -> None:
    _keep("""
        SELECT user_id, generation_id, history_version, rank, movie_id, expected_rating
        FROM recommendations,
            unnest(movie_ids, expected_ratings) WITH ORDINALITY AS list (movie_id, expected_rating, rank)
        WHERE movie_id IN (SELECT id FROM movies)
    """)
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
    op.execute("INSERT INTO recommendations SELECT * FROM kept")


def _keep(lists: str) -> None:
    op.execute(f"CREATE TEMPORARY TABLE kept ON COMMIT DROP AS {lists}")
    op.drop_table("recommendations")
