"""What users did with the movies that they were shown: the first impression of each, and its outcome within 7 days."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from storage.impressions import OUTCOME_DAYS

LIKED_FROM = 3.5
_WITHIN = f"BETWEEN s.at AND s.at + interval '{OUTCOME_DAYS} days'"
# `shown`: a row for each user, movie, generation and arm, since a movie of many lists is shown once. Impressions are
# sorted by user before their movies are unfolded, so that PostgreSQL need sort only the movies of one user at a time.
# `became`: a row for each user and movie, to be hashed once; a subquery for each shown movie takes five times as long.
_OUTCOMES = f"""
    WITH habits AS (
        SELECT user_id, (array_agg(rated_at ORDER BY rated_at))[1] AS first,
            (array_agg(rated_at ORDER BY rated_at))[26] AS twenty_sixth
        FROM views {{of_users}} GROUP BY user_id
    ), shown AS (
        SELECT DISTINCT ON (i.user_id, place.movie_id, i.generation_id, i.experiment, arm)
            i.user_id, place.movie_id, i.generation_id, i.experiment, coalesce(place.team, i.arm) AS arm, i.at,
            i.first_place + place.n - 1 AS place, place.expected,
            CASE WHEN place.explored THEN 'explored' ELSE i.strategy END AS strategy
        FROM (
            SELECT i.*, CASE
                WHEN i.generation_id IS NULL OR (first < i.at) IS NOT TRUE THEN 'popular'
                WHEN (twenty_sixth < i.at) IS NOT TRUE THEN 'blended' ELSE 'personal' END AS strategy
            FROM impressions i LEFT JOIN habits USING (user_id) WHERE {{which}} ORDER BY user_id
        ) i, unnest(i.movie_ids, i.expected_ratings, i.teams, i.explored)
            WITH ORDINALITY AS place (movie_id, expected, team, explored, n)
        ORDER BY i.user_id, place.movie_id, i.generation_id, i.experiment, arm, i.at
    ), became AS (
        SELECT user_id, movie_id, max(rating) AS rating, max(rated_at) AS rated_at, max(hidden_at) AS hidden_at,
            array_agg(opened_at) FILTER (WHERE opened_at IS NOT NULL) AS opened
        FROM (
            SELECT user_id, movie_id, rating, rated_at, NULL::timestamptz AS opened_at, NULL::timestamptz AS hidden_at
            FROM views {{of_users}}
            UNION ALL SELECT user_id, movie_id, NULL, NULL, at, NULL FROM events WHERE event = 'opened'
            UNION ALL SELECT user_id, movie_id, NULL, NULL, NULL, at FROM marks WHERE mark = 'hidden'
        ) one
        WHERE coalesce(rated_at, opened_at, hidden_at) > {{since}}
        GROUP BY user_id, movie_id
    ), outcomes AS (
        SELECT s.*, CASE WHEN rated_at {_WITHIN} THEN rating END AS rating, hidden_at {_WITHIN} AS hidden,
            CASE WHEN opened IS NOT NULL THEN EXISTS (SELECT FROM unnest(opened) o (at) WHERE o.at {_WITHIN}) END
                AS opened
        FROM shown s LEFT JOIN became USING (user_id, movie_id)
    )
"""  # noqa: S608 - no part of it comes from outside
_COUNTS = f"""
    count(*) AS shown, count(*) FILTER (WHERE opened) AS opened, count(rating) AS rated,
    count(*) FILTER (WHERE rating >= {LIKED_FROM}) AS liked, count(*) FILTER (WHERE hidden) AS hidden
"""


def recent(db: Connection, days: int, every: int = 1) -> Sequence[Row[Any]]:
    """Return (generation_id, strategy, place, shown, opened, rated, liked, hidden, expected, rating, rmse).

    Of the last days: by generation and strategy, where `place` is None, and then by each of the first ten places.
    The strategy is that of the number of ratings before the impression, "explored" of drawn movies. `expected`
    and `rating` are means over the movies that were rated, None without any. Of all users, or of one in `every`.
    """
    since = "now() - make_interval(days => :days)"
    which, of_users = f"i.at > {since}", ""
    if every > 1:
        which += " AND user_id % :every = 0"
        of_users = "WHERE user_id IN (SELECT id FROM users WHERE id % :every = 0)"  # by the index of views
    statement = text(f"""
        {_OUTCOMES.format(which=which, since=since, of_users=of_users)}
        SELECT generation_id, strategy, place, {_COUNTS}, avg(expected) FILTER (WHERE rating IS NOT NULL) AS expected,
            avg(rating) AS rating, sqrt(avg((rating - expected) ^ 2)) AS rmse
        FROM outcomes GROUP BY GROUPING SETS ((generation_id, strategy), (place))
        HAVING place IS NULL OR place <= 10 ORDER BY place NULLS FIRST, generation_id NULLS FIRST, strategy
    """)  # noqa: S608 - as above
    return db.execute(statement, {"days": days, "every": every}).all()


def lists_shown(db: Connection, days: int) -> int:
    """Return how many lists were shown in the last days."""
    statement = text("SELECT count(*) FROM impressions WHERE at > now() - make_interval(days => :days)")
    return db.scalar(statement, {"days": days})


def by_user(db: Connection, experiment: str) -> Sequence[Row[Any]]:
    """Return (user_id, arm, shown, opened, rated, liked, hidden) of an experiment; arm: a team where interleaved."""
    # an hour: the clocks of services differ from PostgreSQL's
    since = "(SELECT started_at - interval '1 hour' FROM experiments WHERE name = :experiment)"
    statement = text(f"""
        {_OUTCOMES.format(which=f"i.experiment = :experiment AND i.at > {since}", since=since, of_users="")}
        SELECT user_id, arm, {_COUNTS} FROM outcomes GROUP BY user_id, arm
    """)  # noqa: S608 - as above
    return db.execute(statement, {"experiment": experiment}).all()
