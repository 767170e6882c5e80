"""what was shown

Each list that a user is shown becomes an impression, in a partition for each day, which the serving processes make and
drop; what users open becomes an event.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "impressions",
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.Integer()),
        sa.Column("experiment", sa.String()),
        sa.Column("arm", sa.String()),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("first_place", sa.Integer(), nullable=False),
        sa.Column("movie_ids", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("expected_ratings", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.Column("teams", postgresql.ARRAY(sa.String())),
        sa.Column("times", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.CheckConstraint("first_place >= 1", name=op.f("ck_impressions_first_place")),
        sa.CheckConstraint("times >= 1", name=op.f("ck_impressions_times")),
        sa.CheckConstraint(
            "cardinality(expected_ratings) = cardinality(movie_ids)", name=op.f("ck_impressions_expected_ratings")
        ),
        sa.CheckConstraint("cardinality(teams) = cardinality(movie_ids)", name=op.f("ck_impressions_teams")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_impressions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("list_id", "at", name=op.f("pk_impressions")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index(op.f("ix_impressions_user_id"), "impressions", ["user_id"])
    op.create_table(
        "events",
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("movie_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("event IN ('opened')", name=op.f("ck_events_event")),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_events_movie_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_events_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("list_id", "movie_id", "event", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_user_id"), "events", ["user_id"])


def downgrade() -> None:
    op.drop_table("events")
    op.drop_table("impressions")
