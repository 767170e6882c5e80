"""the table foretold is called predictions

Names in the catalogue change, and nothing is rewritten.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# with those of NOT NULL, which PostgreSQL names from version 18 on
CONSTRAINTS = sa.text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:table AS regclass)")


def upgrade() -> None:
    op.alter_column("users", "foretold_version", new_column_name="predicted_version")
    op.rename_table("foretold", "predictions")
    op.execute("ALTER INDEX ix_foretold_generation_id RENAME TO ix_predictions_generation_id")
    _rename_constraints("users", "foretold_version", "predicted_version")
    _rename_constraints("predictions", "foretold", "predictions")


def downgrade() -> None:
    op.alter_column("users", "predicted_version", new_column_name="foretold_version")
    op.rename_table("predictions", "foretold")
    op.execute("ALTER INDEX ix_predictions_generation_id RENAME TO ix_foretold_generation_id")
    _rename_constraints("users", "predicted_version", "foretold_version")
    _rename_constraints("foretold", "predictions", "foretold")


def _rename_constraints(table: str, word: str, other: str) -> None:
    for name in op.get_bind().scalars(CONSTRAINTS, {"table": table}).all():
        if word in name:
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {name.replace(word, other)}")
