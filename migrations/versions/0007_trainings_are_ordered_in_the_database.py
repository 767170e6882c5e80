"""trainings are ordered in the database

A training that was ordered is a run in the phase "queued", which the process with the scheduler looks for each second;
when the next one is due stands in a table of one row. A training that ends with its service is interrupted, not failed.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OUTCOMES = "'done', 'published', 'rejected', 'failed'"


def upgrade() -> None:
    _replace("outcome", f"outcome IN ({OUTCOMES}, 'interrupted')")
    _replace("error", "coalesce(outcome IN ('failed', 'interrupted'), false) = (error IS NOT NULL)")
    op.create_table(
        "training_schedule",
        sa.Column("single", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("next_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("single", name=op.f("ck_training_schedule_single")),
        sa.PrimaryKeyConstraint("single", name=op.f("pk_training_schedule")),
    )


def downgrade() -> None:
    op.drop_table("training_schedule")
    op.execute("DELETE FROM runs WHERE outcome IS NULL AND phase = 'queued'")
    op.execute("UPDATE runs SET outcome = 'failed' WHERE outcome = 'interrupted'")
    _replace("error", "(outcome IS NOT DISTINCT FROM 'failed') = (error IS NOT NULL)")
    _replace("outcome", f"outcome IN ({OUTCOMES})")


def _replace(name: str, condition: str) -> None:
    op.drop_constraint(op.f(f"ck_runs_{name}"), "runs", type_="check")
    op.create_check_constraint(op.f(f"ck_runs_{name}"), "runs", condition)
