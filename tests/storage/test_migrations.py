"""The migrations: there and back, the same as the models, and safe when two processes start at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from models import Base
from storage.database import Database

# every constraint as PostgreSQL reads it; alembic does not compare those of CHECK
CONSTRAINTS = text("""
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('alembic_version'), 0)
    ORDER BY 1, 2
""")


def tables(database: Database) -> set[str]:
    with database.statement() as db:
        return set(inspect(db).get_table_names()) - {"alembic_version"}


def test_up_down_and_up_again(empty: Database) -> None:
    for _ in range(2):
        empty.migrate()
        assert tables(empty) == set(Base.metadata.tables)
        empty.migrate()  # a second time there is nothing to do
        empty.migrate("base")
        assert tables(empty) == set()


def test_down_takes_tables_that_are_in_use(empty: Database) -> None:
    empty.migrate()
    with empty.statement() as db:
        db.execute(text("INSERT INTO users DEFAULT VALUES"))
    empty.migrate("base")
    assert tables(empty) == set()


def test_the_migrations_make_what_the_models_say(empty: Database) -> None:
    empty.migrate()
    with empty.statement() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_make_the_constraints_of_the_models(empty: Database) -> None:
    empty.migrate()
    with empty.statement() as db:
        migrated = db.execute(CONSTRAINTS).all()
    empty.migrate("base")
    engine = create_engine(empty.url)
    Base.metadata.create_all(engine)
    with engine.connect() as db:
        assert db.execute(CONSTRAINTS).all() == migrated
    engine.dispose()


def test_processes_that_start_at_once_migrate_once(empty_url: str) -> None:
    databases = [Database(empty_url, threads=1) for _ in range(4)]
    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(Database.migrate, databases))
    for database in databases:
        assert tables(database) == set(Base.metadata.tables)
        database.close()


def test_a_migration_that_fails_leaves_nothing(empty: Database) -> None:
    with empty.statement() as db:
        db.execute(text("CREATE TABLE views (mine int)"))  # in the way of the fifth table
    with pytest.raises(Exception, match="already exists"):
        empty.migrate()
    assert tables(empty) == {"views"}


FILLED = (
    "INSERT INTO users DEFAULT VALUES",
    "INSERT INTO generations (verdict, reason, fingerprint, details) VALUES ('accepted', '', '', '{}')",
    "INSERT INTO movies (id, title, genres, rating_count, rating_sum, like_count, expected_rating) "
    "SELECT id, 'Movie', '', 0, 0, 0, 3 FROM unnest(ARRAY[5, 6]) AS movies (id)",
)


def test_lists_keep_their_movies_and_their_order_when_they_become_one_row(empty: Database) -> None:
    empty.migrate("0003")
    with empty.statement() as db:
        for statement in FILLED:
            db.execute(text(statement))
        db.execute(text("INSERT INTO recommendations VALUES (1, 1, 0, 2, 5, 4), (1, 1, 0, 1, 6, 4.5)"))
    empty.migrate()
    with empty.statement() as db:
        kept = db.execute(text("SELECT * FROM recommendations")).all()
    assert [tuple(row) for row in kept] == [(1, 1, 0, [6, 5], [4.5, 4.0], 0)]


def test_lists_stay_where_they_are_when_the_key_of_their_generation_goes(empty: Database) -> None:
    where = text("SELECT pg_relation_filenode('recommendations')")
    empty.migrate("0004")
    with empty.statement() as db:
        for statement in FILLED:
            db.execute(text(statement))
        db.execute(text("INSERT INTO recommendations VALUES (1, 1, 0, ARRAY[6, 5], ARRAY[4.5, 4])"))
        before = db.execute(where).scalar_one()
    empty.migrate()
    with empty.statement() as db:
        assert db.execute(where).scalar_one() == before
        assert db.execute(text("SELECT movie_ids FROM recommendations")).scalars().all() == [[6, 5]]


def test_lists_of_no_generation_are_not_in_the_way_down(empty: Database) -> None:
    empty.migrate()
    with empty.statement() as db:
        for statement in FILLED:
            db.execute(text(statement))
        db.execute(text("INSERT INTO recommendations VALUES (1, 9, 0, ARRAY[6, 5], ARRAY[4.5, 4])"))
    empty.migrate("base")
    assert tables(empty) == set()


def test_times_that_python_cannot_read_are_moved_and_refused_from_then_on(empty: Database) -> None:
    empty.migrate("0005")
    with empty.statement() as db:
        db.execute(text("INSERT INTO users (created_at) VALUES ('infinity'), ('0044-03-15 BC'), ('2026-01-31Z')"))
    empty.migrate()
    with empty.statement() as db:
        assert [at.year for at in db.execute(text("SELECT created_at FROM users ORDER BY id")).scalars()] == [
            9999,
            1,
            2026,
        ]
    with pytest.raises(IntegrityError, match="ck_users_created_at"), empty.statement() as db:
        db.execute(text("UPDATE users SET created_at = 'infinity'"))
