"""Backups: everything as of one moment in one file, and back into an empty database, whole or not at all."""

import hashlib
import secrets
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import ask
from disposable_postgres import fill_up, small_disk
from handmade_model import EVEN, IDS, fill_catalogue, new_user, show_and_open, store_list, two_tastes, view
from sqlalchemy import inspect, make_url, text

from embedded.postgres_files import PostgresError
from health import Health
from jobs.backup import DIGEST_LENGTH, backup, check, restore
from ranking.experiment import Experiment
from recommender import Recommender
from storage import backup as stored
from storage import experiments, generations, predictions, runs, schema, tokens, user_ratings, users
from storage.database import Database
from storage.errors import BackupError, NotEmptyError, UnknownRevisionError
from storage.predictions import PredictionRow
from system.disk import FullDiskError


@pytest.fixture
def filled(live: Recommender) -> Database:
    """One with something in every table, and with an id that was given to somebody who is gone."""
    database = live.database
    fan = new_user(database, {EVEN[0]: 5.0, EVEN[1]: 4.5})
    view(database, fan, EVEN[0], 1.0)
    new_user(database)
    store_list(live, fan)
    show_and_open(database, fan)
    with database.transaction() as db:
        users.create_with_key(db, 'a "key", with\nwhat CSV must quote')
        predictions.add(db, [PredictionRow(fan, 1, EVEN[0], 1, 5.0, 4.2, 3)], *versions_of(fan, 1))
        runs.end(db, runs.begin(db, "train"), "failed", {"seconds": {}}, "it was cut off")
        users.delete(db, users.create(db))
        user_ratings.put_mark(db, fan, IDS[5], "hidden")
        tokens.create(db, fan, "list", "Radarr")
        experiments.start(db, Experiment("ab", ("today", "G1"), 20, False, "salt"))
    assert live.model.live
    return database


@pytest.fixture
def shared(filled: Database) -> Iterator[Database]:
    """The same, in a database in which somebody else has a table too."""
    ask(filled, "CREATE TABLE notes AS SELECT 1 AS mine")
    yield filled
    ask(filled, "DROP TABLE notes")


def versions_of(user: int, version: int) -> tuple[Any, Any]:
    return np.array([user], np.int32), np.array([version], np.int64)


def contents(database: Database) -> dict[str, list[Any]]:
    """Every row of every table, as PostgreSQL writes them, in an order of their own."""
    with database.snapshot() as db:
        return {
            name: sorted(db.execute(text(f"SELECT CAST(t AS text) FROM {qualified} t")).scalars())  # noqa: S608 - its own name
            for name, qualified in stored.tables(db).items()
        }


def with_checksum(file: Path, content: bytes) -> Path:
    """A new file with content that some program has summed up as we do."""
    copy = file.with_name(f"changed-{secrets.token_hex(4)}")
    copy.write_bytes(content + hashlib.sha256(content).hexdigest().encode())
    return copy


def test_every_table_comes_back_equal_and_no_id_is_given_again(
    filled: Database, empty: Database, tmp_path: Path
) -> None:
    with filled.transaction() as db:
        runs.announce(db, None)
    before = contents(filled)
    assert all(before.values()), "a table without a row proves nothing"
    backup(filled, tmp_path / "kept")
    assert contents(filled) == before
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o600, "only its owner may read it"
    restore(empty, tmp_path / "kept")
    assert contents(empty) == before
    with filled.statement() as here, empty.statement() as there:
        assert users.create(there) == users.create(here)


def test_the_service_serves_the_same_lists_from_what_was_restored(
    filled: Database, empty: Database, ready: Health, serve: Callable[..., httpx.Client], tmp_path: Path
) -> None:
    backup(filled, tmp_path / "kept")
    restore(empty, tmp_path / "kept")
    for database in (filled, empty):
        new_user(database, {EVEN[2]: 5.0})
    answers = []
    for database in (filled, empty):
        recommender = Recommender(database)
        recommender.model.refresh()
        client = serve(recommender, ready)
        paths = [f"/users/{n}/{what}" for n in (1, 2, 3, 5) for what in ("recommendations", "views")]
        answers.append([client.get(path).json() for path in paths])
    assert answers[0] == answers[1]
    assert answers[0][0]


def test_a_key_of_a_request_makes_the_same_user_after_a_restore(
    filled: Database, empty: Database, tmp_path: Path
) -> None:
    with filled.transaction() as db:
        made = users.create_with_key(db, "order-17").user_id
    backup(filled, tmp_path / "kept")
    restore(empty, tmp_path / "kept")
    with empty.transaction() as db:
        assert users.create_with_key(db, "order-17").user_id == made


