"""The revisions of the tables: which one a database has, which ones exist, and how to migrate."""

import alembic.command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from models import Base
from settings import ROOT
from storage.errors import DowngradeRefusedError, UnknownRevisionError

MIGRATION_LOCK = 0x4D617431  # an arbitrary number
HEAD, BASE = "head", "base"
VERSION_TABLE = "alembic_version"


def lock(db: Connection) -> None:
    """Keep other processes from changing the tables until this transaction ends."""
    db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})


def migrate_to(db: Connection, revision: str) -> None:
    """Bring the tables to a revision, one process at a time; `db` must be a transaction.

    BASE drops them all. Raises `UnknownRevisionError`, and `DowngradeRefusedError` for any other earlier one.
    """
    lock(db)
    there, config = current(db), _config()
    config.attributes["connection"] = db
    if revision == BASE:
        _refuse_unknown(there)
        alembic.command.downgrade(config, revision)
        return
    wanted = head() if revision == HEAD else revision
    _refuse_unknown(there, wanted)
    if there is not None and revisions().index(there) > revisions().index(wanted):
        raise DowngradeRefusedError(there, wanted)
    alembic.command.upgrade(config, wanted)


def _refuse_unknown(*asked: str | None) -> None:
    for revision in asked:
        if revision is not None and revision not in revisions():
            raise UnknownRevisionError(revision, head())


def drop(db: Connection) -> None:
    """Drop our tables, of any revision, in one step."""
    there = MetaData()
    there.reflect(db, only=lambda name, _: name == VERSION_TABLE or name in Base.metadata.tables)
    there.drop_all(db)


def current(db: Connection) -> str | None:
    """Return the revision of the tables; None if there are none."""
    return MigrationContext.configure(db).get_current_revision()


def revisions() -> list[str]:
    """Return all revisions, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def head() -> str:
    """Return the revision that this version works with."""
    return revisions()[-1]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    return config
