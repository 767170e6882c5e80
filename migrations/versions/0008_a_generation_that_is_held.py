"""a generation that is held

What an operator activates stays live until it is released, whatever trainings make meanwhile.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("live_generation", sa.Column("held_since", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("live_generation", "held_since")
