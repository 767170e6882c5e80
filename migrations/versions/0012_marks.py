"""marks

Users say of a movie that they have seen it, do not want it, or want it later, without a rating.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "marks",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("movie_id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("mark IN ('seen', 'hidden', 'later')", name=op.f("ck_marks_mark")),
        sa.CheckConstraint(
            "at BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'", name=op.f("ck_marks_at")
        ),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_marks_movie_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_marks_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "movie_id", name=op.f("pk_marks")),
    )


def downgrade() -> None:
    op.drop_table("marks")