def test_a_backup_is_of_one_moment(filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = stored.export_snapshot

    def late(db: Any) -> str:
        snapshot = export(db)
        new_user(filled, {IDS[7]: 3.0})  # a user comes and rates before pg_dump begins
        return snapshot

    before = contents(filled)
    monkeypatch.setattr(stored, "export_snapshot", late)
    backup(filled, tmp_path / "kept")
    assert check(tmp_path / "kept").rows == {name: len(found) for name, found in before.items()}
    after = contents(filled)
    with filled.background_transaction() as db:
        db.execute(text(f"TRUNCATE {', '.join(stored.tables(db).values())} CASCADE"))
    restore(filled, tmp_path / "kept")
    assert contents(filled) == before != after


def test_pg_dump_is_told_the_address_and_not_the_password_and_heeds_no_environment(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=pg_catalog")
    monkeypatch.setenv("PGSERVICE", "none")
    with filled.snapshot() as db:
        address, password = stored.connection_string(db)
    assert make_url(filled.url).password == password
    assert f"port={make_url(filled.url).port}" in address
    assert password not in address
    backup(filled, tmp_path / "kept")


def test_a_backup_that_fails_leaves_what_was_there(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("the one of yesterday")
    monkeypatch.setattr(stored, "connection_string", lambda db: ("dbname=none host=127.0.0.1 port=1", ""))
    with pytest.raises(PostgresError, match=r"pg_dump failed: connection to server .* failed"):
        backup(filled, tmp_path / "kept")
    monkeypatch.setattr(stored, "server_version", lambda db: 99)
    with pytest.raises(PostgresError, match=r"needs the pg_dump of PostgreSQL 99 or later; .*pg_dump is of version"):
        backup(filled, tmp_path / "kept")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["the one of yesterday"]


def test_two_backups_to_one_file_at_once_leave_a_whole_one(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = stored.export_snapshot

    def meanwhile(db: Any) -> str:
        monkeypatch.setattr(stored, "export_snapshot", export)
        backup(filled, tmp_path / "kept")
        return export(db)

    monkeypatch.setattr(stored, "export_snapshot", meanwhile)
    manifest = backup(filled, tmp_path / "kept")
    assert check(tmp_path / "kept") == manifest
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]


def test_a_disk_without_room_for_a_backup_is_named_and_what_was_there_stays(filled: Database, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "kept").write_text("the one of yesterday")
        fill_up(disk)
        with pytest.raises(FullDiskError, match=f"The disk of {disk} is full. Make room there, or write kept"):
            backup(filled, disk / "kept")
        assert {file.name for file in disk.iterdir()} == {"kept", "ballast"}
        assert (disk / "kept").read_text() == "the one of yesterday"


def test_a_database_with_a_row_is_refused_and_stays_as_it_is(filled: Database, empty: Database, tmp_path: Path) -> None:
    backup(filled, tmp_path / "kept")
    empty.migrate()
    fill_catalogue(empty)
    before = contents(empty)
    with pytest.raises(NotEmptyError, match="there are rows in movies"):
        restore(empty, tmp_path / "kept")
    assert contents(empty) == before


def test_tables_without_a_row_are_no_hindrance(filled: Database, empty: Database, tmp_path: Path) -> None:
    backup(filled, tmp_path / "kept")
    empty.migrate()
    restore(empty, tmp_path / "kept")
    assert contents(empty) == contents(filled)


def test_nothing_comes_of_a_restore_that_fails_in_the_middle(
    filled: Database, empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(filled, tmp_path / "kept")
    monkeypatch.setattr(stored, "finish", lambda db: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        restore(empty, tmp_path / "kept")
    with empty.snapshot() as db:
        assert schema.current(db) is None
        assert stored.tables(db) == {}


def test_what_is_no_whole_backup_is_refused_before_anything_is_written(
    filled: Database, empty: Database, tmp_path: Path
) -> None:
    file = tmp_path / "kept"
    revision = backup(filled, file).revision
    whole = file.read_bytes()
    archive = whole[: whole.rindex(b"\n{")]
    flipped = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(0, len(whole), len(whole) // 97)]
    cut = [whole[:length] for length in (0, 4, 5, 80, len(archive), len(whole) - DIGEST_LENGTH, len(whole) - 1)]
    for damaged in (*flipped, *cut, whole + b"\n", archive + archive, b"no archive"):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(BackupError, match="is no backup of Matinee, or a damaged one"):
            restore(empty, tmp_path / "damaged")
    later = with_checksum(file, whole[:-DIGEST_LENGTH].replace(revision.encode() + b'"', b'9999"'))
    with pytest.raises(BackupError, match="its tables are of revision 9999, and this version"):
        restore(empty, later)
    with zipfile.ZipFile(tmp_path / "first", "w") as zipped:
        zipped.writestr("manifest.json", "{}")
    with pytest.raises(BackupError, match=r"as the first edition of Matinee made its backups. Restore it with that"):
        restore(empty, tmp_path / "first")
    unreadable = with_checksum(file, b"PGDMP\x09" + whole[6:-DIGEST_LENGTH])
    with pytest.raises(PostgresError, match="pg_restore failed: unsupported version"):
        restore(empty, unreadable)
    with empty.snapshot() as db:
        assert stored.tables(db) == {}


def test_tables_may_lie_in_another_schema(filled: Database, empty: Database, tmp_path: Path) -> None:
    backup(filled, tmp_path / "kept")
    ask(empty, 'CREATE SCHEMA "An.Other"')
    ask(empty, f'ALTER DATABASE {make_url(empty.url).database} SET search_path = "An.Other"')
    empty.close()  # the setting is that of new connections
    for _ in range(2):  # the second backup is of the other schema
        restore(empty, tmp_path / "kept")
        assert contents(empty) == contents(filled)
        backup(empty, tmp_path / "kept")
        ask(empty, 'DROP SCHEMA "An.Other" CASCADE')
        ask(empty, 'CREATE SCHEMA "An.Other"')


@pytest.mark.parametrize("revision", schema.revisions()[:-1])
def test_a_backup_of_an_earlier_revision_is_brought_to_the_newest(
    revision: str, empty: Database, tmp_path: Path
) -> None:
    empty.migrate(revision)
    ask(empty, "INSERT INTO users (history_version) VALUES (3)")
    assert backup(empty, tmp_path / "kept").revision == revision
    ask(empty, "TRUNCATE users CASCADE")
    restore(empty, tmp_path / "kept")
    with empty.snapshot() as db:
        assert schema.current(db) == schema.head()
        assert db.execute(text("SELECT id, history_version FROM users")).all() == [(1, 3)]


def test_a_table_of_somebody_else_is_left_out_and_left_alone(shared: Database, empty: Database, tmp_path: Path) -> None:
    before = contents(shared)
    backup(shared, tmp_path / "kept")
    assert set(check(tmp_path / "kept").rows) == set(before)
    assert {"impressions" if name.startswith("impressions_") else name for name in before} == stored.NAMES
    ask(empty, "CREATE TABLE notes AS SELECT 2 AS mine")
    ask(empty, "CREATE TABLE nothing (mine integer)")
    restore(empty, tmp_path / "kept")
    assert contents(empty) == before
    with empty.statement() as db:
        assert db.execute(text("SELECT mine FROM notes")).scalars().all() == [2]
        assert db.execute(text("SELECT mine FROM nothing")).all() == []


def test_what_somebody_else_made_of_our_tables_outlasts_a_restore(
    filled: Database, empty: Database, tmp_path: Path
) -> None:
    backup(filled, tmp_path / "kept")
    empty.migrate()
    ask(empty, "CREATE VIEW fans AS SELECT user_id FROM views WHERE rating > 4")
    ask(empty, "CREATE TABLE notes (about integer REFERENCES users)")
    restore(empty, tmp_path / "kept")
    assert contents(empty) == contents(filled)
    ask(empty, "INSERT INTO notes SELECT user_id FROM fans")
    with empty.statement() as db:
        assert db.execute(text("SELECT about FROM notes")).scalars().all() == [1]


def test_tables_on_which_something_depends_are_not_made_anew(filled: Database, empty: Database, tmp_path: Path) -> None:
    backup(filled, tmp_path / "kept")
    empty.migrate(schema.revisions()[-2])
    ask(empty, "CREATE VIEW fans AS SELECT user_id FROM views WHERE rating > 4")
    ask(empty, "CREATE TABLE notes (about integer REFERENCES users)")
    for told, cure in (
        ("view fans depends on table views", "DROP VIEW fans"),
        ("constraint notes_about_fkey on table notes depends on table users", "DROP TABLE notes"),
    ):
        with pytest.raises(BackupError, match=told):
            restore(empty, tmp_path / "kept")
        with empty.snapshot() as db:
            assert schema.current(db) == schema.revisions()[-2]
        ask(empty, cure)
    restore(empty, tmp_path / "kept")
    assert contents(empty) == contents(filled)


def test_our_tables_are_known_by_name_whichever_revision_they_are_of(empty: Database) -> None:
    for revision in schema.revisions():
        empty.migrate(revision)
        with empty.statement() as db:
            made = set(inspect(db).get_table_names()) - {schema.VERSION_TABLE}
        later = {"training_schedule"} if revision < "0007" else set()
        later |= {"impressions", "events"} if revision < "0010" else set()
        later |= {"experiments"} if revision < "0011" else set()
        later |= {"marks"} if revision < "0012" else set()
        later |= {"tokens"} if revision < "0013" else set()
        assert made | later == stored.NAMES


def test_tables_of_a_later_version_are_neither_kept_nor_filled(
    filled: Database, empty: Database, tmp_path: Path
) -> None:
    backup(filled, tmp_path / "kept")
    empty.migrate()
    ask(empty, f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - its own name
    ask(empty, "CREATE TABLE later (id integer)")
    for work in (restore, backup):
        with pytest.raises(UnknownRevisionError, match="The tables are of revision 9999"):
            work(empty, tmp_path / "kept")


def test_there_is_nothing_to_keep_of_a_database_without_tables(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        backup(empty, tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_a_large_generation_goes_through(recommender: Recommender, empty: Database, tmp_path: Path) -> None:
    factors = replace(two_tastes(), facts={"note": "x" * 20_000_000})
    record = generations.GenerationRecord(None, "accepted", "made by hand", "made by hand", {})
    with recommender.database.background_transaction() as db:
        generation = generations.add(db, factors, record)
    backup(recommender.database, tmp_path / "kept")
    restore(empty, tmp_path / "kept")
    with empty.background_transaction() as db:
        assert generations.load(db, generation).to_bytes() == factors.to_bytes()
