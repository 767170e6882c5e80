"""The catalogue of films."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, text

from scoring.ratings import Ints
from storage.copying import copy_in
from storage.errors import UnknownUserError

_POPULAR = text("""
    SELECT u.history_version, m.id AS movie_id, m.title, m.genres, m.year, m.expected_rating
    FROM users u
    LEFT JOIN LATERAL (
        SELECT * FROM movies
        WHERE NOT EXISTS (SELECT FROM views v WHERE v.user_id = u.id AND v.movie_id = movies.id)
        ORDER BY like_count DESC, id LIMIT :n
    ) m ON true
    WHERE u.id = :user
    ORDER BY m.like_count DESC, m.id
""")

_IN_ORDER = text("""
    SELECT m.id AS movie_id, m.title, m.genres, m.year
    FROM unnest(CAST(:ids AS integer[])) WITH ORDINALITY AS wanted (id, place) JOIN movies m USING (id)
    ORDER BY place
""")

COLUMNS = "id, title, genres, year, rating_count, rating_sum, like_count, expected_rating"


def any_there(db: Connection) -> bool:
    """Whether the catalogue has been filled."""
    return bool(db.execute(text("SELECT EXISTS (SELECT FROM movies)")).scalar_one())


def lock(db: Connection) -> None:
    """Let nobody else fill the catalogue until this transaction ends; reading goes on."""
    db.execute(text("LOCK TABLE movies IN EXCLUSIVE MODE"))


def ids(db: Connection) -> Ints:
    """All film ids, ascending, int32 [f]."""
    return np.array(db.execute(text("SELECT id FROM movies ORDER BY id")).scalars().all(), np.int32)


def fill(db: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Fill the catalogue by COPY; `rows` hold `COLUMNS`, None for a year that is not known."""
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    file.seek(0)
    copy_in(db, f"movies ({COLUMNS})", file)


def popular(db: Connection, user_id: int, n: int) -> Sequence[Row[Any]]:
    """The n films with the most likes that the user has not viewed. Raises `UnknownUserError`."""
    rows = db.execute(_POPULAR, {"user": user_id, "n": n}).all()
    if not rows:
        raise UnknownUserError(user_id)
    return [row for row in rows if row.movie_id is not None]


def in_order(db: Connection, movie_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """(movie_id, title, genres, year) of these films, in the order of the ids."""
    return db.execute(_IN_ORDER, {"ids": list(movie_ids)}).all()
