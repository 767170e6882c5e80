"""Whether a PostgreSQL can hold what the service stores."""

from typing import Any

from sqlalchemy import Connection, Row, text

from storage.driver_errors import READ_ONLY_ADVICE
from storage.errors import DatabaseRefusedError

OLDEST_SERVER_VERSION = 130000  # server_version_num: what the statements of storage/ need


def server_properties(db: Connection) -> Row[Any]:
    """Return what matters of a database: (version, version_num, connections, may_create, writable)."""
    return db.execute(
        text("""
            SELECT current_setting('server_version') AS version,
                current_setting('server_version_num')::integer AS version_num,
                current_setting('max_connections')::integer AS connections,
                coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
                NOT pg_is_in_recovery()
                    AND NOT current_setting('default_transaction_read_only')::boolean AS writable
        """)
    ).one()


def refuse_read_only(db: Connection) -> None:
    """Raise `DatabaseRefusedError` for a standby, and for a database whose transactions are read-only."""
    if not server_properties(db).writable:
        raise DatabaseRefusedError(f"The database is a standby, or read-only. {READ_ONLY_ADVICE}")


def identity(db: Connection) -> str:
    """Return text that differs between databases; a restored backup is another database than the one it is of."""
    # the server's id, and the table's, which is counted up within a server: a restore creates the table again
    return str(
        db.execute(
            text("SELECT system_identifier || '.' || 'users'::regclass::oid FROM pg_control_system()")
        ).scalar_one()
    )
