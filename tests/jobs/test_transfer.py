"""Import and export of users and ratings: the same comes back, nothing is stored twice, and bad lines are named."""

import gzip
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from command_line import Operator
from conftest import EMPTY_ALL, scratch_database
from handmade_model import EVEN, IDS, fill_catalogue, new_user, publish, store_list, two_tastes
from sqlalchemy import text

from jobs import import_users as importing
from jobs.import_users import ImportCounts, import_users
from jobs.transfer_files import TransferFileError, export_users
from movielens.line_report import DatasetError
from recommender import Recommender
from storage import bulk_transfer, user_ratings
from storage.database import Database
from storage.errors import UserIdTakenError

Rows = list[tuple[object, ...]]


@pytest.fixture(autouse=True)
def catalogue(database: Database) -> None:
    fill_catalogue(database)


@pytest.fixture(scope="module")
def second(database_url: str) -> Iterator[Database]:
    """Another database."""
    for url in scratch_database(database_url):
        found = Database(url, 2)
        found.migrate()
        yield found
        found.close()


@pytest.fixture
def elsewhere(second: Database) -> Database:
    """Another database, with the same movies and nobody."""
    with second.background_transaction() as db:
        db.execute(text(EMPTY_ALL))
    fill_catalogue(second)
    return second


def stored(database: Database) -> Rows:
    """(user, movie, rating, seconds, version, again) of every view."""
    with database.statement() as db:
        return [tuple(row) for row in db.execute(text(
            "SELECT user_id, movie_id, rating, extract(epoch FROM rated_at)::float, version, again "
            "FROM views ORDER BY user_id, version"
        ))]  # fmt: skip


def all_users(database: Database) -> Rows:
    with database.statement() as db:
        return [tuple(row) for row in db.execute(text("SELECT id, history_version FROM users ORDER BY id"))]


def bring(database: Database, file: Path, source: str | None = "there", skip_bad: bool = False) -> ImportCounts:
    return import_users(database, file, source, skip_bad)


def csv_file(folder: Path, *lines: str, name: str = "events.csv") -> Path:
    file = folder / name
    file.write_bytes("\n".join(["userId,movieId,rating,timestamp", *lines, ""]).encode())
    return file


