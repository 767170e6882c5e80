"""movies that change

A movie gets its ids at IMDb and TMDB, its most given tags, and the version of the catalogue that its last change made.
Identifiers and tags of movies that are there already are read from the dataset at the next start.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LISTS_DEPEND_ON = ("live_generation", "recommendations")


def upgrade() -> None:
    for table in LISTS_DEPEND_ON:
        op.add_column(
            table, sa.Column("catalogue_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        )
    op.alter_column("live_generation", "generation_id", nullable=True)
    op.add_column("movies", sa.Column("imdb_id", sa.String()))
    op.add_column("movies", sa.Column("tmdb_id", sa.Integer()))
    op.add_column("movies", sa.Column("tags", postgresql.ARRAY(sa.String())))
    op.add_column("movies", sa.Column("added_at", postgresql.TIMESTAMP(timezone=True)))
    op.add_column("movies", sa.Column("withdrawn_at", postgresql.TIMESTAMP(timezone=True)))
    op.add_column("movies", sa.Column("changed", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("movies", sa.Column("idempotency_key", sa.String()))
    op.execute("""
        UPDATE movies SET added_at = coalesce((
            SELECT finished_at FROM runs WHERE kind = 'ingest' AND outcome = 'done' ORDER BY id DESC LIMIT 1
        ), now())
    """)
    op.alter_column("movies", "added_at", nullable=False, server_default=sa.text("now()"))
    op.create_check_constraint(op.f("ck_movies_imdb_id"), "movies", "imdb_id ~ '^tt[0-9]{7,10}$'")
    op.create_check_constraint(op.f("ck_movies_tmdb_id"), "movies", "tmdb_id > 0")
    op.create_check_constraint(op.f("ck_movies_idempotency_key"), "movies", "length(idempotency_key) BETWEEN 1 AND 255")
    for column in ("imdb_id", "tmdb_id", "changed"):
        op.create_index(op.f(f"ix_movies_{column}"), "movies", [column])
    op.create_index(
        "uq_movies_idempotency_key",
        "movies",
        ["idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )


def downgrade() -> None:
    for column in ("idempotency_key", "changed", "withdrawn_at", "added_at", "tags", "tmdb_id", "imdb_id"):
        op.drop_column("movies", column)
    op.execute("DELETE FROM live_generation WHERE generation_id IS NULL")
    op.alter_column("live_generation", "generation_id", nullable=False)
    for table in LISTS_DEPEND_ON:
        op.drop_column(table, "catalogue_version")
