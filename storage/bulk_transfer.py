"""Users and their ratings in bulk: import in batches, export by COPY."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import IO, Any, Literal, NamedTuple

from sqlalchemy import Connection, text

from storage.bulk_copy import copy_out, copy_rows
from storage.errors import UserIdTakenError

Kind = Literal["jsonl", "csv"]

# An imported user is found again by an idempotency key. A client's key has no space in it, so these never meet one.
KEPT_ID_PREFIX, IMPORTED_ID_PREFIX = "keep", "import"
CSV_HEADER = b"userId,movieId,rating,timestamp\n"

# Users that exist are left out before the insert, since each conflict would use up an id of the sequence.
_CREATE = """
    INSERT INTO users ({columns}) OVERRIDING {whose} VALUE
    SELECT {values} FROM unnest(CAST(:keys AS text[]), CAST(:made AS timestamptz[])) WITH ORDINALITY
        AS sent (key, made, place)
    WHERE NOT EXISTS (SELECT FROM users WHERE idempotency_key = key)
    ORDER BY place ON CONFLICT DO NOTHING
"""
_CREATE_IMPORTED = text(
    _CREATE.format(columns="idempotency_key, created_at", whose="USER", values="key, coalesce(made, now())")
)
_CREATE_KEPT = text(
    _CREATE.format(
        columns="id, idempotency_key, created_at",
        whose="SYSTEM",
        values=f"CAST(substr(key, {len(KEPT_ID_PREFIX) + 2}) AS integer), key, coalesce(made, now())",
    )
)
_SET_CREATED_AT = text("""
    UPDATE users SET created_at = made
    FROM unnest(CAST(:keys AS text[]), CAST(:made AS timestamptz[])) AS sent (key, made)
    WHERE idempotency_key = key AND created_at <> made
""")
_LOCK = text("SELECT idempotency_key, id FROM users WHERE idempotency_key = ANY(:keys) ORDER BY id FOR NO KEY UPDATE")
_MOVE_SEQUENCE = text("""
    SELECT setval(pg_get_serial_sequence('users', 'id'), :last)
    WHERE :last > (SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('users', 'id')::regclass), 0))
""")

# Store `changes`: ratings of distinct movies by user, in the order of `place`; `known` says whether a rating existed.
WRITE_CHANGES = """
    written AS (
        INSERT INTO views (user_id, movie_id, rating, rated_at, again, version)
        SELECT user_id, movie_id, rating, rated_at, known OR again, history_version + place
        FROM changes JOIN users ON id = user_id
        ON CONFLICT (user_id, movie_id) DO UPDATE
            SET rating = excluded.rating, rated_at = excluded.rated_at, again = true, version = excluded.version
    ),
    changed AS (
        UPDATE users SET history_version = history_version + more
        FROM (SELECT user_id, count(*) AS more FROM changes GROUP BY user_id) AS counted WHERE id = user_id
    ),
    unmarked AS (
        DELETE FROM marks USING changes
        WHERE marks.user_id = changes.user_id AND marks.movie_id = changes.movie_id AND mark <> 'hidden'
    )
    SELECT count(*) FILTER (WHERE NOT known) AS created, count(*) FILTER (WHERE known) AS replaced FROM changes
"""
# Of two ratings of a movie the later one stays; if their times are equal, the stored one, or else the later line.
# The stored ratings are looked up row by row (LATERAL): a plain join reads the whole table for every batch.
_MERGE = text(f"""
    WITH newest AS (
        SELECT DISTINCT ON (user_id, movie_id) *, count(*) OVER (PARTITION BY user_id, movie_id) > 1 AS again
        FROM arrived ORDER BY user_id, movie_id, rated_at DESC, line DESC
    ),
    changes AS (
        SELECT newest.*, there.rated_at IS NOT NULL AS known,
            row_number() OVER (PARTITION BY user_id ORDER BY newest.rated_at, line) AS place
        FROM newest LEFT JOIN LATERAL (
            SELECT rated_at FROM views
            WHERE views.user_id = newest.user_id AND views.movie_id = newest.movie_id LIMIT 1
        ) there ON true
        WHERE there.rated_at IS NULL OR newest.rated_at > there.rated_at
    ),
    {WRITE_CHANGES}
""")  # noqa: S608 - no part of it comes from outside

_MOMENT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_USERS_JSON = f"""
    SELECT format('{{"user_id": %s, "created_at": "%s"}}', id, {_MOMENT.format("created_at")}) FROM users ORDER BY id
