"""lists before their generation

The lists of a generation are stored piece by piece, and the generation when all are there. What names no generation is
never read, and goes when the next one has been published; to check it was a third of the time to store a list.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = "fk_recommendations_generation_id"


def upgrade() -> None:
    op.drop_constraint(op.f(KEY), "recommendations", type_="foreignkey")


def downgrade() -> None:
    op.execute("DELETE FROM recommendations WHERE generation_id NOT IN (SELECT id FROM generations)")
    op.create_foreign_key(op.f(KEY), "recommendations", "generations", ["generation_id"], ["id"])
