"""tokens

Secrets that open one user's routes, and users whose ratings no training learns from.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("train", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.CheckConstraint("scope IN ('self', 'list', 'hook')", name=op.f("ck_tokens_scope")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_tokens_name")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
    )
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"])
    op.create_index(op.f("ix_tokens_hash"), "tokens", ["hash"], unique=True)


def downgrade() -> None:
    op.drop_table("tokens")
    op.drop_column("users", "train")