def json_file(folder: Path, *lines: object, name: str = "events.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return file


def rated(user: int | str, movie: int, rating: float = 4.5, at: str = "2026-01-31T12:00:00Z") -> dict[str, object]:
    return {"user_id": user, "movie_id": movie, "rating": rating, "rated_at": at}


# there and back


@pytest.mark.parametrize("name", ["all.jsonl", "all.ndjson.gz", "all.csv", "ALL.CSV.GZ"])
def test_what_is_exported_and_imported_is_the_same(
    name: str, database: Database, elsewhere: Database, tmp_path: Path
) -> None:
    for taste in (EVEN[:5], [], IDS[3:9]):
        new_user(database, dict(zip(taste, (5, 4.5, 1, 0.5, 3, 2), strict=False)))
    with database.statement() as db:
        user_ratings.put(db, 1, EVEN[0], 2.5)  # again, so that it is the newest
    out, again = tmp_path / "out" / name, tmp_path / "again" / name
    for folder in (out.parent, again.parent):
        folder.mkdir()
    export_users(database, out)
    bring(elsewhere, out, source=None)
    export_users(elsewhere, again)
    assert again.read_bytes() == out.read_bytes()
    assert list(out.parent.iterdir()) == [out]
    assert [row[:3] for row in stored(elsewhere)] == [row[:3] for row in stored(database)]
    if "csv" in name.lower():
        assert [one[0] for one in all_users(elsewhere)] == [1, 3]  # of 2 there is no rating to tell
    else:
        assert [row[3] for row in stored(elsewhere)] == [row[3] for row in stored(database)]
        assert [one[0] for one in all_users(elsewhere)] == [1, 2, 3]
    assert new_user(elsewhere) == 4


def test_the_lines_are_in_the_words_of_the_api_and_of_movielens(database: Database, tmp_path: Path) -> None:
    bring(database, json_file(tmp_path, rated(9, IDS[0], 4, "2026-01-31T13:00:00.25+01:00")))
    assert export_users(database, tmp_path / "out.jsonl") == 2
    made, told = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (made.keys(), made["user_id"]) == ({"user_id", "created_at"}, 1)
    assert told == {"user_id": 1, "movie_id": IDS[0], "rating": 4.0, "rated_at": "2026-01-31T12:00:00.250000Z"}
    export_users(database, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == f"userId,movieId,rating,timestamp\n1,{IDS[0]},4.0,1769860800\n"


def test_a_service_exports_one_moment(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user, count = new_user(database, {IDS[0]: 4.0}), bulk_transfer.count

    def count_and_write(*arguments: object) -> int:
        found = count(*arguments)  # type: ignore[arg-type]
        new_user(database, {IDS[1]: 1.0})
        return found

    monkeypatch.setattr(bulk_transfer, "count", count_and_write)
    assert export_users(database, tmp_path / "out.jsonl") == 2
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["user_id"] for line in told] == [user, user]


# whose


def test_users_are_found_again_by_their_id_and_its_source(database: Database, tmp_path: Path) -> None:
    file = csv_file(tmp_path, f"7,{IDS[0]},4.0,1000", f"8,{IDS[0]},3.0,1000")
    own = new_user(database, {IDS[5]: 5.0})
    assert bring(database, file) == ImportCounts(users=2, created=2)
    assert bring(database, file) == ImportCounts(unchanged=2)
    assert bring(database, file, source="another") == ImportCounts(users=2, created=2)
    more = json_file(
        tmp_path, rated(7, IDS[1]), rated("seven", IDS[1]), {"user_id": "x", "created_at": "2020-01-01T00:00Z"}
    )
    assert bring(database, more) == ImportCounts(users=2, created=2)
    assert [one[0] for one in all_users(database)] == [own, 2, 3, 4, 5, 6, 7]
    assert [row[:2] for row in stored(database)][:4] == [(1, IDS[5]), (2, IDS[0]), (2, IDS[1]), (3, IDS[0])]


def test_ids_are_kept_only_where_nobody_else_has_any(database: Database, tmp_path: Path) -> None:
    file = csv_file(tmp_path, f"17,{IDS[0]},4.0,1000")
    assert bring(database, file, source=None).users == 1
    assert bring(database, file, source=None) == ImportCounts(unchanged=1)
    assert all_users(database) == [(17, 1)]
    assert new_user(database) == 18
    with pytest.raises(TransferFileError, match="--source"):
        bring(database, file, source=None)


def test_an_id_that_was_given_away_meanwhile_is_nobody_elses(database: Database) -> None:
    user = new_user(database)
    with pytest.raises(UserIdTakenError, match=f"user {user} "), database.background_transaction() as db:
        bulk_transfer.merge(db, {str(user): None, "40": None}, [], None)
    assert all_users(database) == [(user, 0)]


@pytest.mark.parametrize("user", ["0", "-1", "2146483648", "x", "1.0"])
def test_an_id_that_cannot_be_kept_is_refused(user: str, database: Database, tmp_path: Path) -> None:
    with pytest.raises(TransferFileError, match=r"line 2: user_id .* cannot be an id here"):
        bring(database, csv_file(tmp_path, f"{user},{IDS[0]},4.0,1000"), source=None)


# what becomes of ratings


def test_of_two_ratings_of_a_movie_the_later_stays(database: Database, tmp_path: Path) -> None:
    first = csv_file(tmp_path, *(f"1,{IDS[n]},3.0,{at}" for n, at in ((0, 500), (1, 500), (2, 500), (0, 400))))
    assert bring(database, first) == ImportCounts(users=1, created=3, unchanged=1)
    later = csv_file(tmp_path, f"1,{IDS[0]},1.0,499", f"1,{IDS[1]},1.0,500", f"1,{IDS[2]},1.0,501")
    assert bring(database, later) == ImportCounts(replaced=1, unchanged=2)
    assert stored(database) == [
        (1, IDS[0], 3, 500, 1, True),
        (1, IDS[1], 3, 500, 2, False),
        (1, IDS[2], 1, 501, 4, True),
    ]
    assert all_users(database) == [(1, 4)]


def test_a_history_is_in_the_order_of_time(database: Database, tmp_path: Path) -> None:
    times = {IDS[0]: 300, IDS[1]: 100, IDS[2]: 200, IDS[3]: 100}
    bring(database, csv_file(tmp_path, *(f"5,{movie},3.0,{at}" for movie, at in times.items())))
    assert [(row[1], row[4]) for row in stored(database)] == [(IDS[1], 1), (IDS[3], 2), (IDS[2], 3), (IDS[0], 4)]


def test_what_is_imported_is_in_the_next_list(database: Database, tmp_path: Path) -> None:
    recommender = Recommender(database)
    publish(recommender, two_tastes())
    bring(database, csv_file(tmp_path, f"1,{IDS[30]},1.0,1000"))
    store_list(recommender, 1)
    bring(database, csv_file(tmp_path, *(f"1,{movie},5.0,1000" for movie in EVEN[:3])))
    listed = [item.movie.movie_id for item in recommender.recommend(1).items]
    assert set(listed) <= set(EVEN)
    assert not set(listed) & {*EVEN[:3], IDS[30]}


# what is wrong


BAD = {
    "a rating is": f"1,{IDS[0]},4.25,1000",
    "from 0.5 to 5": f"1,{IDS[0]},5.5,1000",
    "multiple of 0.5": f"1,{IDS[0]},nan,1000",
    "rating: a": f"1,{IDS[0]},0_5,1000",
    "there is no movie 3": "1,3,4.0,1000",
    "movieId: not a whole number": "1,x,4.0,1000",
    "timestamp: not a whole number": f"1,{IDS[0]},4.0,1e99",
    "out of range": f"1,{IDS[0]},4.0,253402300800",
    "before 0001-01-02": f"1,{IDS[0]},4.0,-62135596800",
    "timestamp: in the future": f"1,{IDS[0]},4.0,253402300799",
    "3 fields": f"1,{IDS[0]},4.0",
    "userId": f",{IDS[0]},4.0,1000",
    "userId: neither": f"\0,{IDS[0]},4.0,1000",
    "stray quote or carriage return": f"1\r,{IDS[0]},4.0,1000",
    "not a line of CSV": f'"1,{IDS[0]},4.0,1000',
    "longer than": f"{'1' * 70_000},{IDS[0]},4.0,1000",
}
BAD_JSON = {
    "Invalid JSON": "{",
    "valid dictionary|an object": "[1]",
    "recursion": "[" * 60_000,
    "user_id": rated(True, IDS[0]),
    "1 to 150": rated("x" * 151, IDS[0]),
    "user_id: neither": rated(10**3999, IDS[0]),
    "hex escape": rated("\ud800", IDS[0]),
    "movie_id": rated(1, IDS[0]) | {"movie_id": "1"},
    "no movie": rated(1, 1),
    "must be a number": rated(1, IDS[0]) | {"rating": "4"},
    "rating: it is missing": {"user_id": 1, "movie_id": IDS[0]},
    "rated_at: not a time": rated(1, IDS[0], at="yesterday"),
    "no time zone": rated(1, IDS[0], at="2026-01-31T12:00:00"),
    "rated_at: out of range": rated(1, IDS[0], at="0001-01-01T00:00:00+15:00"),
    "rated_at: before": rated(1, IDS[0], at="0001-01-01T00:00:00-15:00"),
    "out of range": rated(1, IDS[0], at="9999-12-31T23:59:59-15:00"),
    "rated_at: in the future": rated(1, IDS[0], at="2100-01-01T00:00:00Z"),
    "created_at: it is missing": {"user_id": 1},
    "created_at: in the future": {"user_id": 1, "created_at": "2100-01-01T00:00:00Z"},
    "created_at: out of range": {"user_id": 1, "created_at": "0001-01-01T00:00:00+15:00"},
}


@pytest.mark.parametrize("reason", [*BAD, *BAD_JSON])
def test_a_bad_line_is_named_and_nothing_of_its_batch_is_stored(
    reason: str, database: Database, tmp_path: Path
) -> None:
    if reason in BAD:
        file = csv_file(tmp_path, f"1,{IDS[0]},4.0,1000", BAD[reason], f"2,{IDS[0]},4.0,1000")
    else:
        file = json_file(tmp_path, rated(1, IDS[0]), "", BAD_JSON[reason], rated(2, IDS[0]))
    with pytest.raises(TransferFileError, match=f"{file.name}: line 3: .*{reason}"):
        bring(database, file)
    assert all_users(database) == []
    assert bring(database, file, skip_bad=True) == ImportCounts(users=2, created=2, bad=1)


def test_what_comes_before_a_bad_batch_is_stored_and_the_rest_after_it_is_mended(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 3)
    lines = [f"{user},{IDS[n]},4.0,{1000 - n}" for user in (1, 2, 3) for n in range(4)]
    with pytest.raises(TransferFileError, match="line 11: "):
        bring(database, csv_file(tmp_path, *lines[:9], "3,1,1,1", *lines[9:]))
    assert all_users(database) == [(1, 4), (2, 4)]
    assert [row[1] for row in stored(database)][:4] == IDS[3::-1]  # the ratings of one user stay together, to be sorted
    assert bring(database, csv_file(tmp_path, *lines)) == ImportCounts(users=1, created=4, unchanged=8)


def test_a_packed_file_that_is_cut_short_is_noticed(database: Database, tmp_path: Path) -> None:
    lines = "".join(f"{user},{IDS[0]},4.0,{user * 7919 % 1000}\n" for user in range(2000))
    whole = gzip.compress(f"userId,movieId,rating,timestamp\n{lines}".encode())
    file = tmp_path / "events.csv.gz"
    for content in (whole[: len(whole) // 2], whole[:2000] + b"?" + whole[2001:], b"not gzip"):
        file.write_bytes(content)
        with pytest.raises(TransferFileError, match="damaged or cut short after line"):
            bring(database, file)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("events.txt", "", "must end in .jsonl"),
        ("events.csv", "user,movie\n", "lacks the columns userId, .*It has user, movie; an import needs userId, mov"),
        ("events.csv", "userId,movieId,rating,timestamp\r1,2,4.0,5\r", "a carriage return alone"),
        ("events.jsonl", "\ufeff{}".encode("utf-16"), "is UTF-16"),
        ("events.jsonl", "x" * 70_000, "longer than 65,535 bytes"),
    ],
)
def test_a_file_of_something_else_is_refused(
    name: str, content: str | bytes, told: str, database: Database, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match=told):
        bring(database, tmp_path / name)


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl", "events.csv.gz"])
def test_a_byte_order_mark_is_passed_over_and_a_pipe_is_read(name: str, database: Database, tmp_path: Path) -> None:
    content = (
        f"userId,movieId,rating,timestamp\r\n7,{IDS[0]},4.0,1000\r\n" if "csv" in name else json.dumps(rated(7, IDS[0]))
    )
    data = f"\ufeff{content}".encode()
    os.mkfifo(tmp_path / name)
    with ThreadPoolExecutor(1) as pool:
        pool.submit((tmp_path / name).write_bytes, gzip.compress(data) if name.endswith(".gz") else data)
        assert bring(database, tmp_path / name) == ImportCounts(users=1, created=1)


def test_an_export_that_fails_leaves_what_was_there(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    file = tmp_path / "out.jsonl"
    export_users(database, file)
    monkeypatch.setattr(bulk_transfer, "write", fail)
    new_user(database)
    with pytest.raises(OSError, match="full"):
        export_users(database, file)
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"", [file])


# by hand


def test_an_operator_moves_everybody_by_command(database_url: str, database: Database, tmp_path: Path) -> None:
    operator = Operator({"DATABASE_URL": database_url})
    file = csv_file(tmp_path, f"1,{IDS[0]},4.0,1000", f"1,{IDS[1]},9,1000")
    assert f"{file}: line 3: " in operator.refused("import", str(file))
    assert "users created: 1; ratings created: 1," in operator.says("import", str(file), "--skip-bad")
    assert operator.says("export", str(tmp_path / "out.ndjson")).endswith("out.ndjson: 2\n")
    assert "users created: 1; ratings" in operator.says("import", str(tmp_path / "out.ndjson"), "--source", "ours")
    for arguments in (("import", str(file), "--source", "a b"), ("export", str(tmp_path / "none" / "out.csv"))):
        assert operator.run(*arguments).returncode == 2
    assert "must end in .jsonl" in operator.refused("export", str(tmp_path / "out.parquet"))
    brought = tmp_path / "any.txt"
    brought.write_text("Title,Year,Rating\nMovie 2,1952,4\nMovie 3,1980,4\n")
    assert "ratings created: 1, replaced: 0" in operator.says("import", str(brought), "--user", "1", "--dry-run")
    said = operator.says("import", str(brought), "--user", "1")
    assert "ratings created: 1, replaced: 0" in said
    assert "line 3: Movie 3 (1980): the movie with this title is of another year" in said
    brought.write_text("<html>")
    assert "web page" in operator.refused("import", str(brought), "--user", "1")
