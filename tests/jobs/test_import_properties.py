"""Whatever line an import meets, it is stored and comes back equal, or is refused by number and changes nothing."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from handmade_model import IDS, fill_catalogue
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from jobs.import_users import import_users
from jobs.transfer_files import TransferFileError
from storage.database import Database

EXAMPLES = settings(max_examples=40, derandomize=True, database=None, deadline=None, print_blob=True)
SOURCES = (f"source{number}" for number in count())
STORED = text("""
    SELECT substr(idempotency_key, length('import ' || :source) + 2) AS name, movie_id, rating, rated_at, created_at
    FROM users LEFT JOIN views ON user_id = id WHERE idempotency_key LIKE 'import ' || :source || ' %' ORDER BY id
""")
ODD = [None, True, "", " ", "\0", "\r", "\ud800", "٤", 0, -1, 5.5, 4.25, 1e300, float("nan"), 10**3999, "1_0", [], {}]
WILD = st.sampled_from(ODD) | st.integers() | st.text(max_size=5)


def at_any_offset(at: datetime, minutes: int) -> str:
    return f"{at.isoformat()}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(good, good, good, WILD)


NAMES = mostly(st.integers(1, 10**15) | st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=160))
TIMES = mostly(st.builds(at_any_offset, st.datetimes(max_value=datetime(2026, 1, 1)), st.integers(-1500, 1500)))
MOVIES, RATINGS = mostly(st.sampled_from(IDS)), mostly(st.integers(1, 10).map(lambda halves: halves / 2))
RATING_LINES = st.fixed_dictionaries({"user_id": NAMES, "movie_id": MOVIES, "rating": RATINGS, "rated_at": TIMES})
LINES = RATING_LINES | st.fixed_dictionaries({"user_id": NAMES}, optional={"created_at": TIMES, "rated_at": TIMES})
SECONDS = mostly(st.integers(-62_135_500_000, 1_760_000_000) | st.integers(-(10**13), 10**13))
CSV_LINES = st.tuples(NAMES, MOVIES, RATINGS, SECONDS)


@pytest.fixture
def catalogue(database: Database) -> Database:
    fill_catalogue(database)
    return database


def outcome(database: Database, file: Path) -> Any:
    """Import a file of a good line and another; return the row that the other made, or None if it was refused."""
    source, strict_source = next(SOURCES), next(SOURCES)
    counts = import_users(database, file, source, skip_bad=True)
    with database.statement() as db:
        rows = db.execute(STORED, {"source": source}).all()
    assert rows[0].name == "good user"
    assert len(rows) == 2 - counts.bad
    if counts.bad:
        with pytest.raises(TransferFileError, match=r"line [23]: ."):
            import_users(database, file, strict_source, skip_bad=False)
        with database.statement() as db:
            assert db.execute(STORED, {"source": strict_source}).all() == []
        return None
    return rows[1]


def test_a_line_of_json_comes_back_equal_or_is_refused(catalogue: Database, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"

    @EXAMPLES
    @given(LINES)
    def holds(sent: dict[str, Any]) -> None:
        file.write_text(
            "".join(
                f"{json.dumps(line)}\n" for line in ({"user_id": "good user", "created_at": "2020-01-01T00:00Z"}, sent)
            )
        )
        row = outcome(catalogue, file)
        if row is None:
            return
        assert row.name == str(sent["user_id"])
        if row.movie_id is None:
            assert row.created_at == datetime.fromisoformat(sent["created_at"])
        else:
            assert (row.movie_id, row.rating) == (sent["movie_id"], sent["rating"])
            assert row.rated_at == datetime.fromisoformat(sent["rated_at"])

    holds()


def test_a_line_of_csv_comes_back_equal_or_is_refused(catalogue: Database, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"

    @EXAMPLES
    @given(CSV_LINES)
    def holds(sent: tuple[Any, ...]) -> None:
        lines = ["userId,movieId,rating,timestamp", f"good user,{IDS[0]},4,1000", ",".join(map(str, sent))]
        file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        row = outcome(catalogue, file)
        if row is not None:
            assert (row.name, row.movie_id, row.rating) == (str(sent[0]), sent[1], sent[2])
            assert row.rated_at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=sent[3])

    holds()
