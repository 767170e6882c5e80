"""experiments that are judged first, with their result; which movies of a list were explored

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # earlier ones run without a judgement, and so does what a process of an earlier version starts
    op.add_column("experiments", sa.Column("judgement", postgresql.ARRAY(sa.String()), server_default=sa.text("'{}'")))
    op.add_column("experiments", sa.Column("result", postgresql.JSONB()))
    op.add_column("experiments", sa.Column("result_at", postgresql.TIMESTAMP(timezone=True)))
    op.add_column("impressions", sa.Column("explored", postgresql.ARRAY(sa.Boolean())))


def downgrade() -> None:
    op.drop_column("impressions", "explored")
    op.execute("UPDATE experiments SET ended_at = clock_timestamp() WHERE ended_at IS NULL AND judgement IS NULL")
    for column in ("result_at", "result", "judgement"):
        op.drop_column("experiments", column)
