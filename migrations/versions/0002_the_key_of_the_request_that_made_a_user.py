"""the key of the request that made a user

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("idempotency_key", sa.String(), nullable=True))
    op.create_check_constraint(op.f("ck_users_idempotency_key"), "users", "length(idempotency_key) BETWEEN 1 AND 255")
    op.create_index(
        "uq_users_idempotency_key",
        "users",
        ["idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_users_idempotency_key", table_name="users")
    op.drop_constraint(op.f("ck_users_idempotency_key"), "users")
    op.drop_column("users", "idempotency_key")