"""  # noqa: S608 - no part of it comes from outside
_RATINGS = "FROM views ORDER BY user_id, rated_at, version, movie_id"
_RATINGS_JSON = f"""
    SELECT format('{{"user_id": %s, "movie_id": %s, "rating": %s, "rated_at": "%s"}}',
        user_id, movie_id, to_char(rating, 'FM0.0'), {_MOMENT.format("rated_at")}) {_RATINGS}
"""
_RATINGS_CSV = f"""
    SELECT user_id, movie_id, to_char(rating, 'FM0.0'), floor(extract(epoch FROM rated_at))::bigint {_RATINGS}
"""  # noqa: S608 - as above


class TimedRating(NamedTuple):
    """A rating with its time; `user` is the user's id in the system it comes from."""

    user: str
    movie_id: int
    rating: float
    at: datetime


class MergeCounts(NamedTuple):
    """How many users were created, and how many ratings are new, replaced an older one, or changed nothing."""

    users: int
    created: int
    replaced: int
    unchanged: int


def has_other_users(db: Connection) -> bool:
    """Return whether there is a user who was not imported with `keep_ids`."""
    statement = text(
        "SELECT EXISTS (SELECT FROM users WHERE idempotency_key IS NULL OR idempotency_key NOT LIKE :kept)"
    )
    return db.scalar(statement, {"kept": f"{KEPT_ID_PREFIX} %"})


def merge(
    db: Connection, joined: Mapping[str, datetime | None], ratings: Sequence[TimedRating], source: str | None
) -> MergeCounts:
    """Create users that do not exist and store ratings that are newer than the stored ones. Repeating it does no harm.

    `db` must be a transaction.

    Args:
        joined: when each user joined, None if that is not known; at least all users of `ratings`.
        source: the system that the user ids come from; None if they are to be the ids here.

    Raises `UserIdTakenError` if another user has such an id.
    """
    prefix = KEPT_ID_PREFIX if source is None else f"{IMPORTED_ID_PREFIX} {source}"
    keys = {user: f"{prefix} {user}" for user in joined}
    created_users = _create(db, list(keys.values()), list(joined.values()), source is None)
    # locked in the order of ids: two transactions that lock many users in different orders would deadlock
    found = db.execute(_LOCK, {"keys": list(keys.values())}).all()
    ids = {row.idempotency_key: row.id for row in found}
    if len(ids) < len(keys):
        raise UserIdTakenError(*(user for user, key in keys.items() if key not in ids))
    _copy_to_temporary(db, ((ids[keys[rated.user]], *rated[1:3], rated.at.isoformat()) for rated in ratings))
    created, replaced = db.execute(_MERGE).one()
    return MergeCounts(created_users, created, replaced, len(ratings) - created - replaced)


def _create(db: Connection, keys: list[str], made: list[datetime | None], keep_ids: bool) -> int:
    values = {"keys": keys, "made": made}
    if keep_ids:  # the sequence is moved first, so that no user created meanwhile gets one of these ids
        db.execute(_MOVE_SEQUENCE, {"last": max(int(key.removeprefix(KEPT_ID_PREFIX)) for key in keys)})
    count: int = db.execute(_CREATE_KEPT if keep_ids else _CREATE_IMPORTED, values).rowcount
    db.execute(_SET_CREATED_AT, values)
    return count


def _copy_to_temporary(db: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Copy rows of (user_id, movie_id, rating, rated_at), numbered, to a temporary table of this transaction."""
    db.execute(
        text("""
            CREATE TEMPORARY TABLE arrived (
                user_id integer, movie_id integer, rating real, rated_at timestamptz, line integer
            ) ON COMMIT DROP
        """)
    )
    copy_rows(db, "arrived", ((*row, line) for line, row in enumerate(rows)))
    db.execute(text("ANALYZE arrived"))


def count(db: Connection, kind: Kind) -> int:
    """Return the number of lines that `write` writes."""
    users = "(SELECT count(*) FROM users)" if kind == "jsonl" else "0"
    return db.scalar(text(f"SELECT {users} + (SELECT count(*) FROM views)"))  # noqa: S608


def write(db: Connection, kind: Kind, file: IO[bytes]) -> None:
    """Write every user and every rating, by user and time; `db` must be a `Database.snapshot`."""
    if kind == "csv":
        file.write(CSV_HEADER)
        copy_out(db, _RATINGS_CSV, file)
    else:
        for query in (_USERS_JSON, _RATINGS_JSON):
            copy_out(db, query, file, "FORMAT text")  # no line has anything that this would escape
