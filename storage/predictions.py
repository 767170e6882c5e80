"""Online evaluation: what a live generation predicted of ratings that it had not learned from."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from ranking.ratings import Floats, Ints
from storage.bulk_copy import copy_rows


class PredictionRow(NamedTuple):
    """A rating beside its prediction: a row of the table, in the order of its columns."""

    user_id: int
    version: int
    movie_id: int
    generation_id: int
    rating: float
    expected_rating: float
    rank: int


def add(db: Connection, comparisons: Iterable[PredictionRow], users: Ints, versions: npt.NDArray[np.int64]) -> None:
    """Store predictions, and note that the ratings of `users` [u] up to `versions` [u] have been compared.

    Rows of users who have been removed meanwhile are left out.
    """
    db.execute(text("CREATE TEMPORARY TABLE compared (LIKE foretold) ON COMMIT DROP"))
    copy_rows(db, f"compared ({', '.join(PredictionRow._fields)})", comparisons)
    db.execute(
        text("INSERT INTO foretold SELECT * FROM compared WHERE user_id IN (SELECT id FROM users FOR KEY SHARE)")
    )
    # last, and only users with new ratings: who rates a movie waits for this lock. In the order of ids, as an import
    # locks them: in different orders each would wait for the other.
    db.execute(
        text("""
            WITH seen AS (
                SELECT * FROM unnest(CAST(:users AS integer[]), CAST(:versions AS bigint[])) AS seen (id, version)
            ), behind AS (
                SELECT id, version FROM users JOIN seen USING (id)
                WHERE foretold_version < version ORDER BY id FOR NO KEY UPDATE OF users
            )
            UPDATE users SET foretold_version = version FROM behind WHERE users.id = behind.id
        """),
        {"users": users.tolist(), "versions": versions.tolist()},
    )


ONLINE_METRICS = """
    count(*) AS views, sqrt(avg((expected_rating - rating) ^ 2)) AS rmse, avg((rank <= 10)::int)::float AS hit_rate,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY rank) AS median_rank
"""


def metrics_of_generation(db: Connection, generation_id: int) -> dict[str, Any]:
    """Return how well a generation predicted so far: views, rmse, hit_rate, median_rank; None without any rating."""
    statement = text(f"SELECT {ONLINE_METRICS} FROM foretold WHERE generation_id = :id")  # noqa: S608 - no part of it comes from outside
    return {"generation": generation_id, **db.execute(statement, {"id": generation_id}).one()._mapping}


def metrics_of_user(db: Connection, user_id: int) -> dict[str, Any]:
    """Return how well this user's ratings were predicted: count, rmse and mae, None without any."""
    statement = text("""
        SELECT count(*) AS count, sqrt(avg((expected_rating - rating) ^ 2)) AS rmse,
            avg(abs(expected_rating - rating)) AS mae
        FROM foretold WHERE user_id = :user
    """)
    return dict(db.execute(statement, {"user": user_id}).one()._mapping)


def prune(db: Connection, keep: int) -> None:
    """Drop the predictions of all but the newest `keep` generations; their metrics stay in the records of the runs."""
    db.execute(
        text("""
            DELETE FROM foretold
            WHERE generation_id <= (SELECT id FROM generations ORDER BY id DESC OFFSET :keep LIMIT 1)
        """),
        {"keep": keep},
    )


def calibration_points(db: Connection) -> Floats:
    """Return (expected rating, rating) of the newest 100,000 predictions, float32 [n, 2]."""
    rows = db.execute(
        text("SELECT expected_rating, rating FROM foretold ORDER BY generation_id DESC, user_id, version LIMIT 100000")
    ).all()
    return np.array([tuple(row) for row in rows], np.float32).reshape(-1, 2)
