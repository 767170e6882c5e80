"""The benchmark suite: it distinguishes changes from noise, and its load generator counts every answer."""

import json
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import run as suite
from http_load import KeepAliveConnection, Load, get, require_success, send, send_load
from measurements import Measurement, Measurements, median_of, median_ratio, table
from raw_http import serving
from run_history import BenchmarkRun, compare_runs, describe_run, find_run, is_worse, write_run


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def run_of(**measured: Measurement) -> BenchmarkRun:
    return BenchmarkRun(describe_run(quick=True), {"read": measured})


def test_a_goal_is_a_limit_in_the_better_direction() -> None:
    assert Measurement(0.71, "x", "more", 0.70).reached
    assert not Measurement(0.69, "x", "more", 0.70).reached
    assert Measurement(149.0, "ms", "less", 150.0).reached
    assert not Measurement(151.0, "ms", "less", 150.0).reached
    assert Measurement(1.0, "s").reached is None


def test_a_ratio_is_the_median_of_the_ratios_of_pairs() -> None:
    found = median_ratio([10.0, 40.0, 30.0], [20.0, 50.0, 100.0], "more")
    assert (found.value, found.low, found.high) == (0.5, 0.3, 0.8)


def test_the_table_shows_each_number_with_its_goal_and_whether_it_is_reached() -> None:
    found: Measurements = {
        "p50": median_of([1.0, 2.0, 4.0], "ms", "less", 3.0),
        "rate": Measurement(1234.5, "/s", "more", 2000.0),
    }
    assert table({"read": found}).splitlines()[2:] == [
        "| read | p50 | 2.00 ms | 1.00 to 4.00 | at most 3.00 ms | yes |",
        "| read | rate | 1,234 /s |  | at least 2,000 /s | **no** |",
    ]


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (Measurement(1.0, "ms", "less"), Measurement(1.2, "ms", "less"), True),
        (Measurement(1.0, "ms", "less"), Measurement(0.8, "ms", "less"), False),
        (Measurement(1.0, "ms", "less"), Measurement(1.05, "ms", "less"), False),
        (Measurement(100.0, "/s", "more"), Measurement(80.0, "/s", "more"), True),
        (Measurement(100.0, "/s"), Measurement(80.0, "/s"), False),
        (Measurement(100.0, "/s", "more", low=70.0, high=120.0), Measurement(80.0, "/s", "more"), False),
    ],
    ids=["slower", "faster", "within noise", "fewer", "without a direction", "within its spread"],
)
def test_a_number_is_worse_if_it_changed_by_more_than_noise(
    before: Measurement, after: Measurement, worse: bool
) -> None:
    assert is_worse(before, after) is worse


def test_two_runs_are_compared_where_both_have_a_number() -> None:
    before = run_of(p50=Measurement(1.0, "ms", "less"), gone=Measurement(1.0, "ms"))
    text, worse = compare_runs(before, run_of(p50=Measurement(2.0, "ms", "less"), new=Measurement(1.0, "ms")))
    assert text.splitlines()[2:] == ["| read | p50 | 1.00 ms | 2.00 ms | 2.00 | **worse** |"]
    assert worse == 1


def test_a_run_is_found_by_folder_number_and_commit(tmp_path: Path, history: Path) -> None:
    runs = [run_of(p50=median_of([value], "ms", "less", 2.0)) for value in (1.0, 3.0)]
    for number, run in enumerate(runs):
        write_run(run, tmp_path / str(number), history)
    assert find_run(str(tmp_path / "0"), history) == runs[0]
    assert [find_run(name, history) for name in ("0", "1", "-1", runs[1].about["commit"])] == [
        runs[0], runs[1], runs[1], runs[1]
    ]  # fmt: skip
    for name in ("2", "nothing"):
        with pytest.raises(LookupError, match=name):
            find_run(name, history)


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[bool], Measurements]], None]]:
    """A function that makes another function the only part of the suite."""

    def register(measure: Callable[[bool], Measurements]) -> None:
        module = types.ModuleType("some_part")
        module.measure = measure  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "some_part", module)
        monkeypatch.setattr(suite, "PARTS", {"some": "some_part"})

    return register


def test_a_run_is_written_and_a_comparison_exits_with_1_if_a_number_became_worse(
    tmp_path: Path, history: Path, part: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--quick", "--out", str(tmp_path / "out"), "--history", str(history)]
    for milliseconds in (1.0, 1.5):
        part(lambda quick, ms=milliseconds: {"p50": Measurement(ms, "ms", "less", 2.0)})
        assert suite.main(options) == 0
    assert json.loads((tmp_path / "out" / "run.json").read_text())["parts"]["some"]["p50"]["value"] == 1.5
    assert "| some | p50 | 1.50 ms |  | at most 2.00 ms | yes |" in (tmp_path / "out" / "run.md").read_text()
    assert suite.main(["compare", "0", "-1", "--history", str(history)]) == 1
    assert "**worse**" in capsys.readouterr().out
    assert suite.main(["compare", "-1", "0", "--history", str(history)]) == 0
    assert suite.main(["compare", "0", "7", "--history", str(history)]) == 2


def test_a_part_that_fails_is_reported_and_the_others_are_kept(
    tmp_path: Path, history: Path, part: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    part(lambda quick: {"p50": Measurement(1.0, "ms")})
    monkeypatch.setitem(suite.PARTS, "broken", "no_such_module")
    assert suite.main(["--out", str(tmp_path), "--history", str(history)]) == 1
    assert list(find_run("-1", history).parts) == ["some"]


def application(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
    """Refuse one path and answer every other."""
    start_response("404 Not Found" if environ["PATH_INFO"] == "/no" else "200 OK", [("Content-Length", "2")])
    return [b"ok"]


def test_the_load_counts_every_answer_on_every_connection() -> None:
    with serving(application) as (_, port):
        result = send_load(Load(port, [get("/a"), send("POST", "/b", "{}")], connections=4, seconds=0.2))
        with KeepAliveConnection(port) as connection:
            assert connection.request(get("/a")) > 0
            assert connection.answer[1] == b"ok"
    assert len(result.answered) == len(result.seconds) > 8
    assert result.ms(50) <= result.ms(99)
    assert require_success(result) is result


def test_at_a_fixed_rate_a_request_takes_time_from_when_it_was_due() -> None:
    never = threading.Event()

    def slow(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
        never.wait(0.02)
        return application(environ, start_response)

    with serving(slow) as (_, port):
        result = send_load(Load(port, [get("/")], connections=1, seconds=0.4, rate=100.0))
    assert len(result.answered) < 40
    assert max(result.seconds) > 0.1  # twice as many requests are due as can be answered, so the delay grows


def test_a_load_with_a_refused_request_is_an_error() -> None:
    with serving(application) as (_, port):
        result = send_load(Load(port, [get("/no")], connections=1, seconds=0.05))
    with pytest.raises(RuntimeError, match="404"):
        require_success(result)
