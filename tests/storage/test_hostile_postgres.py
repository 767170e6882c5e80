"""A PostgreSQL that is set up against us: the service works on it, or says in one line what to change."""

import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from command_line import Operator
from disposable_postgres import DisposablePostgres, disposable_postgres
from handmade_model import IDS, fill_catalogue, new_user, view
from psycopg2.errors import QueryCanceled
from sqlalchemy import make_url, text
from sqlalchemy.exc import ProgrammingError

from embedded import postgres_cluster
from embedded.postgres import EmbeddedPostgres
from jobs.backup import backup, check
from jobs.job_run import retry
from storage.bulk_copy import copy_in
from storage.database import TRAINING_LOCK, Database
from storage.driver_errors import translate_error
from storage.errors import DatabaseRefusedError, DatabaseUnavailableError
from system.postgres_url import without_secrets

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
SETTINGS = {  # what somebody sets for the database or the role: what our sessions have all the same
    "idle_session_timeout": ("200", "0"),
    "idle_in_transaction_session_timeout": ("100", "0"),
    "statement_timeout": ("1", "1500ms"),
    "lock_timeout": ("1", "0"),
    "default_transaction_isolation": ("'serializable'", "read committed"),
    "default_transaction_read_only": ("on", "off"),
    "default_transaction_deferrable": ("on", "off"),
    "search_path": ("''", "public"),
    "client_encoding": ("'LATIN1'", "UTF8"),
    "TimeZone": ("'Asia/Kathmandu'", "UTC"),
    "DateStyle": ("'German, DMY'", "ISO, MDY"),
    "IntervalStyle": ("'sql_standard'", "postgres"),
    "standard_conforming_strings": ("off", "on"),
    "bytea_output": ("'escape'", "hex"),
    "extra_float_digits": ("-10", "1"),
    "synchronous_commit": ("off", "on"),
}
UNUSABLE = ("sslmode=sometimes", "sslmode=require", "target_session_attrs=standby", "service=nowhere", "gssencmode=x",
            "options=-cno_such_setting%3D1")  # fmt: skip


@pytest.fixture(scope="module")
def server(scratch: Path) -> Iterator[DisposablePostgres]:
    with disposable_postgres(scratch / "hostile") as hurt:
        yield hurt


@pytest.fixture
def url(server: DisposablePostgres, request: pytest.FixtureRequest) -> str:
    """The URL of a new database."""
    name = f"test_{abs(hash(request.node.name)):x}"
    server.ask_alone(f"CREATE DATABASE {name}")
    return make_url(server.url).set(database=name).render_as_string(hide_password=False)


def database_of(url: str) -> str:
    return str(make_url(url).database)


@pytest.mark.parametrize("whose", ["DATABASE {}", "ROLE matinee IN DATABASE {}"])
def test_settings_of_database_and_role_change_nothing(whose: str, server: DisposablePostgres, url: str) -> None:
    for name, (value, _) in SETTINGS.items():
        server.ask(f"ALTER {whose.format(database_of(url))} SET {name} = {value}")
    database = Database(url, threads=2)
    database.migrate()
    fill_catalogue(database)
    user = new_user(database, {IDS[0]: 4.5})
    for begin in (database.statement, database.transaction, database.background_transaction, database.snapshot):
        with begin() as db:
            found = {name: str(db.execute(text(f"SHOW {name}")).scalar_one()) for name in SETTINGS}
        wanted = {name: value for name, (_, value) in SETTINGS.items()}
        if begin in (database.background_transaction, database.snapshot):
            wanted["statement_timeout"] = "0"
        assert found == wanted
    writers = ThreadPoolExecutor(4)
    list(writers.map(lambda movie: view(database, user, movie, 3.0), IDS[:20]))
    with database.try_lock(TRAINING_LOCK) as mine:
        time.sleep(0.5)
        with database.try_lock(TRAINING_LOCK) as another:
            assert (mine, another) == (True, False)
    database.close()


