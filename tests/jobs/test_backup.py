"""Backups: everything as of one moment in one file, and back into an empty database, whole or not at all."""

import json
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
from handmade_model import EVEN, IDS, fill_catalogue, new_user, store_list, two_tastes, view
from sqlalchemy import inspect, text

from health import Health
from jobs.backup import MANIFEST, backup, check, restore
from recommender import Recommender
from storage import backup as stored
from storage import generations, predictions, runs, schema, users
from storage.database import Database
from storage.errors import BackupError, NotEmptyError, UnknownRevisionError
from storage.predictions import PredictionRow


@pytest.fixture
def filled(live: Recommender) -> Database:
    """One with something in every table, and with an id that was given to somebody who is gone."""
    database = live.database
    fan = new_user(database, {EVEN[0]: 5.0, EVEN[1]: 4.5})
    view(database, fan, EVEN[0], 1.0)
    new_user(database)
    store_list(live, fan)
    with database.transaction() as db:
        users.create_with_key(db, 'a "key", with\nwhat CSV must quote')
        predictions.add(db, [PredictionRow(fan, 1, EVEN[0], 1, 5.0, 4.2, 3)], *versions_of(fan, 1))
        runs.end(db, runs.begin(db, "train"), "failed", {"seconds": {}}, "it was cut off")
        users.delete(db, users.create(db))
    assert live.live
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
            table.name: sorted(db.execute(text(f'SELECT CAST(t AS text) FROM "{table.name}" t')).scalars())  # noqa: S608 - its own name
            for table in stored.tables(db)
        }


def rewritten(file: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A copy of a backup whose members have been changed, each by its name."""
    copy = file.with_name(f"changed-{secrets.token_hex(4)}")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return copy


def with_manifest(file: Path, **changes: object) -> Path:
    return rewritten(
        file, lambda name, data: json.dumps(json.loads(data) | changes).encode() if name == MANIFEST else data
    )


def test_every_table_comes_back_equal_and_no_id_is_given_again(
    filled: Database, empty: Database, tmp_path: Path
) -> None:
    before = contents(filled)
    assert all(before.values()), "a table without a row proves nothing"
    backup(filled, tmp_path / "kept")
    assert contents(filled) == before
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
        recommender.refresh()
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
    write = stored.write

    def slow(db: Any, table: stored.Table, file: Any) -> int:
        new_user(filled, {IDS[7]: 3.0})  # somebody comes and rates between any two tables
        return write(db, table, file)

    before = contents(filled)
    monkeypatch.setattr(stored, "write", slow)
    manifest = backup(filled, tmp_path / "kept")
    rows = {table.name: table.rows for table in manifest.tables}
    assert rows == {name: len(found) for name, found in before.items()}
    assert len(contents(filled)["users"]) > rows["users"]


def test_only_its_owner_may_read_a_backup(filled: Database, tmp_path: Path) -> None:
    backup(filled, tmp_path / "kept")
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o600


def test_a_backup_that_fails_leaves_what_was_there(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("the one of yesterday")
    monkeypatch.setattr(stored, "last_id", lambda db, table: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backup(filled, tmp_path / "kept")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["the one of yesterday"]


def test_two_backups_to_one_file_at_once_leave_a_whole_one(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = stored.write

    def meanwhile(db: Any, table: stored.Table, file: Any) -> int:
        monkeypatch.setattr(stored, "write", write)
        backup(filled, tmp_path / "kept")
        return write(db, table, file)

    monkeypatch.setattr(stored, "write", meanwhile)
    manifest = backup(filled, tmp_path / "kept")
    assert check(tmp_path / "kept") == manifest
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]


def test_a_disk_without_room_for_a_backup_is_named_and_what_was_there_stays(filled: Database, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "kept").write_text("the one of yesterday")
        fill_up(disk)
        with pytest.raises(OSError, match=f"{disk}/kept was not written: the disk of {disk} is full. Make room there"):
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
        assert stored.tables(db) == []


def test_a_damaged_backup_is_refused_by_what_is_wrong_with_it(
    filled: Database, empty: Database, tmp_path: Path
) -> None:
    file = tmp_path / "kept"
    backup(filled, file)
    whole = file.read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped").write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    entry = whole.index(b"PK\x01\x02")  # of the first table in the list of contents
    (tmp_path / "locked").write_bytes(whole[: entry + 8] + b"\x01" + whole[entry + 9 :])
    (tmp_path / "packed").write_bytes(whole[: entry + 10] + b"\x0c" + whole[entry + 11 :])
    other = rewritten(file, lambda name, data: data.replace(b"4.5", b"3.5") if name == "views.csv" else data)
    for damaged, told in (
        (tmp_path / "cut", "is no backup of Matinee, or a damaged one"),
        (tmp_path / "flipped", "is no backup of Matinee, or a damaged one"),
        (tmp_path / "locked", "is no backup of Matinee, or a damaged one: .* is encrypted"),
        (tmp_path / "packed", "is no backup of Matinee, or a damaged one: Invalid data stream"),
        (other, "what it has of views does not match its checksum"),
        (with_manifest(file, format=2), "it has format 2, and this version of Matinee reads format 1"),
        (with_manifest(file, revision="9999"), "its tables are of revision 9999, and this version"),
    ):
        with pytest.raises(BackupError, match=told):
            check(damaged)
        with pytest.raises(BackupError, match=told):
            restore(empty, damaged)
    with empty.snapshot() as db:
        assert stored.tables(db) == []


def test_a_table_of_somebody_else_is_left_out_and_left_alone(shared: Database, empty: Database, tmp_path: Path) -> None:
    before = contents(shared)
    backup(shared, tmp_path / "kept")
    assert {table.name for table in check(tmp_path / "kept").tables} == set(before) == stored.NAMES
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


@pytest.mark.parametrize("revision", schema.revisions())
def test_our_tables_are_known_by_name_whichever_revision_they_are_of(revision: str, empty: Database) -> None:
    empty.migrate(revision)
    with empty.statement() as db:
        assert set(inspect(db).get_table_names()) - {schema.VERSION_TABLE} == stored.NAMES


def test_a_backup_with_other_tables_than_its_revision_has_is_refused_before_the_restore(
    filled: Database, tmp_path: Path
) -> None:
    backup(filled, tmp_path / "kept")
    with zipfile.ZipFile(tmp_path / "kept") as archive:
        tables = json.loads(archive.read(MANIFEST))["tables"]
    for changed, told in (([*tables, tables[0] | {"name": "notes"}], "notes"), (tables[1:], tables[0]["name"])):
        with pytest.raises(BackupError, match=f"{told}: too many or too few for the tables of revision"):
            check(with_manifest(tmp_path / "kept", tables=changed))


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
    with pytest.raises(BackupError, match="nothing to keep"):
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
