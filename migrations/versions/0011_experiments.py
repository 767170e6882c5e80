"""experiments

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("arms", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("ended", postgresql.ARRAY(sa.String()), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("interleave", sa.Boolean(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column(
            "started_at", postgresql.TIMESTAMP(timezone=True), nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True)),
        sa.Column("reason", sa.String()),
        sa.CheckConstraint("cardinality(arms) >= 2", name=op.f("ck_experiments_arms")),
        sa.CheckConstraint("share BETWEEN 1 AND 100", name=op.f("ck_experiments_share")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_experiments")),
    )  # fmt: skip
    op.execute("CREATE UNIQUE INDEX uq_experiments_running ON experiments ((true)) WHERE ended_at IS NULL")


def downgrade() -> None:
    op.drop_table("experiments")
