"""how people rated a film

The histograms of films that are there already are counted from the ratings of the dataset at the next start. The index
by popularity goes: each process holds all films in memory.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("movies", sa.Column("rating_histogram", postgresql.ARRAY(sa.Integer()), nullable=True))
    op.create_check_constraint(op.f("ck_movies_rating_histogram"), "movies", "cardinality(rating_histogram) = 10")
    op.drop_index("ix_movies_popular", table_name="movies")
    op.create_index("ix_views_movie_id", "views", ["movie_id"], unique=False, postgresql_include=["rating"])


def downgrade() -> None:
    op.drop_index("ix_views_movie_id", table_name="views", postgresql_include=["rating"])
    op.create_index("ix_movies_popular", "movies", [sa.literal_column("like_count DESC"), "id"], unique=False)
    op.drop_constraint(op.f("ck_movies_rating_histogram"), "movies")
    op.drop_column("movies", "rating_histogram")
