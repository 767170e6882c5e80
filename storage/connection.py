"""Connections to PostgreSQL with fixed session settings, whatever the server, the database and the role are set to."""

import os

import psycopg2
from psycopg2 import extensions

from storage.errors import DatabaseRefusedError
from system.postgres_url import parse_postgres_url

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 1.5  # PostgreSQL ends a statement after this, before the watchdog cuts its connection
# a network that drops every packet is noticed in about ten seconds, where TCP by itself takes hours
TCP_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, "tcp_user_timeout": 5000}
# Session settings that override ALTER SYSTEM, ALTER DATABASE and ALTER ROLE. As startup options they also survive the
# RESET with which psycopg2 ends an isolation level.
SESSION_SETTINGS = {
    "statement_timeout": f"{STATEMENT_SECONDS * 1000:.0f}ms",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": "read committed",  # serializable fails writes that have to be repeated
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
# An old PostgreSQL refuses these as startup options. The first one would end the session that holds the training lock.
NEWER_SETTINGS = {"idle_session_timeout": "0", "transaction_timeout": "0"}
# Sets the newer settings, and all of them where a pooler drops the startup options.
_SET = """
    SELECT current_setting('server_encoding'), (
        SELECT count(set_config(name, value, false))
        FROM unnest(%(names)s::text[], %(values)s::text[]) AS wanted (name, value)
        WHERE current_setting(name, true) <> value
    ), CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END
"""
# The schema that has our tables; else the first one of the role's search_path; else public.
_SET_SEARCH_PATH = """
    SELECT set_config('search_path', quote_ident(coalesce((
        SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relname = 'live_generation' AND relkind = 'r' AND (
            nspname = ANY(current_schemas(false)) OR relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user))
        ORDER BY array_position(current_schemas(false), nspname), nspname <> 'public', nspname LIMIT 1
    ), current_schema(), 'public')), false)
"""


class ConnectionFactory:
    """Opens connections to the PostgreSQL of one URL."""

    def __init__(self, url: str) -> None:
        self._parameters: dict[str, object] = dict(parse_postgres_url(url))
        self._options = str(self._parameters.get("options") or os.environ.get("PGOPTIONS", ""))
        if "host" in self._parameters:
            self._parameters.setdefault("hostaddr", "")  # else PGHOSTADDR of the environment would win over the URL
        self._parameters |= TCP_KEEPALIVE | {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "matinee",
            "client_encoding": "utf8",
            "options": f"{_start_options()} {self._options} {_start_options('statement_timeout')}",
        }

    def connect(self) -> extensions.connection:
        """Return a new connection with these settings.

        Raises:
            DatabaseRefusedError: the database cannot hold every title.
            psycopg2.Error: there is no connection.
        """
        connection = psycopg2.connect(**self._parameters)
        try:
            connection.autocommit = True  # what a transaction sets is lost when it is rolled back
            self._prepare(connection)
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: extensions.connection) -> None:
        with connection.cursor() as cursor:
            wanted = {**SESSION_SETTINGS, **NEWER_SETTINGS}
            names = [name for name in wanted if name not in self._options]
            cursor.execute(_SET, {"names": names, "values": [wanted[name] for name in names]})
            (encoding, *_) = cursor.fetchone() or ("",)
            if encoding != "UTF8":
                raise DatabaseRefusedError(
                    f"The encoding of the database is {encoding}: name one in DATABASE_URL that was made with "
                    "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0."
                )
            if "search_path" not in self._options:
                cursor.execute(_SET_SEARCH_PATH)


def _start_options(*names: str) -> str:
    """Return these settings, or all, as startup options, in which a backslash escapes a space."""
    values = {name: SESSION_SETTINGS[name].replace(" ", r"\ ") for name in names or SESSION_SETTINGS}
    return " ".join(f"-c {name}={value}" for name, value in values.items())
