"""What users did with the movies that they were shown: the first impression of each, and its outcome within 7 days."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from storage.impressions import OUTCOME_DAYS

LIKED_FROM = 3.5
_WITHIN = f"BETWEEN s.at AND s.at + interval '{OUTCOME_DAYS} days'"
# one row a user, movie, generation and arm: a movie that stands on many lists is shown once
_OUTCOMES = f"""
    WITH shown AS (
        SELECT DISTINCT ON (i.user_id, place.movie_id, i.generation_id, i.experiment, arm)
            i.user_id, place.movie_id, i.generation_id, i.experiment, coalesce(place.team, i.arm) AS arm, i.at,
            i.first_place + place.n - 1 AS place, place.expected
        FROM impressions i,
            unnest(i.movie_ids, i.expected_ratings, i.teams) WITH ORDINALITY AS place (movie_id, expected, team, n)
        WHERE {{which}}
        ORDER BY i.user_id, place.movie_id, i.generation_id, i.experiment, arm, i.at
    ), outcomes AS (
        SELECT s.*, v.rating, v.rating >= {LIKED_FROM} AS liked, EXISTS (
            SELECT FROM events e
            WHERE e.user_id = s.user_id AND e.movie_id = s.movie_id AND e.event = 'opened' AND e.at {_WITHIN}
        ) AS opened, EXISTS (
            SELECT FROM marks m
            WHERE m.user_id = s.user_id AND m.movie_id = s.movie_id AND m.mark = 'hidden' AND m.at {_WITHIN}
        ) AS hidden, (
            SELECT count(*) FROM views before WHERE before.user_id = s.user_id AND before.rated_at < s.at
        ) AS ratings
        FROM shown s
        LEFT JOIN views v ON v.user_id = s.user_id AND v.movie_id = s.movie_id AND v.rated_at {_WITHIN}
    )
"""  # noqa: S608 - no part of it comes from outside
_COUNTS = """
    count(*) AS shown, count(*) FILTER (WHERE opened) AS opened, count(rating) AS rated,
    count(*) FILTER (WHERE liked) AS liked, count(*) FILTER (WHERE hidden) AS hidden
"""
_RECENT = _OUTCOMES.format(which="i.at > now() - make_interval(days => :days)")


def by_generation(db: Connection, days: int) -> Sequence[Row[Any]]:
    """Return (generation_id, strategy, shown, opened, rated, liked, hidden, expected, rating, rmse) of the last days.

    The strategy is told by the number of ratings before the impression. `expected` and `rating` are means over the
    movies that were rated, None without any.
    """
    return db.execute(
        text(f"""
            {_RECENT}
            SELECT generation_id,
                CASE WHEN generation_id IS NULL OR ratings = 0 THEN 'popular' WHEN ratings <= 25 THEN 'blended'
                    ELSE 'personal' END AS strategy,
                {_COUNTS}, avg(expected) FILTER (WHERE rating IS NOT NULL) AS expected, avg(rating) AS rating,
                sqrt(avg((rating - expected) ^ 2)) AS rmse
            FROM outcomes GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2
        """),  # noqa: S608 - as above
        {"days": days},
    ).all()


def by_place(db: Connection, days: int) -> Sequence[Row[Any]]:
    """Return (place, shown, opened, rated, liked, hidden) of the first ten places in the last days."""
    statement = text(f"{_RECENT} SELECT place, {_COUNTS} FROM outcomes WHERE place <= 10 GROUP BY 1 ORDER BY 1")  # noqa: S608
    return db.execute(statement, {"days": days}).all()


def by_user(db: Connection, experiment: str) -> Sequence[Row[Any]]:
    """Return (user_id, arm, shown, opened, rated, liked, hidden) of an experiment; arm: a team where interleaved."""
    statement = text(f"""
        {_OUTCOMES.format(which="i.experiment = :experiment")}
        SELECT user_id, arm, {_COUNTS} FROM outcomes GROUP BY user_id, arm
    """)  # noqa: S608 - as above
    return db.execute(statement, {"experiment": experiment}).all()
