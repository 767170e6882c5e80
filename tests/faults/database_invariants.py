"""What has to hold in the database after any fault, read from its tables without the service's own code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from client_load import LIST_LENGTH, Client
from sqlalchemy import Connection, create_engine, make_url, text

from embedded.postgres import EmbeddedPostgres

_HALF_LISTS = text("""
    SELECT user_id, generation_id, history_version, movie_ids FROM recommendations
    WHERE cardinality(movie_ids) <> :listed
        OR (SELECT count(DISTINCT m.id) FROM movies m WHERE m.id = ANY (movie_ids)) <> :listed
""")
_SEEN_BEFORE = text("""
    SELECT r.user_id, v.movie_id, r.generation_id FROM recommendations r
    JOIN views v ON v.user_id = r.user_id AND v.movie_id = ANY (r.movie_ids) AND v.version <= r.history_version
""")
_NOT_SERVABLE = text("""
    SELECT l.generation_id FROM live_generation l JOIN generations g ON g.id = l.generation_id
    WHERE g.factors IS NULL OR g.verdict <> 'accepted'
""")
_LISTS = text("SELECT count(*) FROM recommendations")
_VIEWS = text("SELECT user_id, movie_id, rating FROM views WHERE user_id = ANY(:users)")


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection to a database on which each statement sees what is there at that moment, however long it takes."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as db:
            yield db
    finally:
        engine.dispose()


@contextmanager
def database_of(state_dir: Path) -> Iterator[Connection]:
    """A connection to the embedded database of a service that runs."""
    with EmbeddedPostgres(state_dir) as url, connected(url) as db:
        yield db


def check_lists(db: Connection) -> int:
    """Assert that every stored list is ten movies none of which was seen before, and that what is live can be served.

    Returns how many lists there are.
    """
    for what, values in ((_HALF_LISTS, {"listed": LIST_LENGTH}), (_SEEN_BEFORE, {}), (_NOT_SERVABLE, {})):
        wrong = db.execute(what, values).all()
        assert not wrong, wrong[:5]
    return int(db.execute(_LISTS).scalar_one())


def check_views(db: Connection, client: Client) -> int:
    """Assert that all that was confirmed to a client is there, once and as it was confirmed; returns how many views."""
    found = set(db.execute(text("SELECT id FROM users WHERE id = ANY(:users)"), {"users": client.users}).scalars())
    assert found == set(client.users)
    rows = db.execute(_VIEWS, {"users": client.users}).all()
    client.check(client.users, [((row.user_id, row.movie_id), row.rating) for row in rows])
    return len(client.confirmed)
