"""Statements that are planned once for each connection, and what happens when a connection is lost."""

import time
from contextlib import ExitStack, suppress

import pytest
from psycopg2.errors import UniqueViolation
from sqlalchemy import text

from storage.connection_pool import LOOK_SECONDS, SPARE_CONNECTIONS
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.prepared_statement import PreparedStatement

ADD = PreparedStatement("PREPARE add (integer, integer) AS SELECT $1 + $2")
PID = PreparedStatement("PREPARE pid (integer) AS SELECT pg_backend_pid(), $1")
END = PreparedStatement("PREPARE end_me (integer) AS SELECT pg_terminate_backend(pg_backend_pid()), $1")
ADD_USER = PreparedStatement("PREPARE add_user (text) AS INSERT INTO users (idempotency_key) VALUES ($1)")
MAKE_TWO = PreparedStatement("""
    PREPARE make_two (text) AS
    INSERT INTO users (idempotency_key) VALUES ($1), ($1)
""")
NAMES = text("SELECT name FROM pg_prepared_statements WHERE name = 'add'")


def test_a_statement_is_planned_once_for_a_connection(database: Database) -> None:
    with database.statement() as db:
        assert [ADD.rows(db, n, 1) for n in range(3)] == [[(1,)], [(2,)], [(3,)]]
        assert db.execute(NAMES).scalars().all() == ["add"]


def test_a_statement_that_fails_leaves_a_connection_of_use(database: Database) -> None:
    with database.statement() as db:
        with pytest.raises(UniqueViolation):
            MAKE_TWO.rows(db, "a key")
        assert ADD.rows(db, 1, 1) == [(2,)]


def test_after_a_connection_is_lost_the_next_is_prepared_anew(database: Database) -> None:
    with database.statement() as db:
        assert ADD.rows(db, 1, 1) == [(2,)]
    with pytest.raises(DatabaseUnavailableError), database.statement() as db:
        END.rows(db, 1)
    with database.statement() as db:
        assert ADD.rows(db, 20, 22) == [(42,)]


def test_connections_that_are_lost_together_fail_one_use(database_url: str) -> None:
    database, other = Database(database_url, threads=4), Database(database_url, threads=1)
    ended = text("SELECT pg_terminate_backend(pid) FROM unnest(CAST(:pids AS int[])) pid")
    with other.snapshot() as db:
        for wait in (0, LOOK_SECONDS):  # the second time each is looked at, and not again for a tenth of a second
            time.sleep(wait)
            with ExitStack() as stack:
                pids = [PID.rows(stack.enter_context(database.statement()), 0)[0][0] for _ in range(4)]
        db.execute(ended, {"pids": pids})
        time.sleep(0.02)
    failed = 0
    for _ in range(8):
        try:
            with database.statement() as db:
                ADD.rows(db, 1, 1)
        except DatabaseUnavailableError:
            failed += 1
    assert failed <= 1
    database.close()
    other.close()


def test_connections_at_hand_are_not_those_of_the_jobs(database_url: str) -> None:
    database = Database(database_url, threads=2)
    with ExitStack() as stack:
        for _ in range(database.pool.size()):
            ADD.rows(stack.enter_context(database.statement()), 1, 1)
    assert database.pool.checkedout() == 0
    with ExitStack() as stack:
        for _ in range(SPARE_CONNECTIONS):
            stack.enter_context(database.snapshot())
        assert (database.pool.checkedout(), database.pool.waits) == (SPARE_CONNECTIONS, 0)
    database.close()


def test_a_statement_commits_by_itself_after_a_transaction_on_its_connection(database: Database) -> None:
    with suppress(ZeroDivisionError), database.transaction() as db:
        ADD_USER.rows(db, "rolled back")
        raise ZeroDivisionError
    with database.statement() as db:
        ADD_USER.rows(db, "committed")
    with suppress(ZeroDivisionError), database.transaction() as db:  # on the connection at hand
        ADD_USER.rows(db, "rolled back, too")
        raise ZeroDivisionError
    with database.snapshot() as db:
        assert db.execute(text("SELECT idempotency_key FROM users")).scalars().all() == ["committed"]
