"""times that can be read

PostgreSQL stores times from 4713 BC on and up to infinity, Python's datetime those of the years 1 to 9999. An import
could store a time that no command and no route could read back. Such times move to the nearest one that can be read.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

EARLIEST, LATEST = "'0001-01-02 00:00:00+00'", "'9999-12-30 00:00:00+00'"
COLUMNS = (("users", "created_at"), ("views", "rated_at"))


def upgrade() -> None:
    for table, column in COLUMNS:
        readable = f"{column} BETWEEN {EARLIEST} AND {LATEST}"
        clamped = f"least(greatest({column}, {EARLIEST}), {LATEST})"
        op.execute(f"UPDATE {table} SET {column} = {clamped} WHERE NOT {readable}")  # noqa: S608 - constants alone
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, readable)


def downgrade() -> None:
    for table, column in COLUMNS:
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table)