def test_tables_are_found_wherever_the_search_path_leads(server: DisposablePostgres, url: str) -> None:
    first = Database(url, threads=1)
    first.migrate()
    fill_catalogue(first)
    user = new_user(first)
    first.close()
    for path in ("nowhere", "elsewhere, public", "pg_catalog"):
        with server.connect(database_of(url)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS elsewhere")
            cursor.execute(f"ALTER DATABASE {database_of(url)} SET search_path = {path}")
        later = Database(url, threads=1)
        later.migrate()
        view(later, user, IDS[0], 3.0)
        later.close()
    apart = Database(f"{url}?options=-csearch_path%3Delsewhere", threads=1)  # but this was asked for
    with pytest.raises(ProgrammingError, match="does not exist"):
        new_user(apart)
    apart.close()
    lost = Database(f"{url}?options=-csearch_path%3Dmissing", threads=1)
    with pytest.raises(DatabaseRefusedError, match="Make the schema that search_path in DATABASE_URL names"):
        lost.migrate()
    lost.close()


def test_a_text_of_any_alphabet_comes_back(
    server: DisposablePostgres, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    database = Database(url, threads=1)
    with database.statement() as db:
        assert db.execute(text("SELECT 'Amélie 千と千尋'")).scalar_one() == "Amélie 千と千尋"
    database.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_utf_8_is_refused(encoding: str, server: DisposablePostgres) -> None:
    server.ask_alone(f"CREATE DATABASE in_{encoding} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    wrong = make_url(server.url).set(database=f"in_{encoding.lower()}").render_as_string(hide_password=False)
    told = Operator({"DATABASE_URL": wrong}).refused("generations")
    assert f"The encoding of the database is {encoding}: name one in DATABASE_URL" in told


@pytest.mark.parametrize("parameter", UNUSABLE)
def test_a_parameter_that_cannot_work_is_refused_at_once(
    parameter: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGAPPNAME", "x")
    database = Database(f"{url}?{parameter}", threads=1)
    with pytest.raises(DatabaseRefusedError, match=r"Correct DATABASE_URL.*The environment sets .*PGAPPNAME") as told:
        retry(database.migrate, 60)
    assert "\n" not in str(told.value)
    assert str(make_url(url).password) not in str(told.value)
    database.close()


def test_usual_forms_of_the_url_work(server: DisposablePostgres, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server.ask("CREATE ROLE \"us:er/ü\" LOGIN SUPERUSER PASSWORD 'a/b:c?d#e f%41'")
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")  # nobody lives there
    where = f"127.0.0.1:{make_url(url).port}/{database_of(url)}"
    for form in (
        f"postgres://us%3Aer%2F%C3%BC:a/b:c?d#e%20f%2541@{where}",
        f"postgresql+psycopg2://us%3Aer%2F%C3%BC:a%2Fb%3Ac%3Fd%23e%20f%2541@{where}?sslmode=disable&connect_timeout=9",
        f"postgresql://us%3Aer%2F%C3%BC:a%2Fb%3Ac%3Fd%23e%20f%2541@127.0.0.1:1,{where}",
    ):
        database = Database(form, threads=1)
        database.ping()
        database.close()
        assert without_secrets(form).startswith("postgresql://us%3Aer%2F%C3%BC@127.0.0.1:")
        assert without_secrets(form).endswith(where)


def test_a_url_of_a_unix_socket_works(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # the path of a socket has at most 107 bytes
        Path(folder).chmod(0o777)
        flags = (*postgres_cluster.FLAGS, f"unix_socket_directories={folder}")
        monkeypatch.setattr(postgres_cluster, "FLAGS", flags)
        with EmbeddedPostgres(scratch / "socket") as url:
            where = make_url(url)
            user = f"postgresql://{where.username}:{where.password}"
            for form in (
                f"{user}@{folder.replace('/', '%2F')}:{where.port}/{where.database}",
                f"{user}@/{where.database}?host={folder}&port={where.port}",
            ):
                database = Database(form, threads=1)
                database.migrate()
                file = scratch / "by socket.matinee"
                assert backup(database, file) == check(file)
                with database.statement() as db:
                    assert db.execute(text("SELECT inet_server_addr()")).scalar_one() is None  # no TCP connection
                database.close()
            nowhere = Database(f"{user}@/{where.database}?host={folder}/nowhere", threads=1)
            with pytest.raises(DatabaseUnavailableError, match=f"{folder}/nowhere"):
                nowhere.ping()
            nowhere.close()


def test_without_a_connection_left_it_is_said_what_to_raise(server: DisposablePostgres, url: str) -> None:
    server.ask("CREATE ROLE few LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    few = make_url(url).set(username="few", password="x").render_as_string(hide_password=False)
    database = Database(few, threads=1)
    with pytest.raises(DatabaseUnavailableError, match=r"too many connections for role.*Raise max_connections"):
        database.ping()
    database.close()


def test_a_text_that_cannot_be_sent_is_no_outage(url: str) -> None:
    database = Database(url, threads=1)
    with pytest.raises(QueryCanceled, match=r"error in .read") as told, database.background_transaction() as db:
        copy_in(db, "pg_description", StringIO("half a character: \ud800"))
    assert translate_error(told.value) is None
    database.close()


def test_variables_of_libpq_do_not_reach_the_embedded_server(
    server: DisposablePostgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"PGSERVICE": "nowhere", "PGHOSTADDR": "192.0.2.1", "PGSSLMODE": "verify-full", "PGPORT": "1",
             "PGTARGETSESSIONATTRS": "standby", "PGCHANNELBINDING": "require", "PGOPTIONS": "-cno_such_setting=1",
             "PGREQUIREAUTH": "none", "PGGSSENCMODE": "require", "PGCONNECT_TIMEOUT": "x"}  # fmt: skip
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING), EmbeddedPostgres(server.server._folder.parent) as url:
        database = Database(url, threads=1)
        database.ping()
        database.close()
    assert caplog.messages == []
